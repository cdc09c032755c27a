"""pip install logfire==4.0.0 "openai<2" "anthropic<0.60"

Logfire before it told of usage in the conventions' words.
"""

from __future__ import annotations

import anthropic
import logfire
import openai

from tests.collector.corpus.make import asking
from tests.collector.corpus.make.capture import Corpus


def main() -> None:
    with Corpus("logfire", "logfire", "openai", "anthropic", providers=False, flush=logfire.force_flush) as corpus:
        logfire.configure(send_to_logfire=False, console=False, service_name="shop", service_version="1.2")
        provider = corpus.loopback
        logfire.instrument_openai(openai.OpenAI)
        logfire.instrument_anthropic(anthropic.Anthropic)
        with corpus.case("openai", "OpenAI, whole."):
            asking.openai_chat(provider)
        with corpus.case("openai-stream", "OpenAI, streamed."):
            asking.openai_stream(provider)
        with corpus.case("openai-embeddings", "Embeddings."):
            asking.openai_embeddings(provider)
        with corpus.case("anthropic", "Anthropic, whole."):
            asking.anthropic_chat(provider)
        with corpus.case("anthropic-stream", "Anthropic, streamed."):
            asking.anthropic_stream(provider)


if __name__ == "__main__":
    main()
