"""What looking at a request costs at the door: our check, and the alternatives that were measured for it.

python bench/checks.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import ptars
from google.protobuf import descriptor_pb2, descriptor_pool
from payloads import spans_request
from taximeter_collector.receive.shape import SHAPES, check

TRACES = SHAPES[0]
ROUNDS, CALLS = 9, 100
BYTES, TEXT, FIXED64, INT32 = 12, 9, 6, 5


def main() -> None:
    shallow, with_keys = _columnar(attributes_as_bytes=True), _columnar(attributes_as_bytes=False)
    ways: dict[str, Callable[[bytes], Any]] = {
        "ours: protobuf's parser, and a look at the ids": lambda body: check(TRACES, body),
        "protobuf's parser alone": TRACES.request.FromString,
        "columns (ptars), attributes left as bytes": lambda body: shallow.list_to_record_batch([body]),
        "columns (ptars), attributes with their keys": lambda body: with_keys.list_to_record_batch([body]),
    }
    for spans in (512, 1):
        bodies = [spans_request(spans, seed) for seed in range(16)]
        for name, way in ways.items():
            cost = statistics.median(_cost_s(way, bodies) for _ in range(ROUNDS))
            print(f"{spans:4} spans  {name:46} {cost * 1e6:8.1f} us, {spans / cost:12,.0f} spans per CPU second")


def _cost_s(way: Callable[[bytes], Any], bodies: list[bytes]) -> float:
    started = time.process_time()
    for number in range(CALLS):
        way(bodies[number % len(bodies)])
    return (time.process_time() - started) / CALLS


def _columnar(*, attributes_as_bytes: bool) -> Any:
    """A decoder into Arrow for a description of the request that stops at the attributes."""
    file = descriptor_pb2.FileDescriptorProto(name=f"shallow{attributes_as_bytes}.proto", syntax="proto3", package="s")
    attribute = BYTES if attributes_as_bytes else "Attribute"
    _message(file, "Attribute", ("key", 1, TEXT, False), ("value", 2, BYTES, False))
    _message(file, "Status", ("message", 2, TEXT, False), ("code", 3, INT32, False))
    _message(
        file,
        "Span",
        ("trace_id", 1, BYTES, False),
        ("span_id", 2, BYTES, False),
        ("parent_span_id", 4, BYTES, False),
        ("name", 5, TEXT, False),
        ("kind", 6, INT32, False),
        ("start", 7, FIXED64, False),
        ("end", 8, FIXED64, False),
        ("attributes", 9, attribute, True),
        ("events", 11, BYTES, True),
        ("links", 13, BYTES, True),
        ("status", 15, "Status", False),
    )
    _message(file, "OfScope", ("scope", 1, BYTES, False), ("spans", 2, "Span", True))
    _message(file, "OfResource", ("resource", 1, BYTES, False), ("scope_spans", 2, "OfScope", True))
    _message(file, "Request", ("resource_spans", 1, "OfResource", True))
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    found = pool.FindFileByName(file.name)
    return ptars.HandlerPool([found]).get_for_message(found.message_types_by_name["Request"])


def _message(file: Any, name: str, *fields: tuple[str, int, Any, bool]) -> None:
    message = file.message_type.add(name=name)
    for field_name, number, kind, repeated in fields:
        field = message.field.add(name=field_name, number=number, label=3 if repeated else 1)
        if isinstance(kind, str):
            field.type, field.type_name = 11, f".s.{kind}"
        else:
            field.type = kind


if __name__ == "__main__":
    main()
