"""The OpenAI Responses API, and its compaction (also on Azure, Bedrock's gateway, xAI, DeepSeek, OpenRouter)."""

from __future__ import annotations

from typing import Any

from taximeter.call import Call, Content
from taximeter.dialect import Dialect, WireRequest
from taximeter.dialects._fields import arguments, integer, items, obj, text
from taximeter.dialects._openai import (
    parts_of,
    read_error,
    read_identity,
    read_parameters,
    read_tools,
    read_usage,
    shaped,
)
from taximeter.framing import Frame

__all__ = ["DIALECT"]

_ENDPOINT = "/responses"
_TERMINAL = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
_INCOMPLETE = {"max_output_tokens": "length"}
_TOOL_CALLS = ("function_call", "custom_tool_call", "computer_call", "local_shell_call", "apply_patch_call")


def _open(request: WireRequest) -> Call | None:
    if request.method == "GET":
        return _open_fetch(request)
    if not request.path.endswith((_ENDPOINT, "/responses/compact")):
        return None
    body = request.json()
    if not shaped(request, "input", "model", "prompt", "previous_response_id"):
        return None
    call = Call("chat", text(body.get("model")) or request.segment("deployments"))
    call.attributes["openai.api.type"] = "responses"
    read_parameters(call, body)
    call.max_tokens = integer(body.get("max_output_tokens"))
    call.output_type = {"json_object": "json", "json_schema": "json", "text": "text"}.get(
        text(obj(obj(body.get("text")).get("format")).get("type")) or ""
    )
    call.previous_response_id = text(body.get("previous_response_id"))
    conversation = body.get("conversation")
    call.conversation_id = text(obj(conversation).get("id")) if isinstance(conversation, dict) else text(conversation)
    if request.path.endswith("/compact"):
        call.conversation_compacted = True
    if request.prose:
        call.content = content = Content()
        if instructions := text(body.get("instructions")):
            content.system.append({"type": "text", "content": instructions})
        given = body.get("input")
        if isinstance(given, str):
            content.input.append({"role": "user", "parts": [{"type": "text", "content": given}]})
        content.input += [_message(item) for item in items(given)]
        read_tools(content, body.get("tools"))
    return call


def _open_fetch(request: WireRequest) -> Call | None:
    """GET /responses/ID: what an earlier call produced. It has been paid for; it is not counted again."""
    response_id = request.segment("responses") or ""
    if not response_id.startswith("resp") or not request.path.endswith(f"/responses/{response_id}"):
        return None  # surveys have responses too
    call = Call("fetch_response", fetched=True, response_id=response_id)
    call.attributes["openai.api.type"] = "responses"
    call.stream = "stream=true" in request.query
    return call


def _read(call: Call, body: Any, frame: Frame) -> None:
    if frame.data == b"[DONE]":
        call.complete = True
        return
    body = obj(body)
    kind = text(body.get("type")) or ""
    if kind == "error":
        call.fail(text(body.get("code")) or text(obj(body.get("error")).get("code")) or "error", _message_of(body))
        return
    if kind.startswith("response."):
        if kind == "response.image_generation_call.partial_image" or "response" not in body:
            return
        call.complete = call.complete or kind in _TERMINAL
        body = obj(body.get("response"))
    if read_error(call, body):
        call.status = text(body.get("status"))
    read_identity(call, body)
    _read_state(call, body)
    read_usage(call, obj(body.get("usage")))
    for tool, used in obj(body.get("tool_usage")).items():
        for name, count in obj(used).items():
            if (n := integer(count)) is not None:
                call.attributes[f"taximeter.usage.{tool}.{name}"] = n
    if call.content is not None:
        call.content.output = [_message(item) for item in items(body.get("output"))]


def _read_state(call: Call, body: dict[str, Any]) -> None:
    call.status = status = text(body.get("status")) or call.status
    match status:
        case "completed":
            called = any(item.get("type") in _TOOL_CALLS for item in items(body.get("output")))
            said = any(item.get("type") == "message" for item in items(body.get("output")))
            reasons = (["tool_calls"] if called else []) + (["stop"] if said or not called else [])
        case "incomplete":
            reason = text(obj(body.get("incomplete_details")).get("reason"))
            reasons = [_INCOMPLETE.get(reason, reason) if reason else "incomplete"]
        case "failed" | "cancelled":
            reasons = ["error"]
        case _:
            reasons = []
    call.finish_reasons = dict(enumerate(reasons))


def _message_of(body: dict[str, Any]) -> str | None:
    return text(body.get("message")) or text(obj(body.get("error")).get("message"))


def _message(item: dict[str, Any]) -> dict[str, Any]:
    """One item of `input` or `output` as a message."""
    kind = text(item.get("type")) or "message"
    match kind:
        case "message":
            return {"role": text(item.get("role")) or "user", "parts": list(parts_of(item.get("content")))}
        case "reasoning":
            said = [text(part.get("text")) or "" for key in ("summary", "content") for part in items(item.get(key))]
            return {"role": "assistant", "parts": [{"type": "reasoning", "content": "\n".join(said)}]}
        case "compaction":
            return {"role": "assistant", "parts": [{"type": "compaction", "id": text(item.get("id"))}]}
    if kind.endswith("_output"):
        part = {"type": "tool_call_response", "id": text(item.get("call_id")), "response": item.get("output")}
        return {"role": "tool", "parts": [part]}
    call_id = text(item.get("call_id")) or text(item.get("id"))
    if kind in _TOOL_CALLS:
        given = arguments(item.get("arguments", item.get("input", item.get("action"))))
        part = {"type": "tool_call", "id": call_id, "name": text(item.get("name")) or kind, "arguments": given}
    else:
        part = {"type": "server_tool_call", "id": call_id, "name": kind, "server_tool_call": {"type": kind}}
    return {"role": "assistant", "parts": [part]}


def _ends(data: bytes) -> bool:
    return b"response.completed" in data or b"response.incomplete" in data or b"response.failed" in data


DIALECT = Dialect(
    name="openai_responses",
    provider="openai",
    endpoints=("/responses", "/responses/compact"),
    methods=("POST", "GET"),
    ids=True,
    open=_open,
    finishes=True,
    read=_read,
    telling=(b'"response":', b'"error"', b"[DONE]"),
    ends=_ends,
)
