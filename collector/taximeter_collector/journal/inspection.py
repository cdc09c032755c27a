"""Looking into a journal from outside, while it is written to or not: nothing is changed, and nothing held back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from taximeter_collector.journal.errors import JournalError
from taximeter_collector.journal.format import (
    SEGMENT_HEADER_BYTES,
    Damage,
    Head,
    Record,
    read_records,
    read_segment_header,
)
from taximeter_collector.journal.retention import has_passed, oldest_unread_unix_nano
from taximeter_collector.journal.segments import Cursor, Folder

__all__ = ["Damaged", "Disorder", "Finding", "ReaderInfo", "SegmentInfo", "list_segments", "readers", "verify"]


@dataclass(frozen=True, slots=True)
class Damaged:
    """Bytes of a segment in which no record can be read."""

    segment: int
    offset: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Disorder:
    """A whole record that is not later than `after`, which was read before it. Readers pass over it."""

    segment: int
    offset: int
    position: int
    after: int


@dataclass(slots=True)
class SegmentInfo:
    """A segment and what is in it, as far as it is durable. `problem` says why nothing of it could be read."""

    first: int
    path: Path
    state: Literal["sealed", "last"]
    bytes: int = 0
    records: int = 0
    items: int = 0
    first_received_unix_nano: int | None = None
    last_received_unix_nano: int | None = None
    damaged_bytes: int = 0
    unread_by: list[str] = field(default_factory=list)
    problem: str = ""


@dataclass(slots=True)
class ReaderInfo:
    """A reader and how far it is behind. `lag_records` counts positions, of which some may not be used."""

    name: str
    next: int = 0
    lag_records: int = 0
    lag_bytes: int = 0
    oldest_unread_unix_nano: int | None = None
    problem: str = ""


@dataclass(slots=True)
class Finding:
    """What `verify` found. `problems` are sentences, of segments that cannot be read and cursors that point nowhere."""

    head: Literal["whole", "damaged", "missing"]
    segments: int = 0
    records: int = 0
    bytes: int = 0
    damaged: list[Damaged] = field(default_factory=list)
    disorder: list[Disorder] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether all is as the writer left it."""
        return self.head == "whole" and not (self.damaged or self.disorder or self.problems)


def list_segments(folder: Path) -> list[SegmentInfo]:
    """All segments, oldest first, each read from end to end."""
    journal = Folder(folder)
    head, cursors = journal.head(), journal.cursors()
    found = [_segment_info(journal, first, head, cursors) for first in journal.segments()]
    return [info for info in found if info]


def readers(folder: Path) -> list[ReaderInfo]:
    """All readers that hold back segments, by name."""
    journal = Folder(folder)
    return [_reader_info(journal, name) for name in journal.readers()]


def verify(folder: Path) -> Finding:
    """Read every record of every segment, and hold the head and the cursors against them."""
    journal = Folder(folder)
    head = journal.head()
    exists = (folder / "head").exists()
    finding = Finding("whole" if head else "damaged" if exists else "missing")
    before = journal.cursors()
    boundaries = {first: _verify_segment(journal, first, journal.head(), finding) for first in journal.segments()}
    for name in journal.readers():
        problems = list(_cursor_problems(journal, name, boundaries))
        if problems and before.get(name) != journal.cursors().get(name):
            continue  # it has moved meanwhile, as only readers do: what it points to came after what was read here
        finding.problems += problems
    return finding


def _segment_info(journal: Folder, first: int, head: Head | None, cursors: dict[str, Cursor]) -> SegmentInfo | None:
    path = journal.segment(first)
    info = SegmentInfo(first, path, "last" if _is_last(journal, first, head) else "sealed")
    try:
        for _, found in _scan(journal, first, head):
            if isinstance(found, Damage):
                info.damaged_bytes += found.end - found.start
            else:
                _count(info, found)
        info.bytes = _end(journal, first, head)
    except FileNotFoundError:
        return None  # deleted this moment
    except (OSError, JournalError) as error:
        info.problem = str(error)
    info.unread_by = [name for name, cursor in cursors.items() if not has_passed(cursor, first, info.bytes)]
    return info


def _count(info: SegmentInfo, record: Record) -> None:
    received = record.received_unix_nano
    info.records += 1
    info.items += record.items
    info.first_received_unix_nano = min(received, info.first_received_unix_nano or received)
    info.last_received_unix_nano = max(received, info.last_received_unix_nano or received)


def _reader_info(journal: Folder, name: str) -> ReaderInfo:
    try:
        cursor = journal.cursor(name)
    except JournalError as error:
        return ReaderInfo(name, problem=str(error))
    head, info = journal.head(), ReaderInfo(name)
    if not cursor or not head:
        return info
    info.next = cursor.next
    info.lag_records = max(0, head.next - max(cursor.next, min(journal.segments(), default=0)))
    info.oldest_unread_unix_nano = oldest_unread_unix_nano(journal, cursor)
    for first in journal.segments():
        if first >= cursor.segment:
            start = cursor.offset if first == cursor.segment and cursor.offset else SEGMENT_HEADER_BYTES
            with suppress(FileNotFoundError):  # deleted this moment
                info.lag_bytes += max(0, _end(journal, first, head) - start)
    return info


def _verify_segment(journal: Folder, first: int, head: Head | None, finding: Finding) -> set[int]:
    """Add what is in a segment to the findings; where records begin or end in it."""
    boundaries = {0, SEGMENT_HEADER_BYTES}
    after = first - 1
    try:
        for end, found in _scan(journal, first, head):
            boundaries.add(end)
            if isinstance(found, Damage):
                _tell_damage(journal, first, found, after, finding)
            else:
                finding.records += 1
                after = found.position
        finding.segments += 1
        finding.bytes += _end(journal, first, head)
    except FileNotFoundError:
        pass  # deleted this moment
    except (OSError, JournalError) as error:
        finding.problems.append(str(error))
    return boundaries


def _tell_damage(journal: Folder, first: int, damage: Damage, after: int, finding: Finding) -> None:
    with journal.segment(first).open("rb", buffering=0) as file:
        _, found = next(read_records(file, damage.start, damage.end, -1))
    if isinstance(found, Record):  # whole, and only out of order
        finding.disorder.append(Disorder(first, damage.start, found.position, after))
    else:
        finding.damaged.append(Damaged(first, damage.start, damage.end - damage.start))


def _cursor_problems(journal: Folder, name: str, boundaries: dict[int, set[int]]) -> Iterator[str]:
    try:
        cursor = journal.cursor(name)
    except JournalError as error:
        yield str(error)
        return
    if not cursor:
        return
    head = journal.head()  # behind the cursor, which cannot be ahead of it
    if head and cursor.next > head.next:
        yield f"reader {name}: its cursor wants position {cursor.next}, and the journal goes up to {head.next}"
    later = [first for first in boundaries if first > cursor.segment]
    if cursor.segment in boundaries:
        if cursor.offset not in boundaries[cursor.segment]:
            yield f"reader {name}: no record begins at its cursor, {cursor.offset} in segment {cursor.segment}"
    elif cursor.next and later and min(later) > cursor.next:
        yield f"reader {name}: its next segment, {cursor.segment}, is gone; it goes on with {min(later)}"


def _scan(journal: Folder, first: int, head: Head | None) -> Iterator[tuple[int, Record | Damage]]:
    """What is in a segment, each with the offset at which the next begins."""
    with journal.segment(first).open("rb", buffering=0) as file:
        begin = read_segment_header(file)
        if begin is None and _has_content(file, header := Damage(0, SEGMENT_HEADER_BYTES)):
            yield SEGMENT_HEADER_BYTES, header
        end = _end(journal, first, head)
        for next_offset, found in read_records(file, begin or SEGMENT_HEADER_BYTES, end, first - 1):
            is_told = head is not None and head.segment == first  # that all of it was written
            if isinstance(found, Record) or next_offset < end or is_told or _has_content(file, found):
                yield next_offset, found


def _has_content(file: IO[bytes], damage: Damage) -> bool:
    """Whether there is more than zeros, which at the end of a segment are room that was reserved and not used."""
    file.seek(damage.start)
    return bool(file.read(damage.end - damage.start).strip(b"\0"))


def _end(journal: Folder, first: int, head: Head | None) -> int:
    return head.offset if head and head.segment == first else journal.segment(first).stat().st_size


def _is_last(journal: Folder, first: int, head: Head | None) -> bool:
    return first >= head.segment if head else first == max(journal.segments(), default=first)
