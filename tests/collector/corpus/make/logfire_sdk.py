"""pip install logfire==5.2.0 genai-prices==0.2.3 openai==3.52.0 anthropic==2.11.0 openai-agents==0.24.0

Logfire's own spans of the SDKs of OpenAI and Anthropic, as it sends them to an OTLP endpoint of somebody else's, and
those of OpenAI's agents. In each of the attribute formats that it can be asked for: 1, 2 (the default), and the latest.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import logfire

from tests.collector.corpus.make import asking
from tests.collector.corpus.make.capture import Corpus, Loopback


def main() -> None:
    os.environ["ANTHROPIC_OPEN_TELEMETRY"] = "false"
    os.environ["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"] = "delta"
    about = ("openai", "anthropic", "genai-prices")
    with Corpus("logfire", "logfire", *about, providers=False, flush=logfire.force_flush) as corpus:
        logfire.configure(
            send_to_logfire=False, console=False, service_name="shop", service_version="1.2", environment="test"
        )
        provider = corpus.loopback
        import anthropic
        import openai

        for version in (1, 2, "latest"):
            with logfire.instrument_openai(openai.OpenAI, version=version):
                with corpus.case(f"format-{version}-openai", f"OpenAI, whole, in format {version}."):
                    asking.openai_chat(provider)
                if version != "latest":
                    with corpus.case(f"format-{version}-openai-stream", f"OpenAI, streamed, in format {version}."):
                        asking.openai_stream(provider)
                    with corpus.case(f"format-{version}-openai-responses", f"Responses, in format {version}."):
                        asking.openai_responses(provider)
            with logfire.instrument_anthropic(anthropic.Anthropic, version=version):
                with corpus.case(f"format-{version}-anthropic", f"Anthropic, whole, in format {version}."):
                    asking.anthropic_chat(provider)
                if version != "latest":
                    with corpus.case(
                        f"format-{version}-anthropic-stream", f"Anthropic, streamed, in format {version}."
                    ):
                        asking.anthropic_stream(provider)
        with logfire.instrument_openai(openai.OpenAI):
            with corpus.case("openai-tool", "The model calls a tool."):
                asking.openai_tool(provider)
            with corpus.case("openai-error", "The provider had enough."):
                asking.openai_error(provider)
            with corpus.case("openai-embeddings", "Embeddings."):
                asking.openai_embeddings(provider)
            with corpus.case("openai-within", "A call within spans of the app's own.", signals=("traces", "metrics")):
                within(provider)
            with corpus.case("openai-images", "An image."):
                client = asking.openai_client(provider)
                client.images.generate(model="gpt-image-1", prompt="A meter.")
        with logfire.instrument_anthropic(anthropic.Anthropic):
            with corpus.case("anthropic-error", "The provider had enough."):
                asking.anthropic_error(provider)
        logfire.instrument_openai_agents()
        with corpus.case("openai-agents", "An agent of OpenAI's with a tool."):
            agents(provider, "responses")
        with corpus.case("openai-agents-chat", "The same over chat completions."):
            agents(provider, "chat")


def within(provider: Loopback) -> None:
    with logfire.span("answering {what}", what="a question", _tags=["beta"]) as span:
        asking.openai_chat(provider)
        span.set_attribute("user.id", "u-1")
        logfire.info("answered")


def agents(provider: Loopback, api: str) -> None:
    """An agent of OpenAI's that asks the model, calls a tool, and asks the model again."""
    import openai
    from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, RunConfig, Runner, function_tool

    @function_tool
    def weather(city: str) -> str:
        """Tells it."""
        return f"rain in {city}"

    client = openai.AsyncOpenAI(api_key="k", base_url=f"{provider.url}/v1", max_retries=0)
    model: Any = (
        OpenAIResponsesModel("gpt-4.1", openai_client=client)
        if api == "responses"
        else OpenAIChatCompletionsModel("gpt-4o-mini", openai_client=client)
    )
    agent = Agent(name="forecaster", instructions="Be short.", tools=[weather], model=model)
    config = RunConfig(workflow_name="forecast", group_id="t-1")
    asyncio.run(Runner.run(agent, "How is it?", run_config=config))


if __name__ == "__main__":
    main()
