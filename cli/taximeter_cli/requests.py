"""Export requests of the journal for people and programs: a line, or OTLP's JSON."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from taximeter_collector.journal import Record, Signal
from taximeter_collector.receive.shape import SHAPES

__all__ = ["as_json", "as_line", "moment"]

_REQUESTS = {shape.signal: shape.request for shape in SHAPES}
_ITEMS = {Signal.TRACES: "spans", Signal.METRICS: "points", Signal.LOGS: "logs"}
_IDS = ("traceId", "spanId", "parentSpanId")


def as_line(record: Record) -> str:
    """A record in one line: when, what, how much, from whom.

    >>> as_line(Record(7, 1_800_000_000_000_000_000, Signal.TRACES, 0, "ci", b""))
    '2027-01-15 08:00:00.000      7 traces       0 spans       0 B  [ci]'
    """
    about = (*_services(record), *([f"[{_printable(record.sender)}]"] if record.sender else []))
    return (
        f"{moment(record.received_unix_nano)} {record.position:6} {record.signal.name.lower():7} "
        f"{record.items:6} {_ITEMS[record.signal]:6} {_size(len(record.payload)):>8}  {' '.join(about)}"
    ).rstrip()


def as_json(record: Record) -> str:
    """A record as one line of JSON, with the request as OTLP writes it: ids in hexadecimal, enums as numbers."""
    entry = {
        "position": record.position,
        "received_unix_nano": record.received_unix_nano,
        "signal": record.signal.name.lower(),
        "items": record.items,
        "sender": record.sender,
    }
    try:
        request = MessageToDict(_REQUESTS[record.signal].FromString(record.payload), use_integers_for_enums=True)
        return json.dumps(entry | {"request": _with_hexadecimal_ids(request)})
    except DecodeError as error:
        return json.dumps(entry | {"error": str(error), "payload": base64.b64encode(record.payload).decode()})


def moment(unix_nano: int) -> str:
    """A time to the millisecond, UTC."""
    seconds, nanoseconds = divmod(unix_nano, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{nanoseconds // 10**6:03}"


def _services(record: Record) -> list[str]:
    """The names of the services in a request, each once."""
    try:
        request = _REQUESTS[record.signal].FromString(record.payload)
    except DecodeError:
        return ["(cannot be decoded)"]
    resources = getattr(request, request.DESCRIPTOR.fields[0].name)
    names = [
        attribute.value.string_value
        for of_resource in resources
        for attribute in of_resource.resource.attributes
        if attribute.key == "service.name"
    ]
    return [_printable(name) for name in dict.fromkeys(names)]


def _printable(text: str) -> str:
    """What a sender says must not be able to write on a terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _with_hexadecimal_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_hexadecimal_ids(item) for item in value]
    if isinstance(value, dict):
        return {
            key: base64.b64decode(item).hex() if key in _IDS and isinstance(item, str) else _with_hexadecimal_ids(item)
            for key, item in value.items()
        }
    return value


def _size(size: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
