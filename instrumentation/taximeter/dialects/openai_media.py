"""OpenAI's images and audio, whole and streamed, and the servers that copy them (Groq, Mistral, xAI, Together, ...).

The conventions have no names for these operations yet; ours are `image_generation`, `transcription` and `speech`.
"""

from __future__ import annotations

from typing import Any

from taximeter.call import Call
from taximeter.dialect import Dialect, WireRequest
from taximeter.dialects._fields import integer, more_than_one, number, obj, text
from taximeter.dialects._openai import read_error, read_identity, read_usage
from taximeter.framing import Frame

__all__ = ["DIALECT"]

_OPERATIONS = {
    "/images/generations": ("image_generation", "image"),
    "/images/edits": ("image_generation", "image"),
    "/images/variations": ("image_generation", "image"),
    "/audio/speech": ("speech", "speech"),
    "/audio/transcriptions": ("transcription", "text"),
    "/audio/translations": ("transcription", "text"),
}


def _open(request: WireRequest) -> Call | None:
    ending = next((ending for ending in _OPERATIONS if request.path.endswith(ending)), None)
    if ending is None:
        return None
    operation, output_type = _OPERATIONS[ending]
    body = request.json()
    call = Call(operation, text(body.get("model")) or request.segment("deployments"), output_type=output_type)
    call.stream = body.get("stream") in (True, "true", "True") or body.get("stream_format") == "sse"
    call.choice_count = more_than_one(body.get("n"))
    if operation == "speech" and (spoken := text(body.get("input"))):
        call.attributes["taximeter.usage.characters"] = len(spoken)
    return call


def _read(call: Call, body: Any, frame: Frame) -> None:
    if frame.data == b"[DONE]":
        call.complete = True
        return
    body = obj(body)
    if read_error(call, body):
        return
    read_identity(call, body)
    usage = obj(body.get("usage"))
    read_usage(call, usage)
    call.complete = call.complete or (text(body.get("type")) or "").endswith((".done", ".completed"))
    # whisper-1 is billed by the second and says so here, or at the top of its verbose answer.
    seconds = number(usage.get("seconds")) if usage else number(body.get("duration"))
    if seconds is not None:
        call.attributes["taximeter.usage.audio_seconds"] = seconds
    if call.operation == "image_generation" and isinstance(body.get("data"), list):
        call.attributes["taximeter.usage.images"] = len(body["data"])
    svg = obj(body.get("svg_usage"))
    for name in ("input_tokens", "output_tokens", "reasoning_tokens"):
        if (count := integer(svg.get(name))) is not None:
            call.attributes[f"taximeter.usage.svg.{name}"] = count


DIALECT = Dialect(name="openai_media", provider="openai", endpoints=tuple(_OPERATIONS), open=_open, read=_read)
