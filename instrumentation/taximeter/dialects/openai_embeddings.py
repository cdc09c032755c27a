"""Embeddings in OpenAI's shape: OpenAI, Azure, Mistral, Together, Voyage, Jina, vLLM, Ollama's /v1, ..."""

from __future__ import annotations

from typing import Any

from taximeter.call import Call
from taximeter.dialect import Dialect, WireRequest
from taximeter.dialects._fields import integer, obj, strings, text
from taximeter.dialects._openai import read_error, read_identity, read_usage, shaped
from taximeter.framing import Frame

__all__ = ["DIALECT"]


def _open(request: WireRequest) -> Call | None:
    if not request.path.endswith("/embeddings") or request.path.endswith("/api/embeddings"):
        return None
    if not shaped(request, "input", "inputs", "model"):
        return None
    body = request.json()
    call = Call("embeddings", text(body.get("model")) or request.segment("deployments"))
    call.dimension_count = integer(body.get("dimensions")) or integer(body.get("output_dimension"))
    call.encoding_formats = strings(body.get("encoding_format"))
    return call


def _read(call: Call, body: Any, frame: Frame) -> None:
    body = obj(body)
    if read_error(call, body):
        return
    read_identity(call, body)
    read_usage(call, obj(body.get("usage")))
    call.usage.output_tokens = None  # an embedding writes nothing; some servers say 0


DIALECT = Dialect(name="openai_embeddings", provider="openai", endpoints=("/embeddings",), open=_open, read=_read)
