"""A large request in pieces, each a request of its own, which together say what the whole says.

Parsed, a message that is made for it takes many times its size in memory, and going through millions of empty parts
takes seconds. In pieces that costs no more than a piece does, and others are served in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from taximeter_collector.receive.refusals import Reason, Refused

__all__ = ["LARGE_BYTES", "MOST_RECORD_BYTES", "PIECE_BYTES", "pieces"]

LARGE_BYTES = 2 << 20  # below, a request is one piece
PIECE_BYTES = 256 << 10
_MOST_PARTS = 1 << 20  # resources, scopes, records, and other fields beside them
_MOST_SHARED_BYTES = 1 << 20  # what a resource and a scope say of all their records, which goes into each piece
MOST_RECORD_BYTES = 16 << 20
_SIZED = 2
_IN_REQUEST, _IN_RESOURCE, _IN_SCOPE = 1, 2, 2  # the numbers of the resources, the scopes, the records; in all signals


def pieces(payload: bytes, piece_bytes: int = PIECE_BYTES) -> Iterator[bytes | None]:
    """The pieces of a request, and None for each record that is too large for one.

    Refused where it is not protobuf, and where it has too many parts. With one byte a piece, each record is a piece.
    """
    piece, size = [], 0
    for part in _parts(payload, piece_bytes):
        if part is None:
            yield None
            continue
        piece.append(part)
        size += len(part)
        if size >= piece_bytes:
            yield b"".join(piece)
            piece, size = [], 0
    yield b"".join(piece)


def _parts(payload: bytes, piece_bytes: int) -> Iterator[bytes | None]:
    """A request for each resource, each scope in it, and each group of records in that."""
    budget = _Budget()
    request = _divided(payload, _IN_REQUEST, budget)
    yield request.shared
    for resource_bytes in request.parts:
        resource = _divided(_content(resource_bytes), _IN_RESOURCE, budget)
        for scope_bytes in resource.parts or [b""]:
            scope = _divided(_content(scope_bytes), _IN_SCOPE, budget) if scope_bytes else _Divided()
            if len(resource.shared) + len(scope.shared) > _MOST_SHARED_BYTES:
                raise Refused(Reason.TOO_LARGE, f"a resource and its scope are larger than {_MOST_SHARED_BYTES} bytes")
            for group in _groups(scope.parts, piece_bytes):
                if group is None:
                    yield None
                    continue
                inner = _field(_IN_RESOURCE, scope.shared + group) if scope_bytes else b""
                yield _field(_IN_REQUEST, resource.shared + inner)


def _groups(records: list[bytes], piece_bytes: int) -> Iterator[bytes | None]:
    group: list[bytes] = []
    size = 0
    for record in records:
        if len(record) > MOST_RECORD_BYTES:
            yield None
            continue
        group.append(record)
        size += len(record)
        if size >= piece_bytes:
            yield b"".join(group)
            group, size = [], 0
    if group or not records:
        yield b"".join(group)


@dataclass(slots=True)
class _Divided:
    """A message: the fields that are its parts, whole with their tags, and all others."""

    parts: list[bytes] = field(default_factory=list)
    shared: bytes = b""


@dataclass(slots=True)
class _Budget:
    parts: int = _MOST_PARTS


def _divided(data: bytes, number: int, budget: _Budget) -> _Divided:
    wanted = number << 3 | _SIZED
    divided = _Divided()
    shared: list[bytes] = []
    at = 0
    while at < len(data):
        start = at
        budget.parts -= 1
        if budget.parts < 0:
            raise Refused(Reason.TOO_LARGE, f"the body has more than {_MOST_PARTS} resources, scopes and records")
        tag, at = _varint(data, at)
        at = _behind(data, at, tag & 7)
        (divided.parts if tag == wanted else shared).append(data[start:at])
    divided.shared = b"".join(shared)
    return divided


def _behind(data: bytes, at: int, wire: int) -> int:
    """Where a field ends."""
    if wire == 0:
        _, at = _varint(data, at)
    elif wire == _SIZED:
        size, at = _varint(data, at)
        at += size
    elif wire in (1, 5):
        at += 8 if wire == 1 else 4
    else:
        raise _malformed()
    if at > len(data):
        raise _malformed()
    return at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise _malformed()
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7


def _content(whole: bytes) -> bytes:
    """A field without its tag and its size, either of which may be written longer than it needs to be."""
    _, at = _varint(whole, 0)
    _, at = _varint(whole, at)
    return whole[at:]


def _field(number: int, content: bytes) -> bytes:
    size, left = bytearray(), len(content)
    while left >= 0x80:
        size.append(left & 0x7F | 0x80)
        left >>= 7
    size.append(left)
    return bytes([number << 3 | _SIZED]) + size + content


def _malformed() -> Refused:
    return Refused(Reason.MALFORMED, "the body is not protobuf")
