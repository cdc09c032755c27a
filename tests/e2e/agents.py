"""What coding agents have been recorded to send, as requests that can be sent again."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from taximeter_collector.receive.otlp_json import to_protobuf
from taximeter_collector.receive.shape import SHAPES

__all__ = ["recorded"]

CORPUS = Path(__file__).parents[1] / "collector" / "corpus"
SHAPE = {shape.signal.name.lower(): shape.request for shape in SHAPES}
TIMES = ("timeUnixNano", "startTimeUnixNano", "endTimeUnixNano", "observedTimeUnixNano")


def recorded(entry: str, *, now: bool = False) -> Iterator[tuple[str, bytes]]:
    """An entry of the corpus: each request's signal, and the request. With `now`, it ends at this moment."""
    text = (CORPUS / f"{entry}.json").read_text("utf-8")
    agent, _, name = entry.partition("/")
    # They were all answered by one provider, whose answers had the same ids for each: two agents' would be one call.
    text = text.replace("turn00000000", name[:12].ljust(12, "0"))
    # So are the names that recording gave to sessions.
    told = json.loads(re.sub(r'"(?:session|conversation)-(\d)"', rf'"{agent}-session-\1"', text))["requests"]
    shift = time.time_ns() - max(moment for one in told for moment in _moments(one["otlp"])) if now else 0
    for one in told:
        moved = _moved(one["otlp"], shift)
        yield one["signal"], to_protobuf(SHAPE[one["signal"]].DESCRIPTOR, json.dumps(moved).encode())


def _moments(value: Any) -> Iterator[int]:
    if isinstance(value, dict):
        for key, one in value.items():
            if key in TIMES and int(one):
                yield int(one)
            yield from _moments(one)
    elif isinstance(value, list):
        for one in value:
            yield from _moments(one)


def _moved(value: Any, shift: int) -> Any:
    if isinstance(value, dict):
        return {
            key: str(int(one) + shift) if key in TIMES and int(one) else _moved(one, shift)
            for key, one in value.items()
        }
    return [_moved(one, shift) for one in value] if isinstance(value, list) else value
