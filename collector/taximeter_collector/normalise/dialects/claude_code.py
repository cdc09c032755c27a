"""Claude Code: a call is told by a span (beta), by an event, or by both, which share the HTTP request's id.

The event has the cost and the subagent's name; the span has the time to the first token and the finish reason. Numbers
come as text in versions before 2.1. Tokens that were cached are counted beside the input, in the metric as well.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.normalise.dialect import Dialect, Each, Measure
from taximeter_collector.normalise.view import View

__all__ = ["DIALECT"]

_EVENTS = {  # not in `by_name`: names as common as these are no marks of a dialect
    "api_request": "chat",
    "api_error": "chat",
    "tool_result": "execute_tool",
    "subagent_completed": "invoke_agent",
}
_PARTS = {"input": "uncached_input", "cacheRead": "cache_read", "cacheCreation": "cache_write"}

_BEDROCK = r"(?:^|[./])anthropic\.claude|^arn:aws"
_VERTEX = r"claude[a-z0-9.-]*@"


def _adjust(view: View) -> None:
    view.translate("request_model", lambda model: model.removesuffix("[1m]"))  # a longer context, not another model
    if view.signal == "log":
        _name_events(view)
    _tell_who_serves(view)
    failed = _failed(view)
    if failed.any():
        view.set("failed", True, failed)
        view.set("response_id", None, failed & view.told("response_id"))  # a request's id, and there is no response
        view.set("error_type", None, view.told("error_type") & ~failed)
    if "attempt" in view.columns:  # the first one is 1 here
        view.set("attempt", pa.array(np.maximum(view.counts("attempt") - 1, 0)), view.told("attempt"))


def _name_events(view: View) -> None:
    """An event of a call that succeeded names the model that answered.

    Behind gateways and on Bedrock there is no request's id to tell that a span and an event are about one call. Within
    a span the event is another view of a call that the span tells of.
    """
    encoded = view.names.dictionary_encode()
    plain = [(name or "").removeprefix("claude_code.") for name in encoded.dictionary.to_pylist()]
    view.set("operation", pa.array([_EVENTS.get(name) for name in plain], pa.string()).take(encoded.indices))
    answered = view.named("api_request", "claude_code.api_request") & view.told("request_model")
    view.set("response_model", view.texts("request_model"), answered)
    view.set("request_model", None, answered)
    view.never_billed("same_call", answered & view.in_span & ~view.told("response_id"))


def _failed(view: View) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    success = np.asarray(pc.equal(view.attribute("success"), "false").fill_null(False))
    return (success & view.named("claude_code.llm_request")) | view.named("api_error", "claude_code.api_error")


def _tell_who_serves(view: View) -> None:
    """The names of models on Bedrock and Vertex AI are not Anthropic's own."""
    models = pc.coalesce(view.texts("response_model"), view.texts("request_model"))
    for pattern, provider in ((_BEDROCK, "aws.bedrock"), (_VERTEX, "gcp.vertex_ai")):
        found = np.asarray(pc.match_substring_regex(models, pattern).fill_null(False))
        if found.any():
            view.set("provider", provider, found)


DIALECT = Dialect(
    name="claude_code",
    scopes=["com.anthropic.claude_code*"],
    names=["claude_code.*"],
    precedence=20,
    by_name={
        "claude_code.llm_request": "chat",
        "claude_code.tool": "execute_tool",
        "claude_code.interaction": "invoke_agent",
    },
    fields={
        "request_model": ["model"],
        "response_id": ["request_id"],
        "finish_reason": ["stop_reason"],
        "error_type": ["status_code"],
        "input_tokens": ["input_tokens"],
        "output_tokens": ["output_tokens"],
        "cache_read_tokens": ["cache_read_tokens"],
        "cache_write_tokens": ["cache_creation_tokens"],
        "reported_cost_usd": ["cost_usd"],
        "duration_ms": ["duration_ms"],
        "ttft_ms": ["ttft_ms"],
        "attempt": ["attempt"],
        "speed": [Each("speed", {"fast": "fast"}.get)],
        "tool_name": ["tool_name"],
        "agent_name": ["agent.name", "agent_type"],
        "user_id": ["user.email", "user.account_uuid", "user.id"],
    },
    constants={"provider": "anthropic"},
    input_excludes_cache=True,
    rank=20,
    content={
        "prompt": "input",
        "user_prompt": "input",
        "response": "output",
        "body": "other",
        "tool_input": "tool_input",
        "tool_parameters": "tool_input",
        "full_command": "tool_input",
        "bash_command": "tool_input",
        "output": "tool_output",
        "content": "tool_output",
        "diff": "tool_output",
    },
    measures={
        "claude_code.token.usage": Measure("tokens", by="type", parts=_PARTS),
        "claude_code.cost.usage": Measure("cost_usd"),
        "claude_code.session.count": Measure("sessions"),
        "claude_code.lines_of_code.count": Measure("lines_of_code", by="type"),
        "claude_code.commit.count": Measure("commits"),
        "claude_code.pull_request.count": Measure("pull_requests"),
        "claude_code.code_edit_tool.decision": Measure("code_edit_decisions", by="decision"),
        "claude_code.active_time.total": Measure("active_time_s", by="type"),
    },
    adjust=_adjust,
)
