"""Ollama's own API: chat, generate and embed. It streams unless it is told not to."""

from __future__ import annotations

from typing import Any

from taximeter.call import Call, Content
from taximeter.dialect import Dialect, WireRequest
from taximeter.dialects._fields import integer, number, obj, strings, text
from taximeter.dialects._openai import append_piece, read_messages, read_tools
from taximeter.framing import Frame

__all__ = ["DIALECT"]

_OPERATIONS = {
    "/api/chat": "chat",
    "/api/generate": "text_completion",
    "/api/embed": "embeddings",
    "/api/embeddings": "embeddings",
}
_ASKS = {"/api/chat": "messages", "/api/generate": "model", "/api/embed": "input", "/api/embeddings": "prompt"}


def _open(request: WireRequest) -> Call | None:
    ending = next((ending for ending in _OPERATIONS if request.path.endswith(ending)), None)
    if ending is None:
        return None
    body = request.json()
    # Other people's apps have an /api/chat too; theirs name no model beside the messages.
    if _ASKS[ending] not in body or not text(body.get("model")):
        return None
    call = Call(_OPERATIONS[ending], text(body.get("model")))
    call.dimension_count = integer(body.get("dimensions"))
    options = obj(body.get("options"))
    call.stream = body.get("stream") is not False and call.operation != "embeddings"
    call.max_tokens = integer(options.get("num_predict"))
    call.temperature = number(options.get("temperature"))
    call.top_p = number(options.get("top_p"))
    call.top_k = integer(options.get("top_k"))
    call.frequency_penalty = number(options.get("frequency_penalty"))
    call.presence_penalty = number(options.get("presence_penalty"))
    call.stop_sequences = strings(options.get("stop"))
    call.seed = integer(options.get("seed"))
    call.reasoning_level = text(body.get("think"))
    if body.get("format"):
        call.output_type = "json"
    if request.prose and call.operation != "embeddings":
        call.content = content = Content()
        if system := text(body.get("system")):
            content.system.append({"type": "text", "content": system})
        if prompt := text(body.get("prompt")):
            content.input.append({"role": "user", "parts": [{"type": "text", "content": prompt}]})
        read_messages(content, body.get("messages"))
        read_tools(content, body.get("tools"))
    return call


def _read(call: Call, body: Any, frame: Frame) -> None:
    body = obj(body)
    if error := text(body.get("error")):
        call.fail("_OTHER", error)
        return
    call.response_model = text(body.get("model")) or call.response_model
    if call.content is not None:
        _read_piece(call.content, body)
    if call.operation == "embeddings" or body.get("done") is True:
        call.complete = True
        call.usage.input_tokens = integer(body.get("prompt_eval_count"))
        call.usage.output_tokens = integer(body.get("eval_count"))
        if call.operation != "embeddings":
            call.finish_reasons[0] = text(body.get("done_reason")) or "stop"


def _read_piece(content: Content, body: dict[str, Any]) -> None:
    if not content.output:
        content.output.append({"role": "assistant", "parts": []})
    said = content.output[0]
    alone = Content()
    message = obj(body.get("message"))
    if thought := text(message.get("thinking")) or text(body.get("thinking")):
        append_piece(said["parts"], "reasoning", thought)
    read_messages(alone, [message or {"content": body.get("response")}])
    for part in alone.input[0]["parts"]:
        if part["type"] == "text":
            append_piece(said["parts"], "text", part["content"])
        else:
            said["parts"].append(part)
    if body.get("done") is True:
        said["finish_reason"] = text(body.get("done_reason")) or "stop"


def _ends(data: bytes) -> bool:
    return b'"done":true' in data


DIALECT = Dialect(
    name="ollama",
    provider="ollama",
    endpoints=tuple(_OPERATIONS),
    open=_open,
    finishes=True,
    read=_read,
    telling=(b'"done":true', b'"done": true', b'"error"'),
    ends=_ends,
)
