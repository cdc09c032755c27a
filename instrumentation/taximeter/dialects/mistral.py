"""What Mistral has beyond OpenAI's shapes: conversations, OCR, and chat through Vertex AI."""

from __future__ import annotations

from typing import Any

from taximeter.call import Call, Content
from taximeter.dialect import Dialect, WireRequest
from taximeter.dialects import openai_chat
from taximeter.dialects._fields import integer, items, obj, strings, text
from taximeter.dialects._openai import (
    append_piece,
    parts_of,
    read_error,
    read_messages,
    read_parameters,
    read_tools,
    read_usage,
)
from taximeter.framing import Frame

__all__ = ["DIALECT"]

_VERTEX = (":rawPredict", ":streamRawPredict")


def _open(request: WireRequest) -> Call | None:
    path = request.path
    body = request.json()
    if path.endswith(_VERTEX):
        if "/publishers/mistralai/" not in path or "messages" not in body:
            return None
        call = Call("chat", text(body.get("model")) or request.segment("models"))
        read_parameters(call, body)
        call.stream = call.stream or path.endswith(":streamRawPredict")
        if request.prose:
            call.content = Content()
            read_messages(call.content, body.get("messages"))
            read_tools(call.content, body.get("tools"))
        return call
    if path.endswith("/ocr") and "document" in body:
        return Call("ocr", text(body.get("model")))
    if not _is_conversation(path) or "inputs" not in body:
        return None
    call = Call("chat", text(body.get("model")))
    read_parameters(call, obj(body.get("completion_args")))
    call.stream = body.get("stream") is True
    call.conversation_id = request.segment("conversations")
    if agent := text(body.get("agent_id")):
        call.attributes["gen_ai.agent.id"] = agent
    if request.prose:
        call.content = content = Content()
        given = body.get("inputs")
        if instructions := text(body.get("instructions")):
            content.system.append({"type": "text", "content": instructions})
        if isinstance(given, str):
            content.input.append({"role": "user", "parts": [{"type": "text", "content": given}]})
        read_messages(content, given)
        read_tools(content, body.get("tools"))
    return call


def _is_conversation(path: str) -> bool:
    return path.endswith("/conversations") or "/conversations/" in path


def _read(call: Call, body: Any, frame: Frame) -> None:
    body = obj(body)
    if "choices" in body or frame.data == b"[DONE]":
        openai_chat.DIALECT.read(call, body, frame)
        return
    if read_error(call, body):
        return
    kind = text(body.get("type")) or text(body.get("object")) or frame.event
    if kind == "conversation.response.error":
        call.fail(body.get("code"), body.get("message"))
        return
    call.conversation_id = text(body.get("conversation_id")) or call.conversation_id
    call.response_model = text(body.get("model")) or call.response_model
    for output in items(body.get("outputs")):
        call.response_model = text(output.get("model")) or call.response_model
    if kind in ("conversation.response.done", "conversation.response") or "usage" in body:
        call.complete = True
        read_usage(call, obj(body.get("usage")))
        called = any(output.get("type") == "function.call" for output in items(body.get("outputs")))
        call.finish_reasons[0] = "tool_calls" if called or call.state.get("called") else "stop"
    if kind == "function.call.delta":
        call.state["called"] = True
    if call.operation == "ocr":
        call.finish_reasons.clear()
        used = obj(body.get("usage_info"))
        if (pages := integer(used.get("pages_processed"))) is not None:
            call.attributes["taximeter.usage.pages"] = pages
    if call.content is not None:
        _read_answer(call.content, kind, body)


def _read_answer(content: Content, kind: str | None, body: dict[str, Any]) -> None:
    for output in items(body.get("outputs")):
        if output.get("type") == "message.output":
            content.output.append({"role": "assistant", "parts": list(parts_of(output.get("content")))})
    if kind == "message.output.delta":
        if not content.output:
            content.output.append({"role": "assistant", "parts": []})
        for piece in strings(body.get("content")) or ():
            append_piece(content.output[0]["parts"], "text", piece)


DIALECT = Dialect(
    name="mistral",
    provider="mistral_ai",
    endpoints=("/conversations", "/ocr", *_VERTEX),
    ids=True,
    open=_open,
    read=_read,
)
