"""pip install opentelemetry-instrumentation-genai-anthropic==1.3b0 anthropic==2.11.0

With OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=EVENT_ONLY or SPAN_AND_EVENT only that case is made: the
library reads it once. The SDK makes a span of its own beside it, unless ANTHROPIC_OPEN_TELEMETRY=false.
"""

from __future__ import annotations

import os

from tests.collector.corpus.make import asking
from tests.collector.corpus.make.capture import Corpus


def main() -> None:
    from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor

    with Corpus("conventions", "opentelemetry-instrumentation-genai-anthropic", "anthropic") as corpus:
        AnthropicInstrumentor().instrument()
        provider = corpus.loopback
        mode = os.environ.get("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT")
        if not mode:
            with corpus.case("two-spans", "The SDK tells of the call as well: two spans, one call."):
                asking.anthropic_chat(provider)
        os.environ["ANTHROPIC_OPEN_TELEMETRY"] = "false"
        if mode:
            with corpus.case(mode.lower().replace("_", "-"), f"Content, told as {mode}."):
                asking.anthropic_tool(provider)
            return
        with corpus.case("plain", "A call, whole, with tokens read from and written to the cache."):
            asking.anthropic_chat(provider)
        with corpus.case("stream", "A streamed call."):
            asking.anthropic_stream(provider)
        with corpus.case("error", "The provider had enough."):
            asking.anthropic_error(provider)


if __name__ == "__main__":
    main()
