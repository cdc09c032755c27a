"""Taximeter's own meter: run it where the tests run (`make test` sets that up), not in an environment of its own."""

from __future__ import annotations

import os

import taximeter

from tests.collector.corpus.make import asking
from tests.collector.corpus.make.botocore_bedrock import MODEL, SAID, bedrock
from tests.collector.corpus.make.capture import Corpus


def main() -> None:
    os.environ["ANTHROPIC_OPEN_TELEMETRY"] = "false"
    with Corpus("conventions", "taximeter", "openai", "anthropic", "google-genai", "boto3") as corpus:
        provider = corpus.loopback
        taximeter.instrument()
        with corpus.case("metrics", "A call's metrics.", signals=("metrics",)):
            asking.openai_chat(provider)
        with corpus.case("openai", "A call, whole."):
            asking.openai_chat(provider)
        with corpus.case("openai-stream", "A streamed call, with usage only because it was asked for."):
            asking.openai_stream(provider)
        with corpus.case("openai-error", "The provider had enough."):
            asking.openai_error(provider)
        with corpus.case("openai-embeddings", "Embeddings."):
            asking.openai_embeddings(provider)
        with corpus.case("retry", "The SDK tries again; each attempt has a span."):
            import openai

            provider.fail_first("gpt-4o-mini", 1)
            client = openai.OpenAI(api_key="k", base_url=f"{provider.url}/v1")
            client.chat.completions.create(model="gpt-4o-mini", messages=asking.QUESTION)
        with corpus.case("anthropic", "Tokens read from and written to a cache."):
            asking.anthropic_chat(provider)
        with corpus.case("gemini", "Thoughts beside the answer."):
            asking.gemini(provider)
        with corpus.case("bedrock", "Converse, whose input stands beside what came from the cache."):
            bedrock(provider.url).converse(modelId=MODEL, messages=SAID)
        with corpus.case("agent", "Two calls by an agent, in a conversation, with a tool between them."):
            with taximeter.conversation("c-1", user="u-1", tags={"feature": "forecast"}):
                with taximeter.workflow("planning"), taximeter.agent("forecaster"):
                    asking.openai_tool(provider)
                    with taximeter.tool("weather"):
                        pass
                    asking.anthropic_stream(provider)


if __name__ == "__main__":
    main()
