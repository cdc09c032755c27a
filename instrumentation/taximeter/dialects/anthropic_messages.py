"""Anthropic messages: direct, through gateways and Azure (`/v1/messages`), and through Vertex (`:rawPredict`)."""

from __future__ import annotations

from typing import Any

from taximeter.call import Call, Content
from taximeter.dialect import Dialect, WireRequest
from taximeter.dialects._anthropic import (
    TELLING,
    ends,
    finish_reason,
    read_body,
    read_content,
    read_event,
    read_message,
)
from taximeter.dialects._fields import obj, text
from taximeter.dialects._openai import read_error
from taximeter.framing import Frame

__all__ = ["DIALECT"]

_VERTEX = (":rawPredict", ":streamRawPredict")


def _open(request: WireRequest) -> Call | None:
    path = request.path
    if path.endswith(_VERTEX):
        if "/publishers/anthropic/" not in path or path.endswith("/count-tokens:rawPredict"):
            return None
    elif not path.endswith(("/messages", "/complete")) or "/threads/" in path:
        return None
    body = request.json()
    if not (("messages" in body or "prompt" in body) and ("max_tokens" in body or "max_tokens_to_sample" in body)):
        return None
    operation = "text_completion" if path.endswith("/complete") else "chat"
    call = Call(operation, text(body.get("model")) or request.segment("models"))
    call.stream = body.get("stream") is True or path.endswith(":streamRawPredict")
    read_body(call, body)
    if request.prose:
        call.content = Content()
        read_content(call.content, body)
        if prompt := text(body.get("prompt")):
            call.content.input.append({"role": "user", "parts": [{"type": "text", "content": prompt}]})
    return call


def _read(call: Call, body: Any, frame: Frame) -> None:
    body = obj(body)
    if read_event(call, body):
        return
    if read_error(call, body):
        return
    if body.get("type") == "message":
        read_message(call, body)
    elif "completion" in body:  # the API before messages
        call.response_id = text(body.get("id")) or call.response_id
        call.response_model = text(body.get("model")) or call.response_model
        call.finish_reasons[0] = finish_reason(text(body.get("stop_reason"))) or call.finish_reasons.get(0)
        call.complete = call.complete or call.finish_reasons[0] is not None
        if call.content is not None:
            if not call.content.output:
                call.content.output.append({"role": "assistant", "parts": [{"type": "text", "content": ""}]})
            call.content.output[0]["parts"][0]["content"] += text(body["completion"]) or ""


DIALECT = Dialect(
    name="anthropic_messages",
    provider="anthropic",
    endpoints=("/messages", "/complete", *_VERTEX),
    open=_open,
    finishes=True,
    read=_read,
    telling=(*TELLING, b'"completion"'),
    ends=ends,
)
