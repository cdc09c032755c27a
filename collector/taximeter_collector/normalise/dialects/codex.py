"""OpenAI's Codex: a call is the log event `codex.sse_event` in which a completed response has its usage.

Other events of a response tell of its pieces, and `codex.api_request` of each attempt, of which those that failed have
no other event. The event's own name says where in Codex's source it is; the attribute `event.name` is its name. Spans
repeat the usage and name no model. Counts come as text; `tool_token_count` is the total.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.normalise.dialect import Dialect, Each, Measure
from taximeter_collector.normalise.view import Mask, View

__all__ = ["DIALECT"]

_OF_OPENAI = r"^(?:gpt-[^o]|chatgpt-|codex-|o\d)"


def _adjust(view: View) -> None:
    models = view.texts("request_model")
    view.set("provider", "openai", np.asarray(pc.match_substring_regex(models, _OF_OPENAI).fill_null(False)))
    if view.signal == "log":
        _name_events(view)
    elif view.signal == "span":
        repeats = view.told("input_tokens") | view.told("output_tokens")
        view.set("operation", "chat", repeats)
        view.never_billed("same_call", repeats)
        view.set("operation", "execute_tool", view.has("codex.tool.phase"))


def _name_events(view: View) -> None:
    names, wrong = view.attribute("event.name"), view.has("error.message")
    event = {name: _equal(names, f"codex.{name}") for name in ("sse_event", "api_request", "websocket_request")}
    ended = event["sse_event"] & _equal(view.attribute("event.kind"), "response.completed")
    failed = (ended | event["api_request"] | event["websocket_request"]) & (wrong | view.told("error_type"))
    calls = failed | (ended & view.told("input_tokens"))
    view.set("operation", "chat", calls)
    view.set("operation", "execute_tool", _equal(names, "codex.tool_result"))
    view.set("failed", True, failed)
    view.set("stream", True, calls)
    view.set("attempt", None, view.told("attempt") & ~calls)


def _equal(texts: pa.Array, text: str) -> Mask:
    return np.asarray(pc.equal(texts, text).fill_null(False))


def _error(status: str) -> str | None:
    """Of an HTTP status, what went wrong; None for what went well."""
    return status if status >= "400" else None


def _agent(path: str) -> str | None:
    """`/root` is who was asked; those below it were started by it."""
    return None if path == "/root" else path.removeprefix("/root/")


DIALECT = Dialect(
    name="codex",
    scopes=["codex", "codex_*", "codex-*"],
    keys=["codex.*"],
    names=["codex.*"],
    precedence=20,
    fields={
        "request_model": ["model"],
        "error_type": [Each("http.response.status_code", _error)],
        "input_tokens": ["input_token_count"],
        "output_tokens": ["output_token_count"],
        "cache_read_tokens": ["cached_token_count"],
        "cache_write_tokens": ["cache_write_token_count"],
        "reasoning_tokens": ["reasoning_token_count", "codex.usage.reasoning_output_tokens"],
        "duration_ms": ["duration_ms"],
        "ttft_ms": ["ttft_ms"],
        "attempt": ["attempt"],
        "conversation_id": ["conversation.id"],
        "user_id": ["user.email", "user.account_id"],
        "agent_name": [Each("agent_name", _agent)],
        "tool_name": ["tool_name"],
    },
    rank=20,
    content={"prompt": "input", "arguments": "tool_input", "output": "tool_output"},
    measures={
        "codex.turn.token_usage": Measure(
            "tokens",
            by="token_type",
            parts={"cached_input": "cache_read", "cache_write_input": "cache_write", "reasoning_output": "reasoning"},
        ),
        "codex.thread.started": Measure("sessions"),
        "codex.conversation.turn.count": Measure("turns"),
        "codex.api_request": Measure("api_requests"),
        "codex.api_request.duration_ms": Measure("duration_ms"),
        "codex.turn.e2e_duration_ms": Measure("turn_duration_ms"),
        "codex.turn.ttft.duration_ms": Measure("ttft_ms"),
        "codex.tool.call": Measure("tool_calls"),
        "codex.tool.call.duration_ms": Measure("tool_duration_ms"),
    },
    adjust=_adjust,
)
