"""pip install opentelemetry-instrumentation-genai-openai==1.3b0 openai==3.52.0

With OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=EVENT_ONLY or SPAN_AND_EVENT only that case is made: the
library reads it once.
"""

from __future__ import annotations

import os

from tests.collector.corpus.make import asking
from tests.collector.corpus.make.capture import Corpus


def main() -> None:
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

    with Corpus("conventions", "opentelemetry-instrumentation-genai-openai", "openai") as corpus:
        OpenAIInstrumentor().instrument()
        provider = corpus.loopback
        mode = os.environ.get("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT")
        if mode:
            with corpus.case(mode.lower().replace("_", "-"), f"Content, told as {mode}."):
                asking.openai_tool(provider)
            return
        with corpus.case("metrics", "A call's metrics.", signals=("metrics",)):
            asking.openai_chat(provider)
        with corpus.case("plain", "A call, whole, with cached tokens and reasoning."):
            asking.openai_chat(provider)
        with corpus.case("stream", "A streamed call."):
            asking.openai_stream(provider)
        with corpus.case("stream-without-usage", "A stream that tells no usage."):
            asking.openai_stream_without_usage(provider)
        with corpus.case("error", "The provider had enough."):
            asking.openai_error(provider)
        with corpus.case("responses", "The Responses API."):
            asking.openai_responses(provider)
        with corpus.case("embeddings", "Embeddings."):
            asking.openai_embeddings(provider)


if __name__ == "__main__":
    main()
