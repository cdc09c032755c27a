"""pip install openlit==1.45.0 openai anthropic, or openlit==1.34.43 opentelemetry-sdk==1.36.0 "openai<2" "anthropic<1"

Say which: python -m ... openai|anthropic; with the older one also `twice`: where the app has a provider already, it
adds its exporter to that, and all is sent twice.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from tests.collector.corpus.make import asking
from tests.collector.corpus.make.capture import Corpus

PRICES = {  # as in OpenLIT's own file, of which this is an excerpt: dollars for 1,000 tokens
    "chat": {
        "gpt-4o-mini": {"promptPrice": 0.00015, "completionPrice": 0.0006},
        "claude-sonnet-4-5": {"promptPrice": 0.003, "completionPrice": 0.015},
    },
    "embeddings": {"text-embedding-3-small": 0.00002},
}


def main(which: str) -> None:
    os.environ["ANTHROPIC_OPEN_TELEMETRY"] = "false"
    sdk = "anthropic" if which == "anthropic" else "openai"
    old = version("openlit").startswith("1.34")
    with (
        Corpus("openlit", "openlit", sdk, providers=not old or which == "twice", flush=_flush) as corpus,
        tempfile.TemporaryDirectory() as f,
    ):
        prices = Path(f, "prices.json")
        prices.write_text(json.dumps(PRICES))
        import openlit

        openlit.init(application_name="shop", environment="test", pricing_json=str(prices))
        provider = corpus.loopback
        if which == "twice":
            with corpus.case("sent-twice", "One call, whose span is sent by two exporters."):
                asking.openai_chat(provider)
            return
        if which == "openai":
            with corpus.case("metrics", "A call's metrics.", signals=("metrics",)):
                asking.openai_chat(provider)
            with corpus.case("openai", "A call, whole."):
                asking.openai_chat(provider, user="u-1")
            with corpus.case("openai-stream", "A streamed call."):
                asking.openai_stream(provider)
            with corpus.case("openai-tool", "The model calls a tool."):
                asking.openai_tool(provider)
            with corpus.case("openai-error", "The provider had enough."):
                asking.openai_error(provider)
            with corpus.case("openai-responses", "The Responses API."):
                asking.openai_responses(provider)
            with corpus.case("openai-embeddings", "Embeddings."):
                asking.openai_embeddings(provider)
            return
        with corpus.case("anthropic", "Tokens read from and written to a cache."):
            asking.anthropic_chat(provider)
        with corpus.case("anthropic-stream", "A streamed call."):
            asking.anthropic_stream(provider)
        with corpus.case("anthropic-error", "The provider had enough."):
            asking.anthropic_error(provider)


def _flush() -> None:
    from opentelemetry import metrics, trace

    for provider in (trace.get_tracer_provider(), metrics.get_meter_provider()):
        getattr(provider, "force_flush", bool)()


if __name__ == "__main__":
    main(*sys.argv[1:])
