"""OpenAI Assistants runs: a streamed run reports its usage at its end; a polled one reports it when looked at.

A run that is polled says the same usage each time; its id is the response id, by which it is counted once.
"""

from __future__ import annotations

import re
from typing import Any

from taximeter.call import Call
from taximeter.dialect import Dialect, WireRequest
from taximeter.dialects._fields import integer, number, obj, text
from taximeter.dialects._openai import read_error, read_identity, read_usage
from taximeter.framing import Frame

__all__ = ["DIALECT"]

_CREATE = re.compile(r"/threads(?:/[^/]+)?/runs$|/threads/thread_[^/]+/runs/run_[^/]+/submit_tool_outputs$")
_FETCH = re.compile(r"/threads/thread_[^/]+/runs/(run_[^/]+)$")


def _open(request: WireRequest) -> Call | None:
    if request.method == "GET":
        fetched = _FETCH.search(request.path)
        return Call("run", response_id=fetched[1]) if fetched else None
    if not _CREATE.search(request.path):
        return None
    body = request.json()
    if not {"assistant_id", "tool_outputs"} & body.keys():
        return None  # others have threads and runs too
    call = Call("run", text(body.get("model")), stream=body.get("stream") is True)
    call.temperature = number(body.get("temperature"))
    call.top_p = number(body.get("top_p"))
    call.max_tokens = integer(body.get("max_completion_tokens"))
    return call


def _read(call: Call, body: Any, frame: Frame) -> None:
    if frame.data == b"[DONE]":
        call.complete = True
        return
    body = obj(body)
    if read_error(call, body):
        return
    if body.get("object") != "thread.run":
        return  # the steps of a run repeat its usage
    read_identity(call, body)
    call.status = text(body.get("status"))
    call.conversation_id = text(body.get("thread_id"))
    if agent := text(body.get("assistant_id")):
        call.attributes["gen_ai.agent.id"] = agent
    if failure := obj(body.get("last_error")):
        call.fail(failure.get("code"), failure.get("message"))
    match call.status:
        case "completed":
            call.finish_reasons[0] = "stop"
        case "requires_action":
            call.finish_reasons[0] = "tool_calls"
        case "incomplete":
            call.finish_reasons[0] = "length"
    read_usage(call, obj(body.get("usage")))


DIALECT = Dialect(
    name="openai_runs",
    provider="openai",
    endpoints=("/runs", "/submit_tool_outputs"),
    methods=("POST", "GET"),
    ids=True,
    open=_open,
    read=_read,
)
