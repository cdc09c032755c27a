"""LiteLLM's own callback: its first pipeline, the same with the conventions switched on, and its second.

The first two tell of cached tokens only in a Python dictionary in print.
"""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.normalise.dialect import At, Dialect, Each, Measure
from taximeter_collector.normalise.dialects._texts import found
from taximeter_collector.normalise.view import View

__all__ = ["DIALECT"]

_USAGE = "metadata.usage_object"


def _counted(name: str) -> Each:
    return Each(_USAGE, found(rf"['\"]{name}['\"]: (\d+)"))


def _adjust(view: View) -> None:
    """What LiteLLM answers from its own cache costs nothing. The number that it gives a call is no answer's id.

    Its events have content, and nothing else that its spans do not have.
    """
    if view.signal == "log":
        view.set("operation", "")
        return
    view.never_billed("cache_hit", np.asarray(pc.equal(view.attribute("litellm.cache_hit"), "true").fill_null(False)))
    ours = pc.equal(view.texts("response_id"), view.attribute("litellm.call_id"))
    view.set("response_id", None, np.asarray(ours.fill_null(False)))


DIALECT = Dialect(
    name="litellm",
    scopes=["litellm", "litellm.*"],
    keys=["litellm.*"],  # of the first pipeline also in spans of the app or the proxy, if there is one around the call
    names=["litellm_request"],
    precedence=10,  # one of its mappers writes OpenInference's keys beside its own
    fields={
        "provider": ["gen_ai.provider.name", "gen_ai.system", Each("litellm.provider.model", found(r"^([^/]+)/"))],
        "operation": ["gen_ai.operation.name", "llm.request.type"],
        "user_id": ["metadata.user_api_key_end_user_id", "llm.user", "metadata.user_api_key_user_id"],
        "cache_read_tokens": ["gen_ai.usage.cache_read.input_tokens", _counted("cached_tokens")],
        "cache_write_tokens": ["gen_ai.usage.cache_creation.input_tokens", _counted("cache_creation_tokens")],
        "cache_write_5m_tokens": [_counted("ephemeral_5m_input_tokens")],
        "cache_write_1h_tokens": [_counted("ephemeral_1h_input_tokens")],
        "reasoning_tokens": [_counted("reasoning_tokens")],
        "reported_cost_usd": ["litellm.cost.total", "gen_ai.cost.total_cost", At("hidden_params", "response_cost")],
        "stream": ["litellm.request.streaming", "llm.is_streaming"],
    },
    operations={
        **dict.fromkeys(("completion", "acompletion", "responses", "aresponses", "anthropic_messages"), "chat"),
        "atext_completion": "text_completion",
        "aembedding": "embeddings",
        "arerank": "rerank",
        "amoderation": "moderation",
        "aimage_generation": "image_generation",
        "atranscription": "transcription",
        "aspeech": "speech",
        "aocr": "ocr",
    },
    by_name={"raw_gen_ai_request": ""},
    rank=5,
    # llm.PROVIDER.* is what was sent to a provider, and what came back.
    content={
        "llm.*": "other",
        **dict.fromkeys(("llm.request.type", "llm.user", "llm.is_streaming", "llm.usage.*"), ""),
        "llm.request.functions.*": "tools",
        "gen_ai.prompt.*": "input",
        "gen_ai.completion.*": "output",
        "gen_ai.tool.*": "tools",
        "gen_ai.tool.name": "",
        "message.content": "output",
    },
    measures={"gen_ai.usage.cost": Measure("cost_usd")},
    adjust=_adjust,
)
