"""pip install "langsmith[otel]==0.14.17" langchain-openai==1.7.3 langchain-anthropic==1.7.7 langchain openai==3.52.0
anthropic==2.11.0

LangSmith's runs as spans, of LangChain and of the SDKs that it wraps, as it sends them to an OTLP endpoint.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from tests.collector.corpus.make import asking
from tests.collector.corpus.make.capture import Answer, Asked, Corpus, Loopback, Reply

os.environ |= {
    "LANGSMITH_TRACING": "true",
    "LANGSMITH_TRACING_MODE": "otel",
    "LANGSMITH_API_KEY": "k",
    "LANGSMITH_PROJECT": "shop",
    "LANGCHAIN_REVISION_ID": "r1",
    "ANTHROPIC_OPEN_TELEMETRY": "false",
}


def main() -> None:
    about = ("langchain-core", "langchain-openai", "langchain-anthropic", "openai", "anthropic")
    with Corpus("langsmith", "langsmith", *about) as corpus:
        provider, send = corpus.loopback, corpus.flush
        provider.answers["/messages"] = _as_anthropic_now(provider.answers["/messages"])
        corpus.flush = lambda: (_wait(), send())
        langchain(corpus, provider)
        wrapped(corpus, provider)


def _as_anthropic_now(answer: Answer) -> Answer:
    """Its streams end with all of the usage, and LangChain looks nowhere else."""

    def answered(asked: Asked) -> Reply:
        reply = answer(asked)
        whole = b'"usage":{"input_tokens":20,"cache_read_input_tokens":1000,"cache_creation_input_tokens":50,'
        ended = b'"usage":{"output_tokens":30'
        reply.chunks = [chunk.replace(ended, whole + ended[9:]) for chunk in reply.chunks]
        return reply

    return answered


def _wait() -> None:
    from langsmith.run_trees import get_cached_client

    get_cached_client().flush()


def langchain(corpus: Corpus, provider: Loopback) -> None:
    from langchain_anthropic import ChatAnthropic
    from openai import RateLimitError

    claude: Any = ChatAnthropic(model="claude-sonnet-4-5", base_url=provider.url, api_key="k", max_retries=0)
    of_a_user = {"metadata": {"session_id": "s-1", "user_id": "u-1", "feature": "search"}, "tags": ["beta"]}
    with corpus.case("langchain", "LangChain with OpenAI, whole, with metadata and a tag."):
        asking.langchain(provider).invoke("How much?", config=of_a_user)
    with corpus.case("langchain-stream", "LangChain with OpenAI, streamed."):
        list(asking.langchain(provider, stream_usage=True).stream("How much?"))
    with corpus.case("langchain-responses", "LangChain with OpenAI's Responses API."):
        asking.langchain(provider, use_responses_api=True).invoke("How much?")
    with corpus.case("langchain-anthropic", "LangChain with Anthropic: counted as OpenAI counts."):
        claude.invoke("How much?")
    with corpus.case("langchain-anthropic-stream", "LangChain with Anthropic, streamed."):
        list(claude.stream("How much?"))
    with corpus.case("langchain-chain", "Two calls in a chain."):
        asking.langchain_chain(provider)
    with corpus.case("langgraph-agent", "An agent with a tool."):
        asking.langgraph_agent(provider)
    with corpus.case("langchain-error", "The provider had enough."):
        from langchain_openai import ChatOpenAI

        url = f"{provider.url}/v1"
        wrong: Any = ChatOpenAI(model="gpt-4o-mini?status=429", base_url=url, api_key="k", max_retries=0)
        with suppress(RateLimitError):
            wrong.invoke("How much?")


def wrapped(corpus: Corpus, provider: Loopback) -> None:
    import anthropic
    import langsmith
    from langsmith.wrappers import wrap_anthropic, wrap_openai
    from openai import RateLimitError

    openai = wrap_openai(asking.openai_client(provider))
    asked: dict[str, Any] = {"model": "gpt-4o-mini", "messages": asking.QUESTION}
    with corpus.case("wrap-openai", "OpenAI's SDK, wrapped."):
        openai.chat.completions.create(**asked)
    with corpus.case("wrap-openai-stream", "OpenAI's SDK, wrapped, streamed."):
        list(openai.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    with corpus.case("wrap-openai-responses", "OpenAI's SDK, wrapped, the Responses API."):
        openai.responses.create(model="gpt-4.1", input="How much?")
    with corpus.case("wrap-openai-traceable", "OpenAI's SDK, wrapped, in a function of the app's own."):
        langsmith.traceable(name="answer")(lambda: openai.chat.completions.create(**asked).id)()
    with corpus.case("wrap-openai-error", "The provider had enough."):
        with suppress(RateLimitError):
            openai.chat.completions.create(**{**asked, "model": "gpt-4o-mini?status=429"})
    claude = wrap_anthropic(anthropic.Anthropic(api_key="k", base_url=provider.url, max_retries=0))
    question: dict[str, Any] = {"model": "claude-sonnet-4-5", "max_tokens": 64, "messages": asking.QUESTION}
    with corpus.case("wrap-anthropic", "Anthropic's SDK, wrapped."):
        claude.messages.create(**question)


if __name__ == "__main__":
    main()
