"""pip install litellm==1.109.1 fastapi soundfile (its cache imports its proxy) certifi (over its own pin, if need be)

LiteLLM's own callback. Say which of its pipelines: python -m ... v1|semconv|v2; or which of those that write for
others: phoenix|langfuse.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from tests.collector.corpus.make import asking
from tests.collector.corpus.make.capture import Corpus

SETTINGS: dict[str, dict[str, str]] = {
    "v1": {},
    "semconv": {"OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental"},
    "v2": {"LITELLM_OTEL_V2": "true"},
    "phoenix": {"OTEL_BSP_SCHEDULE_DELAY": "200", "PHOENIX_API_KEY": "k"},
    "langfuse": {"OTEL_BSP_SCHEDULE_DELAY": "200", "LANGFUSE_PUBLIC_KEY": "k", "LANGFUSE_SECRET_KEY": "k"},
}
FOR_OTHERS = {"phoenix": "arize_phoenix", "langfuse": "langfuse_otel"}


def main(pipeline: str) -> None:
    os.environ |= {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "ANTHROPIC_OPEN_TELEMETRY": "false",
        "LITELLM_OTEL_INTEGRATION_ENABLE_METRICS": "true",
        "LITELLM_OTEL_INTEGRATION_ENABLE_EVENTS": "true",
        **SETTINGS[pipeline],
    }
    own_providers = pipeline not in ("v1", "semconv")
    with Corpus("litellm", "litellm", "openai", providers=not own_providers, flush=_flush) as corpus:
        asyncio.run(ask_for(pipeline, corpus) if pipeline in FOR_OTHERS else ask(pipeline, corpus))


async def ask_for(other: str, corpus: Corpus) -> None:
    import litellm

    os.environ |= {"PHOENIX_COLLECTOR_HTTP_ENDPOINT": f"{corpus.sink.url}/v1/traces", "LANGFUSE_HOST": corpus.sink.url}
    litellm.callbacks = [FOR_OTHERS[other]]
    url = corpus.loopback.url
    anthropic = {"model": "anthropic/claude-sonnet-4-5", "messages": asking.QUESTION, "api_base": url, "api_key": "k"}
    with corpus.case(f"v1-{other}", f"What it writes for {other.title()}."):
        await litellm.acompletion(**anthropic)
        await asyncio.sleep(3)


async def ask(pipeline: str, corpus: Corpus) -> None:
    import litellm

    litellm.callbacks = ["otel"]
    url = corpus.loopback.url
    openai = {"model": "openai/gpt-4o-mini", "messages": asking.QUESTION, "api_base": f"{url}/v1", "api_key": "k"}
    anthropic = {"model": "anthropic/claude-sonnet-4-5", "messages": asking.QUESTION, "api_base": url, "api_key": "k"}

    async def completion(**asked: Any) -> None:
        answer = await litellm.acompletion(num_retries=0, max_retries=0, **asked)
        if asked.get("stream"):
            async for _ in answer:
                pass
        await asyncio.sleep(1)  # its callbacks run after the call

    with corpus.case(f"{pipeline}-metrics", "A call's metrics.", signals=("metrics",)):
        await completion(**openai)
    with corpus.case(f"{pipeline}-plain", "A call, whole, with a user, a session and tags."):
        await completion(**openai, user="u-1", metadata={"session_id": "s-1", "tags": ["beta"]})
    with corpus.case(f"{pipeline}-stream", "A streamed call."):
        await completion(**openai, stream=True, stream_options={"include_usage": True})
    with corpus.case(f"{pipeline}-anthropic", "Tokens read from and written to a cache."):
        await completion(**anthropic, tools=[asking.OPENAI_TOOL])
    with corpus.case(f"{pipeline}-error", "The provider had enough."):
        try:
            await completion(**{**openai, "model": "openai/gpt-4o-mini?status=429"})
        except litellm.RateLimitError:
            await asyncio.sleep(1)
    with corpus.case(f"{pipeline}-embeddings", "Embeddings."):
        asked = {"model": "openai/text-embedding-3-small", "input": ["How much?"]}
        await litellm.aembedding(**asked, api_base=f"{url}/v1", api_key="k")
        await asyncio.sleep(1)
    with corpus.case(f"{pipeline}-within", "A call inside a span of the app."):
        from opentelemetry import trace

        with trace.get_tracer("shop").start_as_current_span("take order"):
            await completion(**openai)
    litellm.cache = litellm.Cache(type="local")
    with corpus.case(f"{pipeline}-cache-hit", "LiteLLM answers the second call from its own cache, for nothing."):
        for _ in range(2):
            await completion(**openai, caching=True)


def _flush() -> None:
    """The newer pipeline has a provider of its own."""
    from litellm.litellm_core_utils.litellm_logging import _in_memory_loggers

    for logger in _in_memory_loggers:
        if hasattr(logger, "_tracer_provider"):
            logger._tracer_provider.force_flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
