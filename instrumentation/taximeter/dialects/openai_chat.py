"""OpenAI chat completions, and everyone who speaks them: Azure, Groq, Mistral, OpenRouter, vLLM, Ollama's /v1, ..."""

from __future__ import annotations

from typing import Any

from taximeter.call import Call, Content
from taximeter.dialect import Dialect, WireRequest
from taximeter.dialects._fields import arguments, integer, items, obj, text
from taximeter.dialects._openai import (
    append_piece,
    read_error,
    read_identity,
    read_messages,
    read_parameters,
    read_tools,
    read_usage,
    shaped,
)
from taximeter.framing import Frame

__all__ = ["DIALECT"]


def _open(request: WireRequest) -> Call | None:
    path = request.path
    # Mistral's fill-in-the-middle and agents take the same bodies and answer the same way.
    if not path.endswith(("/chat/completions", "/fim/completions", "/agents/completions")):
        return None
    body = request.json()
    if request.body and not shaped(request, "messages", "prompt", "model"):
        return None
    call = Call("chat", text(body.get("model")) or text(body.get("agent_id")) or request.segment("deployments"))
    call.attributes["openai.api.type"] = "chat_completions"
    read_parameters(call, body)
    call.state["hides_thoughts"] = request.host.endswith("googleapis.com")
    if request.prose:
        call.content = content = Content()
        read_messages(content, body.get("messages"))
        if prompt := text(body.get("prompt")):
            content.input.append({"role": "user", "parts": [{"type": "text", "content": prompt}]})
        read_tools(content, body.get("tools") or body.get("functions"))
    return call


def _read(call: Call, body: Any, frame: Frame) -> None:
    if frame.data == b"[DONE]":
        call.complete = True
        return
    body = obj(body)
    if "choices" not in body:
        body = _unwrapped(body)
    read_error(call, body)  # OpenRouter reports an error beside the usage that led to it
    read_identity(call, body)
    for at, choice in enumerate(items(body.get("choices"))):
        index = integer(choice.get("index"))
        index = at if index is None else index
        call.finish_reasons[index] = text(choice.get("finish_reason")) or call.finish_reasons.get(index)
        read_error(call, choice)
        if call.content is not None:
            _read_choice(call, call.content, index, choice)
    read_usage(call, obj(body.get("usage")))
    if call.stream and (groq := obj(body.get("x_groq"))):
        read_usage(call, obj(groq.get("usage")))
        read_error(call, groq)


def _unwrapped(body: dict[str, Any]) -> dict[str, Any]:
    """Cloudflare puts the answer into `result`, Mistral's raw stream its events into `data`."""
    for wrapper in ("result", "data"):
        if isinstance(inner := body.get(wrapper), dict):
            return inner
    return body


def _read_choice(call: Call, content: Content, index: int, choice: dict[str, Any]) -> None:
    """A choice in full, or the next piece of one."""
    if message := obj(choice.get("message")):
        alone = Content()
        read_messages(alone, [message])
        content.output += [{**said, "finish_reason": choice.get("finish_reason")} for said in alone.input]
        return
    delta = obj(choice.get("delta"))
    said = call.state.get(index)
    if said is None:
        said = call.state[index] = {"role": "assistant", "parts": [], "finish_reason": None}
        content.output.append(said)
    said["finish_reason"] = call.finish_reasons.get(index)
    parts = said["parts"]
    reasoning = text(delta.get("reasoning_content")) or text(delta.get("reasoning"))
    for kind, piece in (("reasoning", reasoning), ("text", delta.get("content")), ("text", delta.get("refusal"))):
        for more in [piece] if isinstance(piece, str) else [text(p.get("text")) for p in items(piece)]:
            if more:
                append_piece(parts, kind, more)
    for called in items(delta.get("tool_calls")):
        key = (index, "tool", integer(called.get("index")) or 0)
        function = obj(called.get("function"))
        part = call.state.get(key)
        if part is None:
            part = call.state[key] = {"type": "tool_call", "id": None, "name": "", "arguments": ""}
            parts.append(part)
        part["id"] = part["id"] or text(called.get("id"))
        part["name"] = part["name"] or text(function.get("name")) or ""
        if isinstance(part["arguments"], str):
            part["arguments"] += text(function.get("arguments")) or ""
    if call.finish_reasons.get(index):
        for part in parts:
            if part["type"] == "tool_call" and isinstance(part["arguments"], str):
                part["arguments"] = arguments(part["arguments"])


DIALECT = Dialect(
    name="openai_chat",
    provider="openai",
    endpoints=("/chat/completions", "/fim/completions", "/agents/completions"),
    open=_open,
    finishes=True,
    read=_read,
    telling=(b'_reason":"', b'_reason": "', b'_tokens"', b'"error"', b"[DONE]"),
)
