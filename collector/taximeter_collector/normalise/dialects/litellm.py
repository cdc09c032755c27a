"""LiteLLM's own callback: its first pipeline, the same with the conventions switched on, and its second.

The first two tell of cached tokens only in a Python dictionary in print. For Phoenix and for Langfuse it writes some of
OpenInference's keys instead, and not all of them as OpenInference means them.
"""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.normalise.dialect import At, Dialect, Each, Measure
from taximeter_collector.normalise.dialects._texts import found
from taximeter_collector.normalise.view import View

__all__ = ["DIALECT"]

_USAGE = "metadata.usage_object"
_NO_CONTENT = (
    *("llm.model_name", "llm.provider", "llm.system", "llm.user", "llm.is_streaming", "llm.finish_reason"),
    *(
        "llm.request.type",
        "llm.response.*",
        "llm.usage.*",
        "llm.token_count.*",
        "llm.cost.*",
        "llm.invocation_parameters",
    ),
)


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
        "provider": [
            *("gen_ai.provider.name", "gen_ai.system", "llm.provider"),
            Each("litellm.provider.model", found(r"^([^/]+)/")),
        ],
        "operation": ["gen_ai.operation.name", "llm.request.type"],
        "request_model": ["gen_ai.request.model", "llm.model_name"],
        "response_model": ["gen_ai.response.model", "llm.response.model"],
        "response_id": ["gen_ai.response.id", "llm.response.id"],
        "user_id": ["metadata.user_api_key_end_user_id", "llm.user", "metadata.user_api_key_user_id"],
        "input_tokens": ["gen_ai.usage.input_tokens", "llm.token_count.prompt"],
        "output_tokens": ["gen_ai.usage.output_tokens", "llm.token_count.completion"],
        "cache_read_tokens": [
            *("gen_ai.usage.cache_read.input_tokens", "llm.token_count.prompt_details.cache_read"),
            _counted("cached_tokens"),
        ],
        "cache_write_tokens": [
            *("gen_ai.usage.cache_creation.input_tokens", "llm.token_count.prompt_details.cache_write"),
            _counted("cache_creation_tokens"),
        ],
        "cache_write_5m_tokens": [_counted("ephemeral_5m_input_tokens")],
        "cache_write_1h_tokens": [_counted("ephemeral_1h_input_tokens")],
        "reasoning_tokens": ["llm.token_count.completion_details.reasoning", _counted("reasoning_tokens")],
        "reported_cost_usd": [
            *("litellm.cost.total", "gen_ai.cost.total_cost", "llm.cost.total"),
            At("hidden_params", "response_cost"),
        ],
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
    content={
        "llm.*": "other",  # llm.PROVIDER.*: what was sent to a provider, and what came back
        **dict.fromkeys(_NO_CONTENT, ""),
        "llm.input_messages.*": "input",
        "llm.output_messages.*": "output",
        **dict.fromkeys(("llm.tools.*", "llm.request.functions.*", "gen_ai.tool.*"), "tools"),
        "gen_ai.tool.name": "",
        **dict.fromkeys(
            ("input.value", "gen_ai.prompt.*", "langfuse.observation.input", "langfuse.trace.input"), "input"
        ),
        **dict.fromkeys(("output.value", "gen_ai.completion.*", "message.content"), "output"),
        **dict.fromkeys(("langfuse.observation.output", "langfuse.trace.output"), "output"),
    },
    measures={"gen_ai.usage.cost": Measure("cost_usd")},
    adjust=_adjust,
)
