"""pip install opentelemetry-instrumentation-openai-v2==2.4b0 opentelemetry-util-genai==0.4b0 "openai<3"

or opentelemetry-instrumentation-openai-v2==2.1b0 "openai<2" opentelemetry-sdk==1.36.0.

With OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true only the case with content is made.
"""

from __future__ import annotations

import os

from tests.collector.corpus.make import asking
from tests.collector.corpus.make.capture import Corpus


def main() -> None:
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    with Corpus("conventions", "opentelemetry-instrumentation-openai-v2", "openai") as corpus:
        _set_event_logger_provider()
        OpenAIInstrumentor().instrument()
        provider = corpus.loopback
        if os.environ.get("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"):
            with corpus.case("content", "Content, in an event for each message."):
                asking.openai_tool(provider)
            return
        with corpus.case("metrics", "A call's metrics.", signals=("metrics",)):
            asking.openai_chat(provider)
        with corpus.case("plain", "A call, whole."):
            asking.openai_chat(provider)
        with corpus.case("stream", "A streamed call."):
            asking.openai_stream(provider)
        with corpus.case("error", "The provider had enough."):
            asking.openai_error(provider)
        if not corpus.version.startswith("2.1"):
            with corpus.case("embeddings", "Embeddings."):
                asking.openai_embeddings(provider)


def _set_event_logger_provider() -> None:
    """What the older one wants for its events."""
    try:
        from opentelemetry._events import set_event_logger_provider
        from opentelemetry.sdk._events import EventLoggerProvider
    except ImportError:
        return
    set_event_logger_provider(EventLoggerProvider())


if __name__ == "__main__":
    main()
