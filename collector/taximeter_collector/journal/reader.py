"""Reading the journal: at one's own pace, at a place that outlives the process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, Protocol

from taximeter_collector.journal.errors import JournalError
from taximeter_collector.journal.format import (
    SEGMENT_HEADER_BYTES,
    Damage,
    Head,
    Record,
    read_records,
    read_segment_header,
)
from taximeter_collector.journal.segments import Cursor, Folder

__all__ = ["JournalReader", "Source"]

# The last for as long as nothing comes: a reader at rest costs 20 small reads a second.
_POLL_S = (0.005, 0.01, 0.02, 0.05)


class Source(Protocol):
    """Where a stage takes its input from. A reader of the journal is one; a consumer of a Kafka topic can be one."""

    def read(self, *, max_bytes: int, wait_s: float) -> list[Record]:
        """The next records, about `max_bytes` of them and at least one; none if none came within `wait_s`."""

    def commit(self, position: int) -> None:
        """Say that all up to and with this position is done: after a restart, reading goes on behind it."""

    def close(self) -> None:
        """Let go of what is held. What was read and not committed is read again."""


@dataclass(slots=True)
class _Open:
    """A segment that is being read."""

    first: int
    file: IO[bytes]


class JournalReader:
    """A `Source` over a journal's folder. With a name it has a durable cursor, and all behind that is kept.

    Counts what it could not read: `damaged_bytes` were kept aside; `missed` tells how often it came too late for a
    segment, which only happens where the user has chosen to drop the oldest.
    """

    def __init__(
        self, folder: Path, name: str | None = None, *, start: int | Literal["oldest", "newest"] = "oldest"
    ) -> None:
        self._folder = Folder(folder)
        self._name = name
        self._open: _Open | None = None
        self._places: list[tuple[int, Cursor]] = []  # of what was read and is not committed yet
        self.damaged_bytes = 0
        self.missed = 0
        cursor = self._folder.cursor(name) if name else None
        self._place = cursor or self._beginning(start)
        self._after = self._place.next - 1  # the position read last
        if name and not cursor:
            self._folder.create()
            self._folder.set_cursor(name, self._place)  # from now on segments wait for this reader

    def read(self, *, max_bytes: int = 8 << 20, wait_s: float = 0.0) -> list[Record]:
        """See `Source.read`."""
        deadline = time.monotonic() + wait_s
        pauses = iter(_POLL_S)
        while not (records := self._read_now(max_bytes)) and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, next(pauses, _POLL_S[-1])))
        return records

    def commit(self, position: int) -> None:
        """See `Source.commit`. Without a name there is nothing to commit to, and nothing is done."""
        done = [cursor for last, cursor in self._places if last <= position]
        self._places = self._places[len(done) :]
        if done and self._name:  # with all done, damage that was passed behind them is done too
            self._folder.set_cursor(self._name, done[-1] if self._places else self._place)

    def close(self) -> None:
        """See `Source.close`."""
        if self._open:
            self._open.file.close()
            self._open = None

    def _beginning(self, start: int | Literal["oldest", "newest"]) -> Cursor:
        """A position stands for the segment that it is in, from its first record on."""
        head = self._folder.head()
        if start == "newest" and head:
            return Cursor(head.next, head.segment, head.offset)
        if isinstance(start, int):
            first = max((first for first in self._folder.segments() if first <= start), default=0)
            return Cursor(first, first, 0)
        return Cursor(0, 0, 0)

    def _read_now(self, max_bytes: int) -> list[Record]:
        records: list[Record] = []
        size = 0
        try:
            for record in self._walk():
                records.append(record)
                self._after = record.position
                self._places.append((record.position, self._place))
                size += len(record.payload)
                if size >= max_bytes:
                    break
        except (OSError, JournalError):  # what was read before it is handed over first; the next call meets it again
            if not records:
                raise
        return records

    def _walk(self) -> Iterator[Record]:
        """Everything durable from our place on, which moves along."""
        while (current := self._current(head := self._folder.head())) is not None:
            end, sealed = self._durable_end(current, head)
            for next_offset, found in read_records(current.file, self._place.offset, end, self._after):
                if isinstance(found, Damage):
                    self._keep_aside(current, found, may_be_reserved=sealed and next_offset == end)
                    self._place = Cursor(self._after + 1, current.first, next_offset)
                else:
                    self._place = Cursor(found.position + 1, current.first, next_offset)
                    yield found
            if not sealed or not self._move_on(current):
                return

    def _current(self, head: Head | None) -> _Open | None:
        """The segment of our place, open at a readable offset; the next one that exists if it is gone."""
        if self._open and self._open.first == self._place.segment:
            return self._open
        segments = self._folder.segments()
        at_or_after = [first for first in segments if first >= self._place.segment]
        if not at_or_after or not (head.announces(at_or_after[0]) if head else at_or_after[1:]):
            return None  # what the head does not tell of yet may still be made anew, as another file
        if at_or_after[0] != self._place.segment:
            self.missed += self._place.next < at_or_after[0] and self._place.offset > 0
            self._place = Cursor(max(self._place.next, at_or_after[0]), at_or_after[0], 0)
        return self._enter(at_or_after[0])

    def _enter(self, first: int) -> _Open | None:
        self.close()
        try:
            file = self._folder.segment(first).open("rb", buffering=0)
        except FileNotFoundError:
            return None  # deleted this moment; the next look finds its successor
        try:
            begin = read_segment_header(file) or SEGMENT_HEADER_BYTES
        except (OSError, JournalError):
            file.close()
            raise
        self._open = _Open(first, file)
        if self._place.offset == 0:
            self._place = Cursor(self._place.next, first, begin)
        return self._open

    def _durable_end(self, current: _Open, head: Head | None) -> tuple[int, bool]:
        """How far a segment may be read, and whether nothing will be added to it."""
        if head and head.segment == current.first:
            return head.offset, False
        newest = head.segment if head else max(self._folder.segments(), default=-1)
        if newest > current.first:
            return current.file.seek(0, 2), True
        return self._place.offset, False  # how much of it is durable, the writer will tell when it is back

    def _move_on(self, current: _Open) -> bool:
        """Go to the segment behind this one; False if there is none yet."""
        later = [first for first in self._folder.segments() if first > current.first]
        if later:
            self._place = Cursor(max(self._after + 1, later[0]), later[0], 0)
        return bool(later)

    def _keep_aside(self, current: _Open, damage: Damage, *, may_be_reserved: bool) -> None:
        current.file.seek(damage.start)
        data = current.file.read(damage.end - damage.start)
        if data.strip(b"\0") or not may_be_reserved:  # zeros at the end are room that was reserved and not used
            self.damaged_bytes += len(data)
            with suppress(OSError):  # a full disk must not stop the reading
                self._folder.keep_aside(current.first, damage.start, data)
