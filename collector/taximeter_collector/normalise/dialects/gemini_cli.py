"""Gemini CLI, and its fork Qwen Code: a call is the event `api_response`, or `api_error`.

Gemini CLI tells of the same call in an event of the conventions and in a span, both without what was cached and
thought. Thoughts are beside the output, as Gemini counts, or in it, as OpenAI does and Qwen Code passes it on: the
total tells. What tools were prompted with is beside the input.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.normalise.dialect import Dialect, Each, Measure
from taximeter_collector.normalise.view import View

__all__ = ["DIALECT"]

_DETAILS = "gen_ai.client.inference.operation.details"
_LARGEST = 2**60
_SIGNED_IN = {
    "gemini-api-key": "gcp.gemini",
    "oauth-personal": "gcp.gemini",
    "cloud-shell": "gcp.gemini",
    "vertex-ai": "gcp.vertex_ai",
    "compute-default-credentials": "gcp.vertex_ai",
    "qwen-oauth": "dashscope",
    "anthropic": "anthropic",
}
"""Who serves, by the way of signing in; with `openai`, it may be anybody."""


def _adjust(view: View) -> None:
    view.set("prompt_name", None)  # an id
    if view.signal != "metric":
        _leave_out_repetitions(view)
        _count(view)
    gemini = pc.equal(view.scope_name, "gemini-cli").fill_null(False)
    view.set("provider", "gcp.gemini", np.asarray(gemini) & ~view.told("provider"))
    view.set("response_id", None, view.told("error_type") & view.told("response_id"))  # a request's id
    answered = view.named("gemini_cli.api_response", "qwen-code.api_response") & view.told("request_model")
    view.set("response_model", view.texts("request_model"), answered)
    view.set("request_model", None, answered)


def _leave_out_repetitions(view: View) -> None:
    details, uses = view.named(_DETAILS), view.told("input_tokens") | view.told("output_tokens")
    view.set("operation", "", details & ~uses)  # of the request, or of an error
    view.never_billed("same_call", (details & uses) | view.named("llm_call"))


def _count(view: View) -> None:
    thought, prompted = view.counts("reasoning_tokens"), _number(view, "tool_token_count")
    together = view.counts("input_tokens") + view.counts("output_tokens")
    total = _number(view, "total_token_count")
    beside = (total == 0) | (total >= together + thought)
    _add(view, "output_tokens", np.where(beside, thought, 0))
    _add(view, "input_tokens", np.where(total >= together + np.where(beside, thought, 0) + prompted, prompted, 0))


def _number(view: View, key: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    texts = view.attribute(key)
    whole = pc.if_else(pc.match_substring_regex(texts, r"^[0-9]{1,15}$"), texts, pa.scalar(None, pa.string()))
    return np.asarray(whole.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)


def _add(view: View, name: str, more: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    where = view.told(name) & (more > 0)
    if where.any():
        view.set(name, pa.array(np.minimum(view.counts(name), _LARGEST) + np.minimum(more, _LARGEST)), where)


def _error(status: str) -> str | None:
    """Of an HTTP status, what went wrong; None for what went well."""
    return status if status >= "400" else None


def _measures(program: str, output: str) -> dict[str, Measure]:
    parts = {"output": output, "cache": "cache_read", "thought": "reasoning"}
    return {
        f"{program}.token.usage": Measure("tokens", by="type", parts=parts),
        "gen_ai.client.token.usage": Measure(""),  # the same once more
        f"{program}.session.count": Measure("sessions"),
        f"{program}.lines.changed": Measure("lines_of_code", by="type"),
        f"{program}.file.operation.count": Measure("file_operations", by="operation"),
        f"{program}.tool.call.count": Measure("tool_calls"),
        f"{program}.tool.call.latency": Measure("tool_duration_ms"),
        f"{program}.api.request.count": Measure("api_requests"),
        f"{program}.api.request.latency": Measure("duration_ms"),
        f"{program}.agent.run.count": Measure("agent_runs"),
        f"{program}.agent.duration": Measure("agent_duration_ms"),
    }


DIALECT = Dialect(
    name="gemini_cli",
    scopes=["gemini-cli", "qwen-code"],
    names=["gemini_cli.*", "qwen-code.*"],
    precedence=20,
    by_name={
        "gemini_cli.api_response": "generate_content",
        "gemini_cli.api_error": "generate_content",
        "gemini_cli.tool_call": "execute_tool",
        "qwen-code.api_response": "chat",
        "qwen-code.api_error": "chat",
        "qwen-code.tool_call": "execute_tool",
    },
    operations={
        "llm_call": "generate_content",
        "tool_call": "execute_tool",
        "agent_call": "invoke_agent",
        "user_prompt": "invoke_agent",
        "system_prompt": "",
        "schedule_tool_calls": "",
    },
    fields={
        "provider": [Each("auth_type", _SIGNED_IN.get)],
        "request_model": ["model", "model_name"],
        "response_id": ["response_id"],
        "finish_reason": ["finish_reasons"],
        "error_type": [Each("status_code", _error), "error_type", "error.type"],
        "input_tokens": ["input_token_count"],
        "output_tokens": ["output_token_count"],
        "cache_read_tokens": ["cached_content_token_count"],
        "reasoning_tokens": ["thoughts_token_count"],
        "duration_ms": ["duration_ms"],
        "agent_name": ["agent_name", "subagent_name"],
        "user_id": ["user.email"],
        "tool_name": ["function_name"],
    },
    providers={"gcp.gen_ai": "gcp.gemini"},
    rank=20,
    content={
        "prompt": "input",
        "request_text": "input",
        "response_text": "output",
        "function_args": "tool_input",
    },
    measures=_measures("gemini_cli", "visible_output") | _measures("qwen-code", "output"),
    adjust=_adjust,
)
