"""pip install opentelemetry-instrumentation-{openai,anthropic,langchain}==0.62.4 langchain==1.4.7
langchain-openai==1.7.3 openai==3.52.0 anthropic==2.11.0; or all three ==0.40.14 and "openai<2" "anthropic<1"
"langchain<1" "langchain-openai<1" "wrapt<2"

Say which: python -m ... openai|anthropic|langchain.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import version

from tests.collector.corpus.make import asking
from tests.collector.corpus.make.capture import Corpus


def openai() -> None:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    with Corpus("openllmetry", "opentelemetry-instrumentation-openai", "openai") as corpus:
        OpenAIInstrumentor().instrument()
        provider = corpus.loopback
        with corpus.case("metrics", "A call's metrics.", signals=("metrics",)):
            asking.openai_chat(provider)
        with corpus.case("plain", "A call, whole."):
            asking.openai_chat(provider)
        with corpus.case("stream", "A streamed call."):
            asking.openai_stream(provider)
        with corpus.case("tool", "The model calls a tool."):
            asking.openai_tool(provider)
        with corpus.case("error", "The provider had enough."):
            asking.openai_error(provider)
        with corpus.case("responses", "The Responses API."):
            asking.openai_responses(provider)
        with corpus.case("embeddings", "Embeddings."):
            asking.openai_embeddings(provider)


def anthropic() -> None:
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor

    with Corpus("openllmetry", "opentelemetry-instrumentation-anthropic", "anthropic") as corpus:
        AnthropicInstrumentor().instrument()
        provider = corpus.loopback
        if version("anthropic").startswith("2."):
            with corpus.case("two-spans", "The SDK tells of the call as well, in a span below."):
                asking.anthropic_chat(provider)
            with corpus.case("two-spans-stream", "The SDK tells of a streamed call as well."):
                asking.anthropic_stream(provider)
        os.environ["ANTHROPIC_OPEN_TELEMETRY"] = "false"
        with corpus.case("metrics", "A call's metrics.", signals=("metrics",)):
            asking.anthropic_chat(provider)
        with corpus.case("plain", "A call, whole, with tokens read from and written to the cache."):
            asking.anthropic_chat(provider)
        with corpus.case("stream", "A streamed call."):
            asking.anthropic_stream(provider)
        with corpus.case("tool", "The model calls a tool."):
            asking.anthropic_tool(provider)
        with corpus.case("error", "The provider had enough."):
            asking.anthropic_error(provider)


def langchain() -> None:
    from opentelemetry.instrumentation.langchain import LangchainInstrumentor

    about = ("langchain-core", "langchain-openai", "openai")
    with Corpus("openllmetry", "opentelemetry-instrumentation-langchain", *about) as corpus:
        LangchainInstrumentor().instrument()
        provider = corpus.loopback
        with corpus.case("chain", "Two calls in a chain."):
            asking.langchain_chain(provider)
        os.environ["TRACELOOP_TRACE_CONTENT"] = "false"
        with corpus.case("agent", "An agent with a tool; without content."):
            asking.langgraph_agent(provider)
        os.environ["TRACELOOP_TRACE_CONTENT"] = "true"
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor

        OpenAIInstrumentor().instrument()
        with corpus.case("two-layers", "LangChain's and the SDK's instrumentation at once."):
            asking.langchain(provider).invoke("How much?")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        globals()[name]()
