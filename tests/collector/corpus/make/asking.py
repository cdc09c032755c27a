"""What the models are asked, the same for every library. Each question is a function of the loopback provider.

The answers have all that matters for a bill: of OpenAI 120 tokens in, 100 of them cached, and 30 out, 12 of them
reasoning; of Anthropic 20 in, 1,000 from the cache, 50 into it for five minutes, and 30 out; of Gemini 40 in, 32 of
them cached, 10 out and 25 of thoughts beside them.
"""

from __future__ import annotations

from typing import Any

from tests.collector.corpus.make.capture import Loopback

QUESTION: list[Any] = [{"role": "user", "content": "How much?"}]
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}}
OPENAI_TOOL: Any = {"type": "function", "function": {"name": "weather", "parameters": WEATHER}}
ANTHROPIC_TOOL: Any = {"name": "weather", "description": "Tells it.", "input_schema": WEATHER}


def openai_client(loopback: Loopback) -> Any:
    import openai

    return openai.OpenAI(api_key="k", base_url=f"{loopback.url}/v1", max_retries=0)


def openai_chat(loopback: Loopback, **more: Any) -> None:
    asked = {"model": "gpt-4o-mini", "messages": QUESTION, **more}
    answer = openai_client(loopback).chat.completions.create(**asked)
    list(answer) if more.get("stream") else None


def openai_stream(loopback: Loopback) -> None:
    openai_chat(loopback, stream=True, stream_options={"include_usage": True})


def openai_stream_without_usage(loopback: Loopback) -> None:
    openai_chat(loopback, stream=True)


def openai_error(loopback: Loopback) -> None:
    import openai

    try:
        openai_chat(loopback, model="gpt-4o-mini?status=429")
    except openai.RateLimitError:
        return


def openai_tool(loopback: Loopback) -> None:
    openai_chat(loopback, tools=[OPENAI_TOOL])


def openai_responses(loopback: Loopback) -> None:
    openai_client(loopback).responses.create(model="gpt-4.1", input="How much?")


def openai_embeddings(loopback: Loopback) -> None:
    openai_client(loopback).embeddings.create(model="text-embedding-3-small", input="How much?")


def anthropic_chat(loopback: Loopback, **more: Any) -> None:
    import anthropic

    client = anthropic.Anthropic(api_key="k", base_url=loopback.url, max_retries=0)
    asked: dict[str, Any] = {"model": "claude-sonnet-4-5", "max_tokens": 64, "messages": QUESTION, **more}
    answer = client.messages.create(**asked)
    list(answer) if more.get("stream") else None


def anthropic_stream(loopback: Loopback) -> None:
    anthropic_chat(loopback, stream=True)


def anthropic_error(loopback: Loopback) -> None:
    import anthropic

    try:
        anthropic_chat(loopback, model="claude-sonnet-4-5?status=429")
    except anthropic.RateLimitError:
        return


def anthropic_tool(loopback: Loopback) -> None:
    anthropic_chat(loopback, tools=[ANTHROPIC_TOOL])


def gemini(loopback: Loopback, *, stream: bool = False, fails: bool = False) -> None:
    from google import genai
    from google.genai import errors, types

    options = types.HttpOptions(base_url=loopback.url, retry_options=types.HttpRetryOptions(attempts=1))
    client, asked = genai.Client(api_key="k", http_options=options), {"model": "gemini-2.5-flash", "contents": "How?"}
    if fails:
        loopback.fail_first("gemini-2.5-flash", 1)
    try:
        if stream:
            list(client.models.generate_content_stream(**asked))
        else:
            client.models.generate_content(**asked)
    except errors.APIError:
        assert fails


def langchain(loopback: Loopback, **more: Any) -> Any:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model="gpt-4o-mini", base_url=f"{loopback.url}/v1", api_key="k", max_retries=0, **more)


def langchain_chain(loopback: Loopback) -> None:
    """Two calls, one after the other, in a chain."""
    from langchain_core.output_parsers import StrOutputParser
    from langchain_core.prompts import ChatPromptTemplate

    first, second = ChatPromptTemplate.from_template("Say {what}"), ChatPromptTemplate.from_template("Shorten {text}")
    model = langchain(loopback)
    chain = first | model | StrOutputParser() | (lambda text: {"text": text}) | second | model
    chain.invoke({"what": "how much"}, config={"metadata": {"session_id": "s-1", "user_id": "u-1"}})


def langgraph_agent(loopback: Loopback) -> None:
    """An agent that calls the model, then a tool, then the model again."""
    from langchain_core.tools import tool

    @tool
    def weather(city: str) -> str:
        """Tells it."""
        return f"rain in {city}"

    asked = {"messages": [("user", "How is it?")]}
    try:
        from langchain.agents import create_agent

        agent: Any = create_agent(langchain(loopback), [weather], name="forecaster")
    except ImportError:
        from langgraph.prebuilt import create_react_agent

        agent = create_react_agent(langchain(loopback), [weather], name="forecaster")
    agent.invoke(asked, config={"configurable": {"thread_id": "t-1"}})
