"""MLflow: all values are JSON, usage is one of them, and much is in the answers only.

With its translation to the conventions switched on, it names the model that answered as the one that was asked for, and
leaves out what was cached.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from taximeter_collector.normalise.dialect import At, Dialect, Each
from taximeter_collector.normalise.view import View

__all__ = ["DIALECT"]

_ANSWER, _USAGE = "mlflow.spanOutputs", "mlflow.chat.tokenUsage"
_TOLD: dict[str, tuple[pa.DataType, tuple[str, ...]]] = {
    "response_id": (pa.string(), ("id",)),
    "response_model": (pa.string(), ("model",)),
    "finish_reason": (pa.string(), ("choices.0.finish_reason", "stop_reason")),
    "service_tier": (pa.string(), ("service_tier", "usage.service_tier")),
    "input_tokens": (pa.int64(), ("usage.prompt_tokens",)),
    "reasoning_tokens": (
        pa.int64(),
        ("usage.completion_tokens_details.reasoning_tokens", "usage.output_tokens_details.reasoning_tokens"),
    ),
}
"""What an answer tells, and where, as OpenAI and Anthropic have it."""
_TOO_MUCH = 2**62


def _plain(text: str) -> str | None:
    """Texts are in quotes; with the translation switched on some are not."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else None


def _adjust(view: View) -> None:
    """Read what is in the answers only. Each is parsed once."""
    asks = view.where("operation", "chat", "embeddings") & view.has(_ANSWER)
    if not asks.any():
        return
    texts = view.attribute(_ANSWER).to_pylist()
    answers = [_parsed(text) if asked else None for text, asked in zip(texts, asks.tolist(), strict=True)]
    for field, (type_, paths) in _TOLD.items():
        kind = int if type_ == pa.int64() else str
        told = pa.array([_first(answer, paths, kind) for answer in answers], type_)
        view.set(field, told, np.asarray(told.is_valid()) & ~view.told(field))


def _parsed(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None


def _first(answer: Any, paths: tuple[str, ...], kind: type) -> Any:
    """The first value of a kind that stands at one of the paths."""
    for path in paths:
        found = answer
        for step in path.split("."):
            if isinstance(found, list):
                found = found[0] if found and step == "0" else None
            else:
                found = found.get(step) if isinstance(found, dict) else None
        if isinstance(found, str) and kind is str and found:
            return found
        if isinstance(found, int) and kind is int and abs(found) < _TOO_MUCH:
            return int(found)
    return None


DIALECT = Dialect(
    name="mlflow",
    scopes=["mlflow.*"],
    keys=["mlflow.*"],
    fields={
        "provider": [Each("mlflow.llm.provider", _plain), Each("mlflow.message.format", _plain)],
        "operation": ["gen_ai.operation.name", Each("mlflow.spanType", _plain)],
        "request_model": [Each("model", _plain), At("mlflow.spanInputs", "model"), Each("mlflow.llm.model", _plain)],
        "input_tokens": [At(_USAGE, "input_tokens")],
        "output_tokens": [At(_USAGE, "output_tokens")],
        "cache_read_tokens": [At(_USAGE, "cache_read_input_tokens")],
        "cache_write_tokens": [At(_USAGE, "cache_creation_input_tokens")],
        "cache_write_1h_tokens": [At(_USAGE, "cache_creation_input_tokens_above_1hr")],
        "reported_cost_usd": [At("mlflow.llm.cost", "total_cost")],
        "stream": ["stream", At("mlflow.spanInputs", "stream")],
    },
    operations={
        **dict.fromkeys(("LLM", "CHAT_MODEL"), "chat"),
        "EMBEDDING": "embeddings",
        "RERANKER": "rerank",
        "RETRIEVER": "retrieval",
        "TOOL": "execute_tool",
        "AGENT": "invoke_agent",
        "WORKFLOW": "invoke_workflow",
        "UNKNOWN": "",
    },
    input_may_exclude_cache=True,
    rank=10,
    content={
        "mlflow.spanInputs": "input",
        "mlflow.spanOutputs": "output",
        "mlflow.chat.tools": "tools",
        "mlflow.chat.messages": "input",
        "mlflow.chunk.value": "output",
    },
    tags=["mlflow.traceTag.*"],
    adjust=_adjust,
)
