"""MLflow: all values are JSON, usage is one of them, and much is in the answers only.

With its translation to the conventions switched on, it names the model that answered as the one that was asked for, and
leaves out what was cached.
"""

from __future__ import annotations

import json

from taximeter_collector.normalise.dialect import At, Dialect, Each
from taximeter_collector.normalise.dialects._texts import answer_ids, found
from taximeter_collector.normalise.view import View

__all__ = ["DIALECT"]

_ANSWER, _USAGE = "mlflow.spanOutputs", "mlflow.chat.tokenUsage"


def _plain(text: str) -> str | None:
    """Texts are in quotes; with the translation switched on some are not."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else None


def _adjust(view: View) -> None:
    """The answer's id is only in the answer."""
    wanting = view.where("operation", "chat", "embeddings") & ~view.told("response_id") & view.has(_ANSWER)
    if wanting.any():
        view.set("response_id", answer_ids(view.attribute(_ANSWER)), wanting)


DIALECT = Dialect(
    name="mlflow",
    scopes=["mlflow.*"],
    keys=["mlflow.*"],
    fields={
        "provider": [Each("mlflow.llm.provider", _plain), Each("mlflow.message.format", _plain)],
        "operation": ["gen_ai.operation.name", Each("mlflow.spanType", _plain)],
        "request_model": [Each("model", _plain), At("mlflow.spanInputs", "model"), Each("mlflow.llm.model", _plain)],
        "response_model": [Each(_ANSWER, found(r'^\{.*?"model": "([^"\\]+)"')), "gen_ai.response.model"],
        "finish_reason": [
            "gen_ai.response.finish_reasons",
            Each(_ANSWER, found(r'"finish_reason": "(\w+)"')),
            Each(_ANSWER, found(r'"stop_reason": "(\w+)"')),
        ],
        "input_tokens": [At(_USAGE, "input_tokens"), Each(_ANSWER, found(r'"prompt_tokens": (\d+)'))],
        "output_tokens": [At(_USAGE, "output_tokens")],
        "cache_read_tokens": [At(_USAGE, "cache_read_input_tokens")],
        "cache_write_tokens": [At(_USAGE, "cache_creation_input_tokens")],
        "cache_write_1h_tokens": [At(_USAGE, "cache_creation_input_tokens_above_1hr")],
        "reasoning_tokens": [Each(_ANSWER, found(r'"reasoning_tokens": (\d+)'))],
        "service_tier": [Each(_ANSWER, found(r'"service_tier": "(\w+)"'))],
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
