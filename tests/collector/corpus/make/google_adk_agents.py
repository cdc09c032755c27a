"""pip install google-adk==2.13.0 google-genai==2.34.0 litellm openai mcp

Google's Agent Development Kit, in one of its formats a run: with the arguments `two` (the default), `two_content`,
`one`, `one_semconv`, and `litellm`. And google-adk==1.10.0 (with google-genai<2 and opentelemetry-sdk) with `older`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from typing import Any

from tests.collector.corpus.make.capture import Corpus, Loopback

FORMATS: dict[str, dict[str, str]] = {
    "two": {},
    "two_content": {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_AND_EVENT"},
    "one": {"ADK_TELEMETRY_SCHEMA_VERSION_OPT_IN": "1"},
    "one_semconv": {
        "ADK_TELEMETRY_SCHEMA_VERSION_OPT_IN": "1",
        "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "EVENT_ONLY",
    },
    "litellm": {},
}


def gemini(provider: Loopback) -> Any:
    from google.adk.models.google_llm import Gemini

    os.environ["GOOGLE_GEMINI_BASE_URL"] = provider.url
    return Gemini(model="gemini-2.5-flash")


def weather(city: str) -> dict[str, str]:
    """Tells it."""
    return {"weather": f"rain in {city}"}


def ask(model: Any, *, tools: Any = (), stream: bool = False) -> None:
    from google.adk.agents import LlmAgent
    from google.adk.agents.run_config import RunConfig, StreamingMode
    from google.adk.runners import InMemoryRunner
    from google.genai import types

    agent = LlmAgent(name="forecaster", model=model, instruction="Be short.", tools=list(tools))
    runner = InMemoryRunner(agent=agent, app_name="shop")
    config = RunConfig(streaming_mode=StreamingMode.SSE if stream else StreamingMode.NONE)

    async def run() -> None:
        await runner.session_service.create_session(app_name="shop", user_id="u-1", session_id="s-1")
        said = types.Content(role="user", parts=[types.Part(text="How is it?")])
        async for _ in runner.run_async(user_id="u-1", session_id="s-1", new_message=said, run_config=config):
            pass

    asyncio.run(run())


def main(form: str) -> None:
    os.environ |= {"GOOGLE_API_KEY": "k"} | FORMATS.get(form, {})
    case = f"schema-{form}".replace("_", "-").replace("schema-older", "gemini")
    with Corpus("google_adk", "google-adk", "google-genai") as corpus:
        provider = corpus.loopback
        if form == "litellm":
            with corpus.case("litellm-openai", "OpenAI through LiteLLM, with a tool."):
                ask(litellm("openai/gpt-4o-mini", f"{provider.url}/v1"), tools=[weather])
            with corpus.case("litellm-anthropic", "Anthropic through LiteLLM."):
                ask(litellm("anthropic/claude-sonnet-4-5", provider.url))
            return
        with corpus.case(case, "Gemini, whole, with thoughts."):
            ask(gemini(provider))
        if form in ("two", "one", "older"):
            with corpus.case(f"{case}-stream", "Gemini, streamed."):
                ask(gemini(provider), stream=True)
            with corpus.case(f"{case}-error", "The provider is overloaded."), suppress(Exception):
                provider.fail_first("gemini-2.5-flash", 9)
                ask(gemini(provider))
            provider.fail_first("gemini-2.5-flash", 0)
            with corpus.case(f"{case}-metrics", "What is counted beside.", signals=("metrics",)):
                ask(gemini(provider))


def litellm(model: str, url: str) -> Any:
    from google.adk.models.lite_llm import LiteLlm

    return LiteLlm(model=model, api_base=url, api_key="k")


if __name__ == "__main__":
    main(sys.argv[1])
