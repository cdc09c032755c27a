"""pip install openinference-instrumentation-{openai==0.1.66,anthropic==3.1.0,google-genai==1.4.14,langchain==0.1.80}
openai==3.52.0 anthropic==2.11.0 google-genai==3.4.0 langchain==1.4.7 langchain-openai==1.7.3

or openinference-instrumentation-{openai==0.1.30,anthropic==0.1.18} "openai<2" "anthropic<0.60" "wrapt<2", of which only
some cases are kept. Say which: python -m ... openai|anthropic|google_genai|langchain.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import version

from tests.collector.corpus.make import asking
from tests.collector.corpus.make.capture import Corpus


def openai() -> None:
    from openinference.instrumentation import using_attributes
    from openinference.instrumentation.openai import OpenAIInstrumentor

    with Corpus("openinference", "openinference-instrumentation-openai", "openai") as corpus:
        OpenAIInstrumentor().instrument()
        provider = corpus.loopback
        with corpus.case("plain", "A call, whole, with session, user, metadata and tags."):
            with using_attributes(session_id="s-1", user_id="u-1", metadata={"feature": "search"}, tags=["beta"]):
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
    from openinference.instrumentation.anthropic import AnthropicInstrumentor

    with Corpus("openinference", "openinference-instrumentation-anthropic", "anthropic") as corpus:
        AnthropicInstrumentor().instrument()
        provider = corpus.loopback
        if version("anthropic").startswith("2."):
            with corpus.case("two-spans", "The SDK tells of the call as well, in a span below."):
                asking.anthropic_chat(provider)
            with corpus.case("two-spans-stream", "The SDK tells of a streamed call as well."):
                asking.anthropic_stream(provider)
        os.environ["ANTHROPIC_OPEN_TELEMETRY"] = "false"
        with corpus.case("plain", "A call, whole, with tokens read from and written to the cache."):
            asking.anthropic_chat(provider)
        with corpus.case("stream", "A streamed call."):
            asking.anthropic_stream(provider)
        with corpus.case("tool", "The model calls a tool."):
            asking.anthropic_tool(provider)
        with corpus.case("error", "The provider had enough."):
            asking.anthropic_error(provider)


def google_genai() -> None:
    from openinference.instrumentation.google_genai import GoogleGenAIInstrumentor

    with Corpus("openinference", "openinference-instrumentation-google-genai", "google-genai") as corpus:
        GoogleGenAIInstrumentor().instrument()
        provider = corpus.loopback
        with corpus.case("plain", "A call, whole, with thoughts."):
            asking.gemini(provider)
        with corpus.case("stream", "A streamed call."):
            asking.gemini(provider, stream=True)
        with corpus.case("error", "The provider is overloaded."):
            asking.gemini(provider, fails=True)


def langchain() -> None:
    from openinference.instrumentation.langchain import LangChainInstrumentor

    about = ("langchain-core", "langchain-openai", "openai")
    with Corpus("openinference", "openinference-instrumentation-langchain", *about) as corpus:
        LangChainInstrumentor().instrument()
        provider = corpus.loopback
        with corpus.case("chain", "Two calls in a chain."):
            asking.langchain_chain(provider)
        with corpus.case("agent", "An agent with a tool."):
            asking.langgraph_agent(provider)
        from openinference.instrumentation.openai import OpenAIInstrumentor

        OpenAIInstrumentor().instrument()
        with corpus.case("two-layers", "LangChain and the OpenAI SDK below it both tell of one call."):
            asking.langchain(provider).invoke("How much?")


if __name__ == "__main__":
    for name in sys.argv[1:] or ("openai", "anthropic", "google_genai", "langchain"):
        globals()[name]()
