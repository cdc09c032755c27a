"""pip install haystack-ai==3.4.0 opentelemetry-haystack==2.0.0 anthropic-haystack==8.0.1 openai==3.52.0
anthropic==2.11.0

Haystack's own tracing with content, the only way to have any usage; without, with the argument `quiet`.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any

from tests.collector.corpus.make.capture import Corpus, Loopback


def generator(provider: Loopback, model: str = "gpt-4o-mini", **more: Any) -> Any:
    from haystack.components.generators.chat import OpenAIChatGenerator
    from haystack.utils import Secret

    url = f"{provider.url}/v1"
    return OpenAIChatGenerator(Secret.from_token("k"), model, api_base_url=url, max_retries=0, **more)


def ask(generator: Any) -> None:
    from haystack import Pipeline
    from haystack.components.builders import ChatPromptBuilder
    from haystack.dataclasses import ChatMessage

    pipeline = Pipeline()
    pipeline.add_component("prompt", ChatPromptBuilder([ChatMessage.from_user("How much is {{what}}?")]))
    pipeline.add_component("llm", generator)
    pipeline.connect("prompt", "llm")
    pipeline.run({"prompt": {"what": "it"}})


def agent(provider: Loopback) -> None:
    from haystack.components.agents import Agent
    from haystack.dataclasses import ChatMessage
    from haystack.tools import tool

    @tool
    def weather(city: str) -> str:
        """Tells it."""
        return f"rain in {city}"

    Agent(chat_generator=generator(provider), tools=[weather]).run(messages=[ChatMessage.from_user("How is it?")])


def main(quiet: bool) -> None:
    os.environ |= {"HAYSTACK_CONTENT_TRACING_ENABLED": str(not quiet).lower(), "HAYSTACK_TELEMETRY_ENABLED": "false"}
    os.environ["ANTHROPIC_OPEN_TELEMETRY"] = "false"
    with Corpus("haystack", "haystack-ai", "anthropic-haystack", "openai", "anthropic") as corpus:
        provider = corpus.loopback
        from haystack import tracing
        from haystack_integrations.tracing.opentelemetry import OpenTelemetryTracer
        from opentelemetry import trace

        tracing.enable_tracing(OpenTelemetryTracer(trace.get_tracer("shop")))
        if quiet:
            with corpus.case("quiet", "A call in a pipeline, without content."):
                ask(generator(provider))
            return
        with corpus.case("openai", "A call in a pipeline."):
            ask(generator(provider))
        with corpus.case("openai-stream", "A streamed call in a pipeline."):
            options = {"stream_options": {"include_usage": True}}
            ask(generator(provider, streaming_callback=lambda chunk: None, generation_kwargs=options))
        with corpus.case("openai-error", "The provider had enough."), suppress(Exception):
            ask(generator(provider, "gpt-4o-mini?status=429"))
        with corpus.case("agent", "An agent with a tool."):
            agent(provider)
        with corpus.case("anthropic", "Anthropic."):
            ask(anthropic(provider))
        with corpus.case("embeddings", "Embeddings in a pipeline."):
            embed(provider)


def embed(provider: Loopback) -> None:
    from haystack import Pipeline
    from haystack.components.embedders import OpenAITextEmbedder
    from haystack.utils import Secret

    pipeline, key = Pipeline(), Secret.from_token("k")
    embedder = OpenAITextEmbedder(key, "text-embedding-3-small", api_base_url=f"{provider.url}/v1")
    pipeline.add_component("embedder", embedder)
    pipeline.run({"embedder": {"text": "How much?"}})


def anthropic(provider: Loopback) -> Any:
    from haystack.utils import Secret
    from haystack_integrations.components.generators.anthropic import AnthropicChatGenerator

    os.environ["ANTHROPIC_BASE_URL"] = provider.url
    return AnthropicChatGenerator(Secret.from_token("k"), "claude-sonnet-4-5", max_retries=0)


if __name__ == "__main__":
    main("quiet" in sys.argv)
