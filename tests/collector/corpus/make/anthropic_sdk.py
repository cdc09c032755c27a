"""pip install "anthropic[bedrock]==2.11.0"

The spans that the SDK makes by itself. With ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE=content only that case.
"""

from __future__ import annotations

import os
from dataclasses import replace

from tests.collector.corpus.make import asking
from tests.collector.corpus.make.capture import Corpus


def main() -> None:
    with Corpus("anthropic_sdk", "anthropic") as corpus:
        provider = corpus.loopback
        if os.environ.get("ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE"):
            with corpus.case("content", "Content on."):
                asking.anthropic_tool(provider)
            return
        with corpus.case("plain", "A call, whole, with tokens read from and written to the cache."):
            asking.anthropic_chat(provider)
        with corpus.case("stream", "A streamed call."):
            asking.anthropic_stream(provider)
        with corpus.case("error", "The provider had enough."):
            asking.anthropic_error(provider)
        with corpus.case("retry", "The SDK tries again; one span for both attempts."):
            import anthropic

            provider.fail_first("claude-sonnet-4-5", 1)
            client = anthropic.Anthropic(api_key="k", base_url=provider.url)
            client.messages.create(model="claude-sonnet-4-5", max_tokens=64, messages=asking.QUESTION)
        with corpus.case("bedrock", "The client for Bedrock."):
            bedrock = anthropic.AnthropicBedrock(
                base_url=provider.url, aws_access_key="a", aws_secret_key="b", aws_region="us-east-1"
            )
            model, answer = "us.anthropic.claude-sonnet-4-5-20250929-v1:0", provider.answers["/invoke"]
            provider.answers["/invoke"] = lambda asked: answer(replace(asked, model="claude-sonnet-4-5"))
            bedrock.messages.create(model=model, max_tokens=64, messages=asking.QUESTION)


if __name__ == "__main__":
    main()
