"""pip install agent-framework-core==1.23.0 agent-framework-openai==1.17.0 agent-framework-anthropic openai==3.52.0
anthropic==1.17.0

Microsoft's Agent Framework: with the argument `baseline`, in the conventions' version 1.36 instead of the latest.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from typing import Any

from tests.collector.corpus.make.capture import Corpus, Loopback


def openai(provider: Loopback, model: str = "gpt-4o-mini") -> Any:
    from agent_framework_openai import OpenAIChatCompletionClient
    from openai import AsyncOpenAI

    client = AsyncOpenAI(api_key="k", base_url=f"{provider.url}/v1", max_retries=0)
    return OpenAIChatCompletionClient(model, async_client=client)


def responses(provider: Loopback) -> Any:
    from agent_framework_openai import OpenAIChatClient
    from openai import AsyncOpenAI

    return OpenAIChatClient("gpt-4.1", async_client=AsyncOpenAI(api_key="k", base_url=f"{provider.url}/v1"))


def anthropic(provider: Loopback) -> Any:
    from agent_framework_anthropic import AnthropicClient
    from anthropic import AsyncAnthropic

    client = AsyncAnthropic(api_key="k", base_url=provider.url, max_retries=0)
    return AnthropicClient(model="claude-sonnet-4-5", anthropic_client=client)


def weather(city: str) -> str:
    """Tells it."""
    return f"rain in {city}"


def agent(client: Any, name: str = "forecaster", tools: Any = ()) -> Any:
    from agent_framework import Agent

    return Agent(client, "Be short.", name=name, tools=list(tools))


async def stream(client: Any) -> None:
    async for _ in agent(client).run("How much?", stream=True):
        pass


async def workflow(client: Any) -> None:
    from agent_framework import WorkflowBuilder

    writer, editor = agent(client, "writer"), agent(client, "editor")
    await WorkflowBuilder(start_executor=writer, name="article").add_edge(writer, editor).build().run("How much?")


async def embed(provider: Loopback) -> None:
    from agent_framework_openai import OpenAIEmbeddingClient
    from openai import AsyncOpenAI

    client = AsyncOpenAI(api_key="k", base_url=f"{provider.url}/v1", max_retries=0)
    await OpenAIEmbeddingClient(model="text-embedding-3-small", async_client=client).get_embeddings(["How much?"])


def main(baseline: bool) -> None:
    os.environ |= {"ENABLE_SENSITIVE_DATA": "true", "ANTHROPIC_OPEN_TELEMETRY": "false"}
    if baseline:
        os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "none"
    of = "baseline-" if baseline else ""
    about = ("agent-framework-openai", "agent-framework-anthropic", "openai", "anthropic")
    with Corpus("agent_framework", "agent-framework-core", *about) as corpus:
        provider = corpus.loopback
        with corpus.case(f"{of}agent", "An agent with a tool."):
            asyncio.run(agent(openai(provider), tools=[weather]).run("How is it?"))
        if baseline:
            return
        with corpus.case("stream", "An agent, streamed."):
            asyncio.run(stream(openai(provider)))
        with corpus.case("chat", "A call without an agent."):
            asyncio.run(openai(provider).get_response("How much?"))
        with corpus.case("responses", "The Responses API."):
            asyncio.run(agent(responses(provider)).run("How much?"))
        with corpus.case("anthropic", "Anthropic."):
            asyncio.run(agent(anthropic(provider)).run("How much?"))
        with corpus.case("workflow", "Two agents in a workflow."):
            asyncio.run(workflow(openai(provider)))
        with corpus.case("embeddings", "Embeddings."):
            asyncio.run(embed(provider))
        with corpus.case("error", "The provider had enough."), suppress(Exception):
            asyncio.run(agent(openai(provider, "gpt-4o-mini?status=429")).run("How much?"))
        with corpus.case("metrics", "What is counted beside.", signals=("metrics",)):
            asyncio.run(agent(openai(provider)).run("How is it?"))


if __name__ == "__main__":
    main("baseline" in sys.argv)
