"""pip install mlflow==3.17.2 "openai<2" anthropic==2.11.0

Its autolog, sent over OTLP. With MLFLOW_ENABLE_OTEL_GENAI_SEMCONV=true in its translation to the conventions.
"""

from __future__ import annotations

import os

from tests.collector.corpus.make import asking
from tests.collector.corpus.make.capture import Corpus


def main() -> None:
    os.environ |= {"ANTHROPIC_OPEN_TELEMETRY": "false", "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false"}
    with Corpus("mlflow", "mlflow", "openai", "anthropic", providers=False) as corpus:
        os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = f"{corpus.sink.url}/v1/traces"
        os.environ |= {
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            "MLFLOW_TRACKING_URI": "http://127.0.0.1:1",
        }
        import mlflow
        from mlflow.tracing.provider import provider as made_by_mlflow

        corpus.flush = lambda: made_by_mlflow.get() and made_by_mlflow.get().force_flush()
        mlflow.openai.autolog()
        mlflow.anthropic.autolog()
        provider = corpus.loopback
        prefix = "semconv-" if os.environ.get("MLFLOW_ENABLE_OTEL_GENAI_SEMCONV") else ""

        @mlflow.trace(span_type="AGENT")
        def forecast() -> None:
            mlflow.update_current_trace(metadata={"mlflow.trace.session": "s-1", "mlflow.trace.user": "u-1"})
            asking.openai_chat(provider)
            asking.anthropic_chat(provider)

        with corpus.case(f"{prefix}openai", "A call, whole."):
            asking.openai_chat(provider)
        with corpus.case(f"{prefix}openai-stream", "A streamed call."):
            asking.openai_stream(provider)
        with corpus.case(f"{prefix}openai-error", "The provider had enough."):
            asking.openai_error(provider)
        with corpus.case(f"{prefix}openai-responses", "The Responses API."):
            asking.openai_responses(provider)
        with corpus.case(f"{prefix}openai-embeddings", "Embeddings."):
            asking.openai_embeddings(provider)
        with corpus.case(f"{prefix}anthropic", "Tokens read from and written to a cache."):
            asking.anthropic_chat(provider)
        with corpus.case(f"{prefix}anthropic-stream", "A streamed call."):
            asking.anthropic_stream(provider)
        with corpus.case(f"{prefix}agent", "A span of the app around two calls."):
            forecast()


if __name__ == "__main__":
    main()
