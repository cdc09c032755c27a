"""OpenAI's batches: a finished batch reports the tokens of all its calls at once.

Each look at a batch says the same again, so its id is the response id: whoever adds up counts it once.
"""

from __future__ import annotations

import re
from typing import Any

from taximeter.call import Call
from taximeter.dialect import Dialect, WireRequest
from taximeter.dialects._fields import integer, obj, text
from taximeter.dialects._openai import read_error, read_usage, shaped
from taximeter.framing import Frame

__all__ = ["DIALECT"]

_ENDPOINT = "/batches"
_BATCH = re.compile(r"/batches/batch[^/]+$")


def _open(request: WireRequest) -> Call | None:
    if request.path.endswith("/messages/batches") or "/messages/batches/" in request.path:
        return None  # Anthropic's
    if "/v1beta/" in request.path:
        return None  # Gemini's
    if request.method == "POST":
        if not request.path.endswith(_ENDPOINT) or not shaped(request, "input_file_id", "completion_window"):
            return None
    elif not _BATCH.search(request.path):
        return None
    call = Call("batch", response_id=request.segment("batches"))
    call.attributes["taximeter.processing"] = "batch"
    return call


def _read(call: Call, body: Any, frame: Frame) -> None:
    body = obj(body)
    if read_error(call, body):
        return
    call.response_id = text(body.get("id")) or call.response_id
    call.response_model = text(body.get("model"))
    call.status = text(body.get("status"))
    for name, count in obj(body.get("request_counts")).items():
        if (n := integer(count)) is not None:
            call.attributes[f"taximeter.batch.{name}"] = n
    if call.status in ("completed", "expired", "cancelled"):
        read_usage(call, obj(body.get("usage")))


DIALECT = Dialect(
    name="openai_batches",
    provider="openai",
    endpoints=(_ENDPOINT,),
    methods=("POST", "GET"),
    ids=True,
    open=_open,
    read=_read,
)
