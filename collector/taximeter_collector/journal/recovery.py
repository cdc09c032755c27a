"""What a crash leaves behind: a torn end is cut, damage before it kept aside, and positions go on where they were."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from taximeter_collector.journal.files import sync
from taximeter_collector.journal.format import SEGMENT_HEADER_BYTES, Damage, Head, read_records, read_segment_header
from taximeter_collector.journal.segments import Folder

__all__ = ["Recovered", "recover"]

_log = logging.getLogger("taximeter.journal")
_STEP_BYTES = 1 << 20


@dataclass(slots=True)
class Recovered:
    """Where a journal ends after recovery, and what it took."""

    head: Head
    cut_bytes: int = 0
    damaged_bytes: int = 0


def recover(folder: Folder) -> Recovered:
    """Make the last segment end with its last whole record, durably. Earlier ones were closed in order."""
    before = folder.head()
    next_position = max([0, *(cursor.next for cursor in folder.cursors().values()), before.next if before else 0])
    recovered = Recovered(Head(0, 0, next_position))
    for first in reversed(folder.segments()):
        end, last = _recover_segment(folder, first, before, recovered)
        if end > SEGMENT_HEADER_BYTES:
            recovered.head = Head(first, end, max(next_position, last + 1))
            break
        folder.segment(first).unlink()  # nothing can be read in it
        next_position = max(next_position, first + 1)  # a reader may have it open, and would take another for this one
        recovered.head = Head(0, 0, next_position)
    if recovered.cut_bytes or recovered.damaged_bytes:
        _log.warning(
            "the journal was not closed in order",
            extra={"cut_bytes": recovered.cut_bytes, "damaged_bytes": recovered.damaged_bytes},
        )
    return recovered


def _recover_segment(folder: Folder, first: int, before: Head | None, recovered: Recovered) -> tuple[int, int]:
    """Cut what is behind the last whole record; where that ends, and its position."""
    with folder.segment(first).open("r+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        begin = read_segment_header(file) or SEGMENT_HEADER_BYTES
        end, last = begin, first - 1
        damages: list[Damage] = []
        for next_offset, found in read_records(file, begin, size, last):
            if isinstance(found, Damage):
                damages.append(found)
            else:
                end, last = next_offset, found.position
        durable = max(end, _durable_end(file, first, size, before))
        recovered.damaged_bytes += max(0, durable - max(size, begin))  # what was acknowledged, and is not even there
        for damage in damages:
            if damage.start < durable:
                lost = _read(file, damage.start, min(damage.end, durable))
                recovered.damaged_bytes += len(lost)
                with suppress(OSError):  # a full disk must not stop the start
                    folder.keep_aside(first, damage.start, lost)
            recovered.cut_bytes += max(0, _content_end(file, damage) - max(damage.start, durable))
        if size > end:
            file.truncate(end)
        sync(file.fileno())
    return end, last


def _durable_end(file: IO[bytes], first: int, size: int, head: Head | None) -> int:
    """How far a segment was acknowledged at least. Without a head, anything in it may have been."""
    if head and head.segment == first:
        return head.offset
    return _content_end(file, Damage(0, size)) if head is None or head.segment > first else 0


def _content_end(file: IO[bytes], stretch: Damage) -> int:
    """Where it ends without the zeros at its end, which are room that was reserved."""
    for end in range(stretch.end, stretch.start, -_STEP_BYTES):
        start = max(stretch.start, end - _STEP_BYTES)
        if content := _read(file, start, end).rstrip(b"\0"):
            return start + len(content)
    return stretch.start


def _read(file: IO[bytes], start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start)
