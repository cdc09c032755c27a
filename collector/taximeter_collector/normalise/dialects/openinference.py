"""OpenInference: conventions of Arize's, which many instrumentations speak. Details are parts of their totals."""

from __future__ import annotations

from taximeter_collector.normalise.dialect import At, Dialect, Each
from taximeter_collector.normalise.dialects._texts import answer_ids
from taximeter_collector.normalise.view import View

__all__ = ["DIALECT"]

_PARAMETERS = ("llm.invocation_parameters", "embedding.invocation_parameters")
_PROMPT, _COMPLETION = "llm.token_count.prompt", "llm.token_count.completion"


def _adjust(view: View) -> None:
    """The answer's id is only in the answer. `llm.model_name` is the model that answered, if one did."""
    if view.signal != "span":
        return
    asks = view.where("operation", "chat", "embeddings")
    wanting = asks & ~view.told("response_id") & view.has("output.value")
    if wanting.any():
        view.set("response_id", answer_ids(view.attribute("output.value")), wanting)
    named = view.attribute("llm.model_name")
    view.set("request_model", named, asks & ~view.told("request_model") & view.has("llm.model_name"))
    view.set("response_model", None, view.failed & ~view.has("llm.response.model_name") & view.told("response_model"))


DIALECT = Dialect(
    name="openinference",
    scopes=["openinference.*"],
    keys=["openinference.*", "llm.token_count.*"],
    fields={
        "provider": ["llm.provider", "llm.system"],
        "operation": ["openinference.span.kind"],
        "request_model": [
            "llm.request.model_name",
            *(At(key, name) for key in _PARAMETERS for name in ("model", "model_name")),
        ],
        "response_model": ["llm.response.model_name", "llm.model_name", "embedding.model_name"],
        "finish_reason": [Each("llm.finish_reason", str.lower)],
        "agent_name": ["agent.name", At("metadata", "lc_agent_name")],
        "tool_name": ["tool.name"],
        "input_tokens": [_PROMPT],
        "output_tokens": [_COMPLETION],
        "cache_read_tokens": [f"{_PROMPT}_details.cache_read", f"{_PROMPT}_details.cache_input"],
        "cache_write_tokens": [f"{_PROMPT}_details.cache_write"],
        "audio_input_tokens": [f"{_PROMPT}_details.audio"],
        "audio_output_tokens": [f"{_COMPLETION}_details.audio"],
        "reasoning_tokens": [f"{_COMPLETION}_details.reasoning"],
        "reported_cost_usd": ["llm.cost.total"],
        "stream": [At("llm.invocation_parameters", "stream")],
    },
    operations={
        "LLM": "chat",
        "EMBEDDING": "embeddings",
        "RERANKER": "rerank",
        "RETRIEVER": "retrieval",
        "TOOL": "execute_tool",
        "AGENT": "invoke_agent",
    },
    # Its older instrumentations give Anthropic's input without what was cached.
    input_may_exclude_cache=True,
    rank=15,
    content={
        "input.value": "input",
        "output.value": "output",
        "llm.input_messages.*": "input",
        "llm.output_messages.*": "output",
        "llm.prompts.*": "input",
        "llm.choices.*": "output",
        "llm.function_call": "output",
        "llm.tools.*": "tools",
        "llm.prompt_template.template": "input",
        "llm.prompt_template.variables": "input",
        "embedding.embeddings.*": "input",
        "embedding.text": "input",
        "embedding.vector": "output",
        "retrieval.documents.*": "output",
        "reranker.query": "input",
        "reranker.input_documents.*": "input",
        "reranker.output_documents.*": "output",
        "tool.parameters": "tool_input",
        "tool.json_schema": "tools",
        "tool_call.function.arguments": "tool_input",
    },
    tags=["metadata", "tag.tags"],
    adjust=_adjust,
)
