"""pip install semantic-kernel==1.45.0 openai==3.52.0 anthropic==2.11.0 opentelemetry-instrumentation-logging

Semantic Kernel's diagnostics of models and agents, with content, which it logs; without, with the argument `quiet`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import suppress
from typing import Any

from tests.collector.corpus.make.capture import Corpus, Loopback

WITH = "SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS"


def openai(provider: Loopback, model: str = "gpt-4o-mini") -> Any:
    from openai import AsyncOpenAI
    from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion

    client = AsyncOpenAI(api_key="k", base_url=f"{provider.url}/v1", max_retries=0)
    return OpenAIChatCompletion(ai_model_id=model, async_client=client)


def anthropic(provider: Loopback) -> Any:
    from anthropic import AsyncAnthropic
    from semantic_kernel.connectors.ai.anthropic import AnthropicChatCompletion

    client = AsyncAnthropic(api_key="k", base_url=provider.url, max_retries=0)
    return AnthropicChatCompletion(ai_model_id="claude-sonnet-4-5", api_key="k", async_client=client)


async def ask(service: Any, *, stream: bool = False) -> None:
    from semantic_kernel.contents import ChatHistory

    history = ChatHistory()
    history.add_user_message("How much?")
    settings = service.get_prompt_execution_settings_class()()
    if stream:
        async for _ in service.get_streaming_chat_message_content(history, settings):
            pass
    else:
        await service.get_chat_message_content(history, settings)


async def agent(service: Any) -> None:
    from semantic_kernel.agents import ChatCompletionAgent
    from semantic_kernel.functions import kernel_function

    class Sky:
        @kernel_function(description="Tells it.")
        def weather(self, city: str) -> str:
            return f"rain in {city}"

    forecaster = ChatCompletionAgent(service=service, name="forecaster", instructions="Be short.", plugins=[Sky()])
    await forecaster.get_response(messages="How is it?")


def main(quiet: bool) -> None:
    os.environ[WITH if quiet else f"{WITH}_SENSITIVE"] = "true"
    os.environ["ANTHROPIC_OPEN_TELEMETRY"] = "false"
    with Corpus("semantic_kernel", "semantic-kernel", "openai", "anthropic") as corpus:
        provider = corpus.loopback
        if quiet:
            with corpus.case("quiet", "A call, whole, without content."):
                asyncio.run(ask(openai(provider)))
            return
        log()
        with corpus.case("openai", "A call, whole."):
            asyncio.run(ask(openai(provider)))
        with corpus.case("openai-stream", "A streamed call."):
            asyncio.run(ask(openai(provider), stream=True))
        with corpus.case("openai-error", "The provider had enough."), suppress(Exception):
            asyncio.run(ask(openai(provider, "gpt-4o-mini?status=429")))
        with corpus.case("anthropic", "Anthropic."):
            asyncio.run(ask(anthropic(provider)))
        with corpus.case("anthropic-stream", "Anthropic, streamed."):
            asyncio.run(ask(anthropic(provider), stream=True))
        with corpus.case("agent", "An agent with a tool."):
            _as_semantic_kernel_names_it(provider)
            asyncio.run(agent(openai(provider)))


def _as_semantic_kernel_names_it(provider: Loopback) -> None:
    """A function is called by the names of its plugin and of itself."""
    answer = provider.answers["/chat/completions"]

    def answered(asked: Any) -> Any:
        reply = answer(asked)
        reply.chunks = [chunk.replace(b'"name": "weather"', b'"name": "Sky-weather"') for chunk in reply.chunks]
        return reply

    provider.answers["/chat/completions"] = answered


def log() -> None:
    """It logs what was said; an app makes its logs telemetry."""
    from opentelemetry.instrumentation.logging.handler import LoggingHandler

    logger = logging.getLogger("semantic_kernel")
    logger.setLevel(logging.INFO)
    logger.addHandler(LoggingHandler())
    logging.getLogger("semantic_kernel.functions").setLevel(logging.WARNING)
    logging.getLogger("semantic_kernel.connectors").setLevel(logging.WARNING)


if __name__ == "__main__":
    main("quiet" in sys.argv)
