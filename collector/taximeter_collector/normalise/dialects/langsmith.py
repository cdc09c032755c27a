"""LangSmith's runs as spans: of LangChain, and of the SDKs that it wraps.

What kind of run it is counts, not the operation: it calls a prompt's template `chat`, and a retriever `embeddings`.
Of LangChain, which answer it was is to be found in the answer only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.normalise.dialect import At, Dialect, Each, Key
from taximeter_collector.normalise.view import View

__all__ = ["DIALECT"]

_METADATA = "langsmith.metadata"
_USAGE = f"{_METADATA}.usage_metadata"
_OF_ANSWERS = {
    "response_id": ("id",),
    "response_model": ("model_name", "model"),
    "finish_reason": ("finish_reason", "stop_reason"),
    "service_tier": ("service_tier",),
    "error_type": ("status_code",),
}


def _in(details: str, name: str) -> list[Key]:
    """A detail of the counts: in JSON, or as Python writes a dict."""
    return [At(_USAGE, f"{details}.{name}"), Each(f"gen_ai.usage.{details}", _written_by_python(name))]


def _written_by_python(name: str) -> Callable[[str], str | None]:
    sought = re.compile(rf"'{name}': (\d+)")

    def read(text: str) -> str | None:
        found = sought.search(text)
        return found and found[1]

    return read


def _adjust(view: View) -> None:
    view.set("error_type", None, view.where("error_type", "Exception"))  # every error is one, as it tells it
    _read_answers(view)
    by_ttl = view.counts("cache_write_5m_tokens") + view.counts("cache_write_1h_tokens")
    view.set("cache_write_tokens", view.counts("cache_write_tokens") + by_ttl, by_ttl > 0)  # it takes them out there
    view.set("provider", None, view.where("provider", "langchain"))  # what it says of everything else


def _read_answers(view: View) -> None:
    """What only the answer says, as LangChain serialises it."""
    silent = pa.array(view.where("operation", "chat") & ~view.told("response_id"))
    answers = pc.if_else(silent, view.attribute("gen_ai.completion"), pa.scalar(None, pa.string())).dictionary_encode()
    found = [_told_in(text) for text in answers.dictionary.to_pylist()]
    for field in (*_OF_ANSWERS, "stream"):
        texts = pa.array([told.get(field) for told in found], pa.bool_() if field == "stream" else pa.string())
        told = texts.take(answers.indices)
        view.set(field, told, np.asarray(told.is_valid()) & (~view.told(field) | (field == "stream")))


def _told_in(text: str) -> dict[str, Any]:
    try:
        generation = json.loads(text)["generations"][0][0]
        metadata = generation["message"]["kwargs"]["response_metadata"]
        found: dict[str, Any] = {
            field: next((str(metadata[name]) for name in names if metadata.get(name)), None)
            for field, names in _OF_ANSWERS.items()
        }
        if generation.get("type") == "ChatGenerationChunk":
            found["stream"] = True
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}
    return found


DIALECT = Dialect(
    name="langsmith",
    scopes=["langsmith"],
    keys=["langsmith.span.kind"],
    fields={
        "operation": ["langsmith.span.kind"],
        "provider": [f"{_METADATA}.ls_provider"],  # the other is guessed from the model's name
        "conversation_id": [f"{_METADATA}.{name}" for name in ("thread_id", "session_id", "conversation_id")],
        "user_id": [f"{_METADATA}.user_id"],
        "agent_name": [f"{_METADATA}.lc_agent_name"],
        "cache_read_tokens": _in("input_token_details", "cache_read"),
        "cache_write_tokens": _in("input_token_details", "cache_creation"),
        "cache_write_5m_tokens": _in("input_token_details", "ephemeral_5m_input_tokens"),
        "cache_write_1h_tokens": _in("input_token_details", "ephemeral_1h_input_tokens"),
        "audio_input_tokens": _in("input_token_details", "audio"),
        "reasoning_tokens": _in("output_token_details", "reasoning"),
        "audio_output_tokens": _in("output_token_details", "audio"),
        "stream": ["langsmith.request.streaming"],
        "reported_cost_usd": [At(_USAGE, "total_cost")],
    },
    operations={
        "llm": "chat",
        "prompt": "",
        "tool": "execute_tool",
        "retriever": "retrieval",
        "embedding": "embeddings",
    },
    rank=10,
    tags=[
        f"{_METADATA}.*",
        "langsmith.span.tags",
        # What it adds itself; a minus means that it is no tag.
        *(f"-{_METADATA}.{name}*" for name in ("ls_", "lc_", "langgraph_", "LANGSMITH_", "LANGCHAIN_", "checkpoint_")),
        *(f"-{_METADATA}.{name}" for name in ("usage_metadata", "revision_id", "invocation_params", "_type")),
        *(f"-{_METADATA}.{name}" for name in ("model", "model_name", "model_kwargs", "stream", "streaming")),
        *(f"-{_METADATA}.{name}" for name in ("max_tokens", "max_retries", "temperature", "stop", "base_url")),
    ],
    adjust=_adjust,
)
