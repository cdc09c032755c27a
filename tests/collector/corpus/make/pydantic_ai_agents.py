"""pip install "pydantic-ai-slim[openai,anthropic,google]==2.68.0" genai-prices==0.2.3 openai==3.52.0 anthropic==2.11.0

Pydantic AI's own spans, in every format that it can still be asked for; with the argument `two_layers`, one case with
the spans that Anthropic's SDK makes below.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from tests.collector.corpus.make.capture import Corpus, Loopback


def openai(provider: Loopback, model: str = "gpt-4o-mini") -> Any:
    from openai import AsyncOpenAI
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    client = AsyncOpenAI(api_key="k", base_url=f"{provider.url}/v1", max_retries=0)
    return OpenAIChatModel(model, provider=OpenAIProvider(openai_client=client))


def anthropic(provider: Loopback, model: str = "claude-sonnet-4-5") -> Any:
    from anthropic import AsyncAnthropic
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    client = AsyncAnthropic(api_key="k", base_url=provider.url, max_retries=0)
    return AnthropicModel(model, provider=AnthropicProvider(anthropic_client=client))


def gemini(provider: Loopback) -> Any:
    from pydantic_ai.models.google import GoogleModel
    from pydantic_ai.providers.google import GoogleProvider

    return GoogleModel("gemini-2.5-flash", provider=GoogleProvider(api_key="k", base_url=provider.url))


def forecaster(model: Any, settings: Any) -> Any:
    """An agent that asks the model, calls a tool, and asks the model again."""
    from pydantic_ai import Agent

    agent = Agent(model, name="forecaster", instructions="Be short.")
    agent.instrument = settings

    @agent.tool_plain
    def weather(city: str) -> str:
        """Tells it."""
        return f"rain in {city}"

    return agent


def talker(model: Any, settings: Any) -> Any:
    from pydantic_ai import Agent

    agent = Agent(model, name="talker")
    agent.instrument = settings
    return agent


def stream(agent: Any) -> None:
    import asyncio

    async def ask() -> None:
        async with agent.run_stream("How much?") as answer:
            async for _ in answer.stream_text():
                pass

    asyncio.run(ask())


def embed(provider: Loopback, settings: Any) -> None:
    import asyncio

    from pydantic_ai import Embedder
    from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel

    model = OpenAIEmbeddingModel("text-embedding-3-small", provider=openai(provider)._provider)
    asyncio.run(Embedder(model, instrument=settings).embed_query("How much?"))


def main() -> None:
    os.environ["ANTHROPIC_OPEN_TELEMETRY"] = "false"
    from pydantic_ai.exceptions import ModelHTTPError
    from pydantic_ai.models.instrumented import InstrumentationSettings

    with Corpus("pydantic_ai", "pydantic-ai-slim", "genai-prices", "openai", "anthropic") as corpus:
        provider = corpus.loopback
        for version in (2, 3, 4, 5, 6):
            settings = InstrumentationSettings(version=version)  # type: ignore[arg-type]
            with corpus.case(f"format-{version}-agent", f"An agent with a tool, in format {version}."):
                forecaster(openai(provider), settings).run_sync("How is it?", conversation_id="c-1")
        settings = InstrumentationSettings()
        with corpus.case("agent-same-names", "An agent whose total has the names of a call's usage."):
            same = InstrumentationSettings(use_aggregated_usage_attribute_names=False)
            forecaster(openai(provider), same).run_sync("How is it?")
        with corpus.case("stream", "A streamed answer."):
            stream(talker(openai(provider), settings))
        with corpus.case("anthropic", "Anthropic, with tokens read from and written to the cache."):
            talker(anthropic(provider), settings).run_sync("How much?")
        with corpus.case("anthropic-stream", "Anthropic, streamed."):
            stream(talker(anthropic(provider), settings))
        with corpus.case("gemini", "Gemini, with thoughts."):
            talker(gemini(provider), settings).run_sync("How much?")
        with corpus.case("error", "The provider had enough."):
            try:
                talker(openai(provider, "gpt-4o-mini?status=429"), settings).run_sync("How much?")
            except ModelHTTPError:
                pass
        with corpus.case("embeddings", "Embeddings."):
            embed(provider, settings)
        with corpus.case("metrics", "What is counted beside.", signals=("metrics",)):
            talker(openai(provider), settings).run_sync("How much?")


def two_layers() -> None:
    """Anthropic's SDK tells of the same call below."""
    from pydantic_ai.models.instrumented import InstrumentationSettings

    os.environ.pop("ANTHROPIC_OPEN_TELEMETRY", None)
    with Corpus("pydantic_ai", "pydantic-ai-slim", "genai-prices", "anthropic") as corpus:
        with corpus.case("two-layers", "Pydantic AI and the Anthropic SDK below it both tell of one call."):
            talker(anthropic(corpus.loopback), InstrumentationSettings()).run_sync("How?")


if __name__ == "__main__":
    two_layers() if sys.argv[1:] else main()
