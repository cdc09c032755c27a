"""pip install opentelemetry-instrumentation-google-genai==1.3b0 'google-genai<3'"""

from __future__ import annotations

from tests.collector.corpus.make import asking
from tests.collector.corpus.make.capture import Corpus


def main() -> None:
    from opentelemetry.instrumentation.google_genai import GoogleGenAiSdkInstrumentor

    with Corpus("conventions", "opentelemetry-instrumentation-google-genai", "google-genai") as corpus:
        GoogleGenAiSdkInstrumentor().instrument()
        provider = corpus.loopback
        with corpus.case("plain", "A call, whole, with thoughts."):
            asking.gemini(provider)
        with corpus.case("stream", "A streamed call."):
            asking.gemini(provider, stream=True)
        with corpus.case("error", "The provider is overloaded."):
            asking.gemini(provider, fails=True)


if __name__ == "__main__":
    main()
