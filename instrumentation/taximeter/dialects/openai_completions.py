"""OpenAI's legacy completions, which vLLM, Together, Fireworks and others still serve."""

from __future__ import annotations

from typing import Any

from taximeter.call import Call, Content
from taximeter.dialect import Dialect, WireRequest
from taximeter.dialects._fields import integer, items, obj, strings, text
from taximeter.dialects._openai import read_error, read_identity, read_parameters, read_usage, shaped
from taximeter.framing import Frame

__all__ = ["DIALECT"]

_OTHERS = ("/chat/completions", "/fim/completions", "/agents/completions")


def _open(request: WireRequest) -> Call | None:
    if not request.path.endswith("/completions") or request.path.endswith(_OTHERS):
        return None
    if not shaped(request, "prompt", "model"):
        return None
    body = request.json()
    call = Call("text_completion", text(body.get("model")) or request.segment("deployments"))
    call.attributes["openai.api.type"] = "completions"
    read_parameters(call, body)
    if request.prose:
        prompts = strings(body.get("prompt")) or []
        call.content = Content(
            input=[{"role": "user", "parts": [{"type": "text", "content": prompt}]} for prompt in prompts]
        )
    return call


def _read(call: Call, body: Any, frame: Frame) -> None:
    if frame.data == b"[DONE]":
        call.complete = True
        return
    body = obj(body)
    if read_error(call, body):
        return
    read_identity(call, body)
    for at, choice in enumerate(items(body.get("choices"))):
        index = integer(choice.get("index"))
        index = at if index is None else index
        reason = call.finish_reasons[index] = text(choice.get("finish_reason")) or call.finish_reasons.get(index)
        if call.content is not None:
            said = call.state.get(index)
            if said is None:
                said = call.state[index] = {"role": "assistant", "parts": [{"type": "text", "content": ""}]}
                call.content.output.append(said)
            said["parts"][0]["content"] += text(choice.get("text")) or ""
            said["finish_reason"] = reason
    read_usage(call, obj(body.get("usage")))


DIALECT = Dialect(name="openai_completions", provider="openai", endpoints=("/completions",), open=_open, read=_read)
