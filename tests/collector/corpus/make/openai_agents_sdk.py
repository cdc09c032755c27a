"""pip install openai-agents==0.24.0 opentelemetry-instrumentation-genai-openai-agents==1.3b0
openinference-instrumentation-openai-agents==2.6.0 openai==3.52.0

OpenAI's agents, as OpenTelemetry's instrumentation tells of them, or as OpenInference's with the argument
`openinference`; with `two_layers` and opentelemetry-instrumentation-genai-openai==1.3b0, OpenAI's SDK below them too.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from typing import Any

from tests.collector.corpus.make.capture import Corpus, Loopback


def agent(provider: Loopback, api: str, *, fails: bool = False) -> Any:
    """An agent that asks the model, calls a tool, and asks the model again."""
    import openai
    from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, function_tool

    @function_tool
    def weather(city: str) -> str:
        """Tells it."""
        return f"rain in {city}"

    client = openai.AsyncOpenAI(api_key="k", base_url=f"{provider.url}/v1", max_retries=0)
    of_responses = "gpt-4.1?status=429" if fails else "gpt-4.1"
    model: Any = (
        OpenAIResponsesModel(of_responses, openai_client=client)
        if api == "responses"
        else OpenAIChatCompletionsModel("gpt-4o-mini", openai_client=client)
    )
    return Agent(name="forecaster", instructions="Be short.", tools=[weather], model=model)


def run(agent: Any) -> None:
    from agents import RunConfig, Runner

    config = RunConfig(workflow_name="forecast", group_id="t-1")
    asyncio.run(Runner.run(agent, "How is it?", run_config=config))


async def stream(agent: Any) -> None:
    from agents import Runner

    answer = Runner.run_streamed(agent, "How is it?")
    async for _ in answer.stream_events():
        pass


def cases(corpus: Corpus) -> None:
    provider = corpus.loopback
    with corpus.case("responses", "An agent over the Responses API."):
        run(agent(provider, "responses"))
    with corpus.case("chat", "An agent with a tool over chat completions."):
        run(agent(provider, "chat"))
    with corpus.case("stream", "An agent, streamed."):
        asyncio.run(stream(agent(provider, "responses")))
    with corpus.case("error", "The provider had enough."), suppress(Exception):
        run(agent(provider, "responses", fails=True))


def main(which: str) -> None:
    os.environ["OPENAI_API_KEY"] = "k"
    from agents import set_trace_processors

    set_trace_processors([])
    if which == "openinference":
        from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor

        with Corpus(
            "openinference", "openinference-instrumentation-openai-agents", "openai-agents", "openai"
        ) as corpus:
            OpenAIAgentsInstrumentor().instrument()
            cases(corpus)
        return
    os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_ONLY"
    from opentelemetry.instrumentation.genai.openai_agents import OpenAIAgentsInstrumentor as Official

    library = "opentelemetry-instrumentation-genai-openai-agents"
    with Corpus("conventions", library, "openai-agents", "openai") as corpus:
        Official().instrument()
        if which == "two_layers":
            from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

            OpenAIInstrumentor().instrument()
            with corpus.case("two-layers", "OpenAI's agents, and its SDK below."):
                run(agent(corpus.loopback, "responses"))
            return
        with corpus.case("chat", "An agent with a tool; its calls are for others to tell."):
            run(agent(corpus.loopback, "chat"))


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else "")
