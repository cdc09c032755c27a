"""One rival instrumentation and the meter in one process, in a given order, and the inference spans that come of it.

    python -m tests.instrumentation.rivals_at_work RIVAL CALL rival|taximeter MODE...

A process for each, because most instrumentations can be set up only once. Prints a JSON object: for each mode the
inference spans, each as its name and attributes. `test_adoption` reads it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

from taximeter_cli.loopback import Loopback

QUESTION: list[Any] = [{"role": "user", "content": "How much?"}]
MODES = ("sync", "async", "stream", "async stream")


_loop = asyncio.new_event_loop()  # one for all, because some SDKs keep their connections for the next call


def run(work: Any) -> None:
    _loop.run_until_complete(work)


async def _consume(stream: Any) -> None:
    async for _ in stream:
        pass


# ---------------------------------------------------------------------------------------------------------------------
# Ways to call a model


def call_openai(loopback: Loopback, mode: str) -> None:
    import openai

    asked: dict[str, Any] = {"model": "gpt-4o-mini", "messages": QUESTION}
    if "stream" in mode:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    if "async" not in mode:
        answer = openai.OpenAI(api_key="k", base_url=f"{loopback.url}/v1").chat.completions.create(**asked)
        list(answer) if mode == "stream" else None
        return

    async def ask() -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=f"{loopback.url}/v1") as client:
            answer = await client.chat.completions.create(**asked)
            if "stream" in mode:
                await _consume(answer)

    run(ask())


def call_openai_responses(loopback: Loopback, mode: str) -> None:
    import openai

    asked: dict[str, Any] = {"model": f"gpt-4.1?id=resp_{mode}", "input": "How much?", "stream": "stream" in mode}
    if "async" not in mode:
        answer = openai.OpenAI(api_key="k", base_url=f"{loopback.url}/v1").responses.create(**asked)
        list(answer) if mode == "stream" else None
        return

    async def ask() -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=f"{loopback.url}/v1") as client:
            answer = await client.responses.create(**asked)
            if "stream" in mode:
                await _consume(answer)

    run(ask())


def call_openai_embeddings(loopback: Loopback, mode: str) -> None:
    import openai

    openai.OpenAI(api_key="k", base_url=f"{loopback.url}/v1").embeddings.create(model="text-embedding-3", input="x")


def call_anthropic(loopback: Loopback, mode: str) -> None:
    import anthropic

    asked: dict[str, Any] = {"model": "claude-opus-4-7", "max_tokens": 9, "messages": QUESTION}
    if "stream" in mode:
        asked["stream"] = True
    if "async" not in mode:
        answer = anthropic.Anthropic(api_key="k", base_url=loopback.url).messages.create(**asked)
        list(answer) if mode == "stream" else None
        return

    async def ask() -> None:
        async with anthropic.AsyncAnthropic(api_key="k", base_url=loopback.url) as client:
            answer = await client.messages.create(**asked)
            if "stream" in mode:
                await _consume(answer)

    run(ask())


def call_anthropic_stream_helper(loopback: Loopback, mode: str) -> None:
    import anthropic

    client = anthropic.Anthropic(api_key="k", base_url=loopback.url)
    with client.messages.stream(model="claude-opus-4-7", max_tokens=9, messages=QUESTION) as stream:
        assert stream.get_final_text() == "The meter is running."


def call_mistral(loopback: Loopback, mode: str) -> None:
    from mistralai.client import Mistral

    asked: dict[str, Any] = {"model": "mistral-large", "messages": QUESTION}

    async def ask() -> None:
        async with Mistral(api_key="k", server_url=loopback.url) as client:
            if "stream" in mode:
                await _consume(await client.chat.stream_async(**asked))
            else:
                await client.chat.complete_async(**asked)

    if "async" in mode:
        run(ask())
        return
    with Mistral(api_key="k", server_url=loopback.url) as client:
        if mode == "stream":
            with client.chat.stream(**asked) as events:
                list(events)
        else:
            client.chat.complete(**asked)


def call_pydantic_ai(loopback: Loopback, mode: str) -> None:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    provider = OpenAIProvider(base_url=f"{loopback.url}/v1", api_key="k")
    agent = Agent(OpenAIChatModel("gpt-4o-mini", provider=provider))

    async def stream() -> None:
        async with agent.run_stream("How much?") as answer:
            async for _ in answer.stream_text(debounce_by=None):
                pass

    if "stream" in mode:
        run(stream())
    elif "async" in mode:
        run(agent.run("How much?"))  # type: ignore[arg-type]
    else:
        agent.run_sync("How much?")


def call_langchain(loopback: Loopback, mode: str) -> None:
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model="gpt-4o-mini", base_url=f"{loopback.url}/v1", api_key="k", stream_usage=True)  # type: ignore[arg-type]

    async def ask() -> None:
        if "stream" in mode:
            await _consume(model.astream("How much?"))
        else:
            await model.ainvoke("How much?")

    if "async" in mode:
        run(ask())
    elif mode == "stream":
        list(model.stream("How much?"))
    else:
        model.invoke("How much?")


def call_llama_index(loopback: Loopback, mode: str) -> None:
    from llama_index.core.llms import ChatMessage
    from llama_index.llms.openai import OpenAI

    options = {"stream_options": {"include_usage": True}} if "stream" in mode else {}
    model = OpenAI(
        model="gpt-4o-mini", api_base=f"{loopback.url}/v1", api_key="k", max_retries=0, additional_kwargs=options
    )
    asked = [ChatMessage(role="user", content="How much?")]

    async def ask() -> None:
        if "stream" in mode:
            await _consume(await model.astream_chat(asked))
        else:
            await model.achat(asked)

    if "async" in mode:
        run(ask())
    elif mode == "stream":
        list(model.stream_chat(asked))
    else:
        model.chat(asked)


def call_litellm(loopback: Loopback, mode: str) -> None:
    import litellm

    asked: dict[str, Any] = {
        "model": "openai/gpt-4o-mini",
        "messages": QUESTION,
        "api_base": f"{loopback.url}/v1",
        "api_key": "k",
    }
    if "stream" in mode:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    if "async" not in mode:
        answer = litellm.completion(**asked)
        list(answer) if mode == "stream" else None
        return

    async def ask() -> None:
        answer = await litellm.acompletion(**asked)
        if "stream" in mode:
            await _consume(answer)
        await asyncio.sleep(0.3)  # its callbacks run after the call

    run(ask())


# ---------------------------------------------------------------------------------------------------------------------
# Those who make a span for it


def official_openai() -> None:
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()


def official_anthropic() -> None:
    from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor

    AnthropicInstrumentor().instrument()


def openinference_openai() -> None:
    from openinference.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()


def openinference_anthropic() -> None:
    from openinference.instrumentation.anthropic import AnthropicInstrumentor

    AnthropicInstrumentor().instrument()


def openinference_langchain() -> None:
    from openinference.instrumentation.langchain import LangChainInstrumentor

    LangChainInstrumentor().instrument()


def openllmetry_openai() -> None:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()


def openllmetry_anthropic() -> None:
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor

    AnthropicInstrumentor().instrument()


def openllmetry_langchain() -> None:
    from opentelemetry.instrumentation.langchain import LangchainInstrumentor

    LangchainInstrumentor().instrument()


def openinference_llama_index() -> None:
    from openinference.instrumentation.llama_index import LlamaIndexInstrumentor

    LlamaIndexInstrumentor().instrument()


def openllmetry_llama_index() -> None:
    from opentelemetry.instrumentation.llamaindex import LlamaIndexInstrumentor

    LlamaIndexInstrumentor().instrument()


def pydantic_ai() -> None:
    from pydantic_ai import Agent

    Agent.instrument_all()


def native() -> None:
    """An SDK that makes spans of its own as soon as there is a provider."""


def mistral_native() -> None:
    os.environ["MISTRAL_SDK_TELEMETRY"] = "global"


def litellm_callback() -> None:
    import litellm
    from litellm.integrations.opentelemetry import OpenTelemetry, OpenTelemetryConfig
    from opentelemetry import trace

    provider = trace.get_tracer_provider()
    litellm.callbacks = [OpenTelemetry(OpenTelemetryConfig(exporter="console"), tracer_provider=provider)]


def main(rival: str, call: str, first: str, modes: list[str]) -> dict[str, Any]:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)

    import taximeter
    from taximeter import faults
    from taximeter.adopt import is_inference

    steps = [globals()[rival], taximeter.instrument]
    for step in steps if first == "rival" else reversed(steps):
        step()
    found: dict[str, Any] = {}
    with Loopback() as loopback:
        for mode in modes:
            exporter.clear()
            globals()[call](loopback, mode)
            if "litellm" in rival:
                time.sleep(0.5)  # its callbacks run after the call, in a thread
            spans = [span for span in exporter.get_finished_spans() if is_inference(span)]
            found[mode] = [[span.name, dict(span.attributes or {})] for span in spans]
    found["faults"] = faults.counts()
    return found


if __name__ == "__main__":
    print("RESULT " + json.dumps(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]), default=str))
