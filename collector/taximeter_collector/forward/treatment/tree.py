"""One item, resource or scope taken apart down to its texts, and written again: for the few that have to be changed.

What is not changed is written as it was, byte for byte. The descriptors of OTLP say where texts are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, ResourceMetrics, ScopeMetrics
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from taximeter_collector.forward.treatment.wire import LENGTHS, SIZED, Malformed, fields_of, varint
from taximeter_collector.journal import Signal

__all__ = ["ITEMS", "RESOURCES", "SCOPES", "Branch", "Leaf", "Part", "Unknown", "leaves", "read_tree", "written"]

ITEMS: dict[Signal, Descriptor] = {
    Signal.TRACES: Span.DESCRIPTOR,
    Signal.LOGS: LogRecord.DESCRIPTOR,
    Signal.METRICS: Metric.DESCRIPTOR,
}
SCOPES: dict[Signal, Descriptor] = {
    Signal.TRACES: ScopeSpans.DESCRIPTOR,
    Signal.LOGS: ScopeLogs.DESCRIPTOR,
    Signal.METRICS: ScopeMetrics.DESCRIPTOR,
}
RESOURCES: dict[Signal, Descriptor] = {
    Signal.TRACES: ResourceSpans.DESCRIPTOR,
    Signal.LOGS: ResourceLogs.DESCRIPTOR,
    Signal.METRICS: ResourceMetrics.DESCRIPTOR,
}
_MOST_DEPTH = 100  # as protobuf's own parsers have it
_TEXT, _BOOL, _INT, _DOUBLE, _BYTES = 1, 2, 3, 4, 7  # fields of an AnyValue

Kind: TypeAlias = Literal["text", "bytes", "int", "double", "bool"]
_OF_VALUE: dict[int, tuple[Kind, int]] = {
    _TEXT: ("text", SIZED),
    _BOOL: ("bool", 0),
    _INT: ("int", 0),
    _DOUBLE: ("double", 1),
    _BYTES: ("bytes", SIZED),
}


@dataclass(slots=True)
class Leaf:
    """A text, or whatever an attribute's value may be instead of one."""

    tag: int
    kind: Kind
    raw: bytes
    """The whole field."""
    content: bytes
    instead: bytes | None = None
    """The whole field that is written instead."""


@dataclass(slots=True)
class Unknown:
    """A field with a length that this version knows nothing of: it may hold anything."""

    raw: bytes
    instead: bytes | None = None


@dataclass(slots=True)
class Branch:
    """A message. `tag` is 0 for the outermost one, which is no field of another."""

    tag: int
    name: str
    raw: bytes
    parts: list[Part] = field(default_factory=list)
    instead: bytes | None = None

    @property
    def is_pair(self) -> bool:
        return self.name == KeyValue.DESCRIPTOR.full_name

    @property
    def is_value(self) -> bool:
        return self.name == AnyValue.DESCRIPTOR.full_name


Part: TypeAlias = Leaf | Unknown | Branch | bytes


def read_tree(descriptor: Descriptor, data: bytes) -> Branch:
    """What is in a message. Malformed for what is none."""
    return _branch(0, descriptor, data, data, 0)


def _branch(tag: int, descriptor: Descriptor, raw: bytes, content: bytes, depth: int) -> Branch:
    if depth > _MOST_DEPTH:
        raise Malformed("values in values, too deep")
    branch = Branch(tag, descriptor.full_name, raw)
    known = _fields(descriptor)
    for field_tag, begin, inner, end in fields_of(content):
        branch.parts.append(_part(field_tag, known.get(field_tag >> 3), content, begin, inner, end, depth))
    return branch


def _part(
    tag: int, known: FieldDescriptor | None, content: bytes, begin: int, inner: int, end: int, depth: int
) -> Part:
    raw = content[begin:end]
    if known is not None and known.containing_type is AnyValue.DESCRIPTOR and known.number in _OF_VALUE:
        kind, wire = _OF_VALUE[known.number]
        return Leaf(tag, kind, raw, _checked(kind, content[inner:end])) if tag & 7 == wire else raw
    if tag & 7 != SIZED:
        return raw
    if known is None:
        return Unknown(raw)
    if known.message_type is not None:
        return _branch(tag, known.message_type, raw, content[inner:end], depth + 1)
    if known.type == FieldDescriptor.TYPE_STRING:
        return Leaf(tag, "text", raw, _checked("text", content[inner:end]))
    return raw


def _checked(kind: Kind, content: bytes) -> bytes:
    if kind == "text" and not content.isascii():
        try:
            content.decode()
        except UnicodeDecodeError as error:
            raise Malformed("a text that is not UTF-8") from error
    return content


@cache
def _fields(descriptor: Descriptor) -> dict[int, FieldDescriptor]:
    return dict(descriptor.fields_by_number)


def leaves(branch: Branch) -> Iterator[tuple[Branch, Leaf]]:
    """Every leaf, and what it is in."""
    for part in branch.parts:
        if isinstance(part, Leaf):
            yield branch, part
        elif isinstance(part, Branch):
            yield from leaves(part)


def written(branch: Branch) -> bytes:
    """The whole field again, or of the outermost message its content; what has not changed is the same object."""
    if branch.instead is not None:
        return branch.instead
    pieces: list[bytes] = []
    changed = False
    for part in branch.parts:
        if isinstance(part, bytes):
            pieces.append(part)
            continue
        piece = written(part) if isinstance(part, Branch) else part.raw if part.instead is None else part.instead
        changed |= piece is not part.raw
        pieces.append(piece)
    if not changed:
        return branch.raw
    content = b"".join(pieces)
    return b"".join((varint(branch.tag), LENGTHS[len(content)], content)) if branch.tag else content
