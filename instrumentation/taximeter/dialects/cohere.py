"""Cohere's own APIs: chat (v1 and v2), generate, summarize, classify, embed and rerank.

Cohere counts twice: `tokens` is what the model saw, `billed_units` what is charged. The conventions want the billed
ones. A rerank is billed in searches, which are no tokens.
"""

from __future__ import annotations

from typing import Any

from taximeter.call import Call, Content
from taximeter.dialect import Dialect, WireRequest
from taximeter.dialects import openai_chat
from taximeter.dialects._fields import arguments, integer, items, more_than_one, number, obj, strings, text
from taximeter.dialects._openai import append_piece, read_messages, read_tools
from taximeter.framing import Frame

__all__ = ["DIALECT"]

_OPERATIONS = {
    "/chat": "chat",
    "/generate": "text_completion",
    "/summarize": "text_completion",
    "/classify": "classify",
    "/embed": "embeddings",
    "/rerank": "rerank",
}
_ENDPOINTS = tuple(f"/{version}{ending}" for version in ("v1", "v2") for ending in _OPERATIONS)
_ASKS = ("message", "messages", "prompt", "text", "texts", "inputs", "images", "documents")


def _open(request: WireRequest) -> Call | None:
    if not request.path.endswith(_ENDPOINTS):
        return None
    body = request.json()
    if not any(key in body for key in _ASKS):
        return None
    if "model" not in body and "cohere" not in request.host + request.headers.get("user-agent", "").lower():
        return None  # it may be left out there, and only there
    call = Call(_OPERATIONS[request.path[request.path.rindex("/") :]], text(body.get("model")))
    call.stream = body.get("stream") is True
    call.max_tokens = integer(body.get("max_tokens"))
    call.temperature = number(body.get("temperature"))
    call.top_p = number(body.get("p"))
    call.top_k = integer(body.get("k"))
    call.frequency_penalty = number(body.get("frequency_penalty"))
    call.presence_penalty = number(body.get("presence_penalty"))
    call.stop_sequences = strings(body.get("stop_sequences"))
    call.seed = integer(body.get("seed"))
    call.choice_count = more_than_one(body.get("num_generations"))
    call.conversation_id = text(body.get("conversation_id"))
    call.output_type = {"json_object": "json", "text": "text"}.get(
        text(obj(body.get("response_format")).get("type")) or ""
    )
    call.encoding_formats = strings(body.get("embedding_types"))
    call.dimension_count = integer(body.get("output_dimension"))
    if request.prose and call.operation in ("chat", "text_completion"):
        call.content = Content()
        _read_request_content(call.content, body)
    return call


def _read(call: Call, body: Any, frame: Frame) -> None:
    if frame.data == b"[DONE]":
        call.complete = True
        return
    body = obj(body)
    if "choices" in body:  # others have a /v1/chat too, with OpenAI's answers: Writer
        openai_chat.DIALECT.read(call, body, frame)
        return
    kind = text(body.get("type")) or text(body.get("event_type"))
    match kind:
        case "message-start":
            call.response_id = text(body.get("id")) or call.response_id
        case "message-end":
            delta = obj(body.get("delta"))
            if failed := text(delta.get("error")):
                call.fail("ERROR", failed)
            _read_end(call, delta)
        case "stream-start":
            call.response_id = text(body.get("generation_id")) or call.response_id
        case "stream-end":
            call.finish_reasons[0] = _finish_reason(body.get("finish_reason"))
            _read_end(call, obj(body.get("response")))
        case "stream-error":
            call.fail("stream-error", body.get("err"))
        case _:
            if "message" in body and isinstance(body["message"], str) and "finish_reason" not in body and not kind:
                call.fail("_OTHER", body["message"])
            elif kind is None or "is_finished" in body:
                _read_end(call, body)
    if call.content is not None:
        _read_answer(call, call.content, kind, body)


def _read_end(call: Call, body: dict[str, Any]) -> None:
    call.complete = True
    call.response_id = (
        text(body.get("id")) or text(body.get("response_id")) or text(body.get("generation_id")) or call.response_id
    )
    call.response_model = text(body.get("model")) or call.response_model
    generations = list(items(body.get("generations")))
    for index, said in enumerate(generations or [body]):
        if reason := _finish_reason(said.get("finish_reason")):
            call.finish_reasons[index] = reason
    _read_usage(call, obj(body.get("usage")) or obj(body.get("meta")))


def _finish_reason(reason: object) -> str | None:
    name = text(reason)
    return name.lower() if name else None


def _read_usage(call: Call, usage: dict[str, Any]) -> None:
    billed, counted = obj(usage.get("billed_units")), obj(usage.get("tokens"))
    mine = call.usage
    mine.input_tokens = _first(billed, counted, "input_tokens")
    mine.output_tokens = _first(billed, counted, "output_tokens")
    mine.image_input_tokens = integer(billed.get("image_tokens"))
    if mine.input_tokens is None:  # a rerank, by Voyage or Jina
        mine.input_tokens = integer(usage.get("total_tokens"))
    cached = integer(usage.get("cached_tokens"))
    if cached is not None and (mine.input_tokens is None or cached <= mine.input_tokens):
        mine.cache_read_tokens = cached
    elif cached is not None:  # of what the model saw, most of which is not billed
        call.attributes["taximeter.usage.unbilled.cache_read_tokens"] = cached
    if (reasoning := integer(counted.get("reasoning_tokens"))) is not None:
        if mine.output_tokens is None or reasoning <= mine.output_tokens:
            mine.reasoning_tokens = reasoning
    for name in ("search_units", "classifications", "images", "pages"):
        if (count := number(billed.get(name))) is not None:
            call.attributes[f"taximeter.usage.{name}"] = count
    for name in ("input_tokens", "output_tokens"):
        if (count := integer(counted.get(name))) is not None and count != getattr(mine, name):
            call.attributes[f"taximeter.usage.unbilled.{name}"] = count


def _first(billed: dict[str, Any], counted: dict[str, Any], name: str) -> int | None:
    count = integer(billed.get(name))
    return count if count is not None else integer(counted.get(name))


# ---------------------------------------------------------------------------------------------------------------------
# Content

_ROLES = {"CHATBOT": "assistant", "USER": "user", "SYSTEM": "system", "TOOL": "tool"}


def _read_request_content(content: Content, body: dict[str, Any]) -> None:
    if preamble := text(body.get("preamble")):
        content.system.append({"type": "text", "content": preamble})
    for turn in items(body.get("chat_history")):
        role = text(turn.get("role")) or "USER"
        said = {"type": "text", "content": text(turn.get("message")) or ""}
        content.input.append({"role": _ROLES.get(role, role.lower()), "parts": [said]})
    asked = text(body.get("message")) or text(body.get("prompt")) or text(body.get("text"))
    if asked:
        content.input.append({"role": "user", "parts": [{"type": "text", "content": asked}]})
    read_messages(content, body.get("messages"))
    read_tools(content, body.get("tools"))


def _read_answer(call: Call, content: Content, kind: str | None, body: dict[str, Any]) -> None:
    if kind is None and not content.output:
        alone = Content()
        if isinstance(body.get("message"), dict):
            read_messages(alone, [{"role": "assistant", **body["message"]}])
        elif said := text(body.get("text")) or text(body.get("summary")):
            alone.input.append({"role": "assistant", "parts": [{"type": "text", "content": said}]})
        for generation in items(body.get("generations")):
            part = {"type": "text", "content": text(generation.get("text")) or ""}
            alone.input.append({"role": "assistant", "parts": [part]})
        content.output = [{**m, "finish_reason": call.finish_reasons.get(i)} for i, m in enumerate(alone.input)]
        return
    if not content.output:
        content.output.append({"role": "assistant", "parts": []})
    parts = content.output[0]["parts"]
    message = obj(obj(body.get("delta")).get("message"))
    match kind:
        case "text-generation":
            append_piece(parts, "text", text(body.get("text")) or "")
        case "content-delta":
            piece = obj(message.get("content"))
            if said := text(piece.get("thinking")):
                append_piece(parts, "reasoning", said)
            elif said := text(piece.get("text")):
                append_piece(parts, "text", said)
        case "tool-call-start":
            called = obj(message.get("tool_calls"))
            name = text(obj(called.get("function")).get("name")) or ""
            parts.append({"type": "tool_call", "id": text(called.get("id")), "name": name, "arguments": ""})
        case "tool-call-delta" if parts and parts[-1]["type"] == "tool_call":
            function = obj(obj(message.get("tool_calls")).get("function"))
            parts[-1]["arguments"] += text(function.get("arguments")) or ""
        case "tool-call-end" if parts and parts[-1]["type"] == "tool_call":
            parts[-1]["arguments"] = arguments(parts[-1]["arguments"])


def _ends(data: bytes) -> bool:
    return b"message-end" in data or b'"stream-end"' in data


DIALECT = Dialect(
    name="cohere",
    provider="cohere",
    endpoints=_ENDPOINTS,
    open=_open,
    finishes=True,
    read=_read,
    telling=(
        b"message-",
        b"stream-",
        b'"is_finished":true',
        b'"is_finished": true',
        b'_reason":"',
        b'_reason": "',
        b'_tokens"',
        b'"error"',
        b"[DONE]",
    ),
    ends=_ends,
)
