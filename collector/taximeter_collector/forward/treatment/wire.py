"""OTLP requests as the bytes they are: where each resource, scope and item lies, and requests written from such slices.

A request is resources, a resource is scopes, a scope is items, in all three signals; every one of these is a field with
a tag, a length, and its content. What stands beside them is kept as it is, known or not, in its order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

__all__ = [
    "LENGTHS",
    "SIZED",
    "Malformed",
    "Node",
    "Request",
    "fields_of",
    "read_request",
    "read_varint",
    "sized",
    "varint",
]

SIZED = 2
_RESOURCES, _SCOPES, _ITEMS = 0x0A, 0x12, 0x12  # tags of the fields 1, 2 and 2, which have a length
_LARGEST_VARINT_BYTES = 10


class Malformed(ValueError):
    """Bytes that are no protobuf."""


class _Lengths(dict[int, bytes]):
    """Varints, remembered: lengths of records repeat."""

    def __missing__(self, number: int) -> bytes:
        written = varint(number)
        if number < 1 << 14:
            self[number] = written
        return written


def varint(number: int) -> bytes:
    """A number as protobuf writes it.

    >>> varint(300).hex()
    'ac02'
    """
    written = bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


LENGTHS = _Lengths()


def sized(tag: int, content: bytes) -> bytes:
    """A field that has a length; its tag must be of one byte."""
    return b"".join((bytes((tag,)), LENGTHS[len(content)], content))


def read_varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A number, and where it ends."""
    if at + 1 < end:  # nearly all have a byte or two
        byte, more = data[at], data[at + 1]
        if byte < 0x80:
            return byte, at + 1
        if more < 0x80:
            return byte & 0x7F | more << 7, at + 2
    number = shift = 0
    for place in range(at, min(end, at + _LARGEST_VARINT_BYTES)):
        byte = data[place]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place + 1
        shift += 7
    raise Malformed("a number that does not end")


def fields_of(data: bytes, at: int = 0, end: int | None = None) -> Iterator[tuple[int, int, int, int]]:
    """Each field: its tag, where it begins, where its content begins, where it ends.

    The content of a field without a length is its number.
    """
    end = len(data) if end is None else end
    while at < end:
        begin = at
        tag, at = (data[at], at + 1) if data[at] < 0x80 else read_varint(data, at, end)
        content, at = _passed(data, at, end, tag)
        yield tag, begin, content, at


def _passed(data: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """Where a field's content begins, and where it ends."""
    kind = tag & 7
    if tag < 8:
        raise Malformed("a field without a number")
    if kind == SIZED:
        size, content = read_varint(data, at, end)
        behind = content + size
    elif kind == 0:
        content, behind = at, read_varint(data, at, end)[1]
    elif kind in (1, 5):
        content, behind = at, at + (8 if kind == 1 else 4)
    else:
        raise Malformed(f"a field of kind {kind}")
    if behind > end:
        raise Malformed("a field that is longer than what it is in")
    return content, behind


@dataclass(slots=True, weakref_slot=True, eq=False)
class Node:
    """A resource, with its scopes; or a scope, with its items. `beside[i]` stands before the run `runs[i]`."""

    begin: int
    end: int
    """The whole field, with its tag."""
    beside: Sequence[bytes] = ()
    """Other fields than the parts; one more than there are runs."""
    runs: Sequence[tuple[int, int]] = ()
    """Parts that stand side by side, by their numbers: of scopes in the resource, of items in the request."""
    scopes: Sequence[Node] = ()
    content: int = 0
    """Where its fields begin."""

    @property
    def shared(self) -> bytes:
        """What is said of all its parts."""
        return b"".join(self.beside)


@dataclass(slots=True)
class Request:
    """An export request. Items are numbered through all of it."""

    payload: bytes
    resources: Sequence[Node] = ()
    beside: Sequence[bytes] = ()
    runs: Sequence[tuple[int, int]] = ()
    begins: list[int] = field(default_factory=list)
    contents: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.begins)

    def item(self, number: int) -> bytes:
        """The content of an item."""
        return self.payload[self.contents[number] : self.ends[number]]


def read_request(payload: bytes) -> Request:
    """Where everything is. Malformed for what is no request."""
    request = Request(payload)
    end = len(payload)
    try:
        request.resources, request.beside, request.runs = _parts(payload, 0, end, _RESOURCES)
        for resource in request.resources:
            resource.scopes, resource.beside, resource.runs = _parts(payload, resource.content, resource.end, _SCOPES)
            for scope in resource.scopes:
                _read_items(request, scope)
    except IndexError:
        raise Malformed("a field that is longer than what it is in") from None
    return request


def _parts(data: bytes, at: int, end: int, wanted: int) -> tuple[list[Node], list[bytes], list[tuple[int, int]]]:
    """The parts of a message, what stands beside them, and which of them stand side by side."""
    nodes, beside, runs, since = list[Node](), list[bytes](), list[tuple[int, int]](), at
    while at < end:
        if data[at] != wanted:
            tag, content = read_varint(data, at, end)
            _, at = _passed(data, content, end, tag)
            continue
        beside.append(data[since:at])
        first = len(nodes)
        while at < end and data[at] == wanted:
            begin, size = at, data[at + 1]
            if size < 0x80:
                at += 2
            else:
                size, at = read_varint(data, at + 1, end)
            nodes.append(Node(begin, at + size, content=at))
            at += size
            if at > end:
                raise Malformed("a field that is longer than what it is in")
        runs.append((first, len(nodes)))
        since = at
    beside.append(data[since:end])
    return nodes, beside, runs


def _read_items(request: Request, scope: Node) -> None:
    data, end = request.payload, scope.end
    at = since = scope.content
    beside, runs = list[bytes](), list[tuple[int, int]]()
    while at < end:
        if data[at] == _ITEMS:
            first = len(request.begins)
            beside.append(data[since:at])
            at = since = _read_run(request, at, end)
            runs.append((first, len(request.begins)))
        else:
            tag, content = read_varint(data, at, end)
            _, at = _passed(data, content, end, tag)
    beside.append(data[since:end])
    scope.beside, scope.runs = beside, runs


def _read_run(request: Request, at: int, end: int) -> int:
    """Items side by side: nearly all of a request is in this loop."""
    data, begins, contents, ends = request.payload, request.begins, request.contents, request.ends
    while at < end and data[at] == _ITEMS:
        begins.append(at)
        size = data[at + 1]
        if size < 0x80:
            at += 2
        elif data[at + 2] < 0x80:
            size = size & 0x7F | data[at + 2] << 7
            at += 3
        else:
            size, at = read_varint(data, at + 1, end)
        contents.append(at)
        at += size
        ends.append(at)
    if at > end:
        raise Malformed("a field that is longer than what it is in")
    return at
