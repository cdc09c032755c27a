"""The bytes of the journal: segments, records, the head. docs/journal.md tells the same in prose.

    segment = header, record, record, ...      the name of its file is the position of its first record
    record  = header, sender, payload          the payload is an OTLP export request in protobuf

All integers are little-endian; checksums are CRC-32 as in zlib. The four bytes that a record begins with occur nowhere
in a payload: where its first three do, an "x" is put behind them, and the record's flags say so. Whoever has lost the
thread and looks for the next record finds a real one, whatever a sender may have put into a payload.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import IO

from isal.isal_zlib import crc32

from taximeter_collector.journal.errors import UnknownVersion

__all__ = [
    "RECORD_HEADER_BYTES",
    "SEGMENT_HEADER_BYTES",
    "VERSION",
    "Damage",
    "Head",
    "Record",
    "Signal",
    "encode_record",
    "encode_segment_header",
    "most_bytes",
    "read_records",
    "read_segment_header",
    "segment_name",
    "segment_position",
]

VERSION = 1

# magic, version, header size, first position, created; then its checksum
_SEGMENT = Struct("<8sHHQQ")
_SEGMENT_MAGIC = b"TAXIJRNL"
# magic, payload size, position, received, items, signal, sender size, flags, checksum of the body; then its checksum
_RECORD = Struct("<4sIQQIBBHI")
_RECORD_MAGIC = b"\xf5TXR"
_MAGIC_PREFIX = _RECORD_MAGIC[:3]  # cannot overlap itself, so that replacing it forth and back is exact
_ESCAPED_PREFIX = _MAGIC_PREFIX + b"x"
_ESCAPED = 1
# magic, segment, offset, next position; then its checksum
_HEAD = Struct("<8sQQQ")
_HEAD_MAGIC = b"TAXIHEAD"
_CHECKSUM = Struct("<I")

SEGMENT_HEADER_BYTES = _SEGMENT.size + _CHECKSUM.size
RECORD_HEADER_BYTES = _RECORD.size + _CHECKSUM.size
_WINDOW_BYTES = 1 << 20
_NAME = re.compile(r"(\d{20})\.segment")


class Signal(enum.IntEnum):
    """What an export request carries; the number is the one in the record."""

    TRACES = 1
    METRICS = 2
    LOGS = 3


@dataclass(frozen=True, slots=True)
class Record:
    """One export request, as it was accepted.

    `position` grows from record to record, not always by one. `items` counts spans, data points or log records.
    `sender` is the name of the token that it came with. `payload` is the request in protobuf, byte for byte as sent.
    """

    position: int
    received_unix_nano: int
    signal: Signal
    items: int
    sender: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes of a segment, from `start` to `end`, in which no record can be read."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Head:
    """How far the journal is durable: to `offset` in the segment that begins with `segment`; `next` is not taken."""

    segment: int
    offset: int
    next: int

    def encode(self) -> bytes:
        """The content of the file `head`."""
        return _sealed(_HEAD.pack(_HEAD_MAGIC, self.segment, self.offset, self.next))

    def announces(self, first: int) -> bool:
        """Whether the segment that begins with this position may be read: it is whole, and stays this file."""
        return first < self.segment or (first == self.segment and self.offset > 0)

    @classmethod
    def decode(cls, data: bytes) -> Head | None:
        """None for a head that is torn or absent."""
        if not _is_sealed(data, _HEAD.size) or not data.startswith(_HEAD_MAGIC):
            return None
        return cls(*_HEAD.unpack_from(data)[1:])


def segment_name(first: int) -> str:
    """The name of the segment that begins with this position.

    >>> segment_name(17)
    '00000000000000000017.segment'
    """
    return f"{first:020}.segment"


def segment_position(name: str) -> int | None:
    """The position that a segment's name stands for; None for another file's name."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else None


def encode_segment_header(first: int, created_unix_nano: int) -> bytes:
    """The first bytes of a segment."""
    return _sealed(_SEGMENT.pack(_SEGMENT_MAGIC, VERSION, SEGMENT_HEADER_BYTES, first, created_unix_nano))


def read_segment_header(file: IO[bytes]) -> int | None:
    """Where a segment's records begin; None if it has no readable header. UnknownVersion if it is not ours to read."""
    file.seek(0)
    data = file.read(SEGMENT_HEADER_BYTES)
    if not _is_sealed(data, _SEGMENT.size) or not data.startswith(_SEGMENT_MAGIC):
        return None
    _, version, size, _, _ = _SEGMENT.unpack_from(data)
    if version != VERSION:
        raise UnknownVersion(
            f"{file.name} has format {version}, and this Taximeter reads format {VERSION}. "
            "It is left as it is: use the Taximeter that wrote it, or move the file away."
        )
    return int(size)


def encode_record(record: Record) -> tuple[bytes, bytes]:
    """A record's bytes, in front of the payload and the payload, so that a large one need not be copied."""
    sender = record.sender.encode(errors="replace")[:255]
    escaped = _has_prefix(record.payload)
    payload = record.payload.replace(_MAGIC_PREFIX, _ESCAPED_PREFIX) if escaped else record.payload
    header = _RECORD.pack(
        _RECORD_MAGIC,
        len(payload),
        record.position,
        record.received_unix_nano,
        record.items,
        record.signal,
        len(sender),
        _ESCAPED if escaped else 0,
        crc32(payload, crc32(sender)),
    )
    return _sealed(header) + sender, payload


def most_bytes(payload_bytes: int) -> int:
    """What a record with such a payload can take at most."""
    return RECORD_HEADER_BYTES + 255 + payload_bytes + payload_bytes // len(_MAGIC_PREFIX)


def _has_prefix(payload: bytes) -> bool:
    """Whether there is something to escape. One byte is found much faster than three; and one occurs by chance."""
    at = -1
    for _ in range(1 + len(payload) // 1024):
        at = payload.find(_MAGIC_PREFIX[:1], at + 1)
        if at < 0 or payload.startswith(_MAGIC_PREFIX, at):
            return at >= 0
    return _MAGIC_PREFIX in payload


def read_records(file: IO[bytes], start: int, end: int, after: int) -> Iterator[tuple[int, Record | Damage]]:
    """What lies between two offsets of a segment, each with the offset at which the next begins.

    `after` is the position before the first: a whole record that is not later was there before, and is damage. What
    cannot be read is passed over to the next record that can. `file` must be unbuffered: it is written to beyond `end`.
    """
    window = _Window(file, end)
    while start < end:
        record, next_start = _record_at(window, start, after)
        if record is None:
            damage_start = start
            while record is None and next_start < end:
                start = _next_magic(window, next_start, end)
                record, next_start = _record_at(window, start, after) if start < end else (None, end)
            yield start if record else end, Damage(damage_start, start if record else end)
        if record is not None:
            after = record.position
            yield next_start, record
        start = next_start


class _Window:
    """A stretch of a file in memory, moved as needed."""

    def __init__(self, file: IO[bytes], end: int) -> None:
        self._file = file
        self._end = end
        self._start = 0
        self._data = b""

    def bytes_at(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset` on; fewer where the stretch to be read ends."""
        begin = offset - self._start
        if begin < 0 or begin + size > len(self._data):
            self._file.seek(offset)
            wanted = min(max(size, _WINDOW_BYTES), self._end - offset)
            self._data = _read_whole(self._file, wanted)
            self._start, begin = offset, 0
        return self._data[begin : begin + size]


def _read_whole(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    while 0 < len(data) < size and (more := file.read(size - len(data))):
        data += more
    return data


def _record_at(window: _Window, offset: int, after: int) -> tuple[Record | None, int]:
    """The record at an offset and where it ends; without one, where to go on looking."""
    header = window.bytes_at(offset, RECORD_HEADER_BYTES)
    if not header.startswith(_RECORD_MAGIC) or not _is_sealed(header, _RECORD.size):
        return None, offset + 1
    _, size, position, received, items, signal, sender_size, flags, checksum = _RECORD.unpack_from(header)
    body = window.bytes_at(offset + RECORD_HEADER_BYTES, sender_size + size)
    end = offset + RECORD_HEADER_BYTES + sender_size + size
    if len(body) < sender_size + size or crc32(body) != checksum or position <= after or signal not in _SIGNALS:
        return None, end  # the header is whole, so its word on the size is taken
    sender, payload = body[:sender_size].decode(errors="replace"), body[sender_size:]
    if flags & _ESCAPED:
        payload = payload.replace(_ESCAPED_PREFIX, _MAGIC_PREFIX)
    return Record(position, received, _SIGNALS[signal], items, sender, payload), end


_SIGNALS = {int(signal): signal for signal in Signal}


def _next_magic(window: _Window, offset: int, end: int) -> int:
    while offset < end:
        stretch = window.bytes_at(offset, min(_WINDOW_BYTES, end - offset))
        if (found := stretch.find(_RECORD_MAGIC)) >= 0:
            return offset + found
        if len(stretch) < len(_RECORD_MAGIC):
            return end
        offset += len(stretch) - len(_RECORD_MAGIC) + 1
    return end


def _sealed(data: bytes) -> bytes:
    return data + _CHECKSUM.pack(crc32(data))


def _is_sealed(data: bytes, size: int) -> bool:
    return len(data) >= size + _CHECKSUM.size and crc32(data[:size]) == _CHECKSUM.unpack_from(data, size)[0]
