"""Which segments may go, and whether there is room for another."""

from __future__ import annotations

import logging
import time

from taximeter_collector.journal.config import JournalConfig
from taximeter_collector.journal.errors import JournalFull
from taximeter_collector.journal.format import SEGMENT_HEADER_BYTES, Record, read_records
from taximeter_collector.journal.segments import Cursor, Folder

__all__ = ["Retention", "has_passed", "oldest_unread_unix_nano"]

_log = logging.getLogger("taximeter.journal")


class Retention:
    """Keeps the books on segments. One is let go when all readers have passed it, or, if chosen so, at a limit."""

    def __init__(self, folder: Folder, config: JournalConfig) -> None:
        self._folder = folder
        self._config = config
        found = {first: folder.segment(first).stat() for first in folder.segments()}
        self._sizes = {first: stat.st_size for first, stat in found.items()}
        self._last_written = {first: stat.st_mtime_ns for first, stat in found.items()}
        self._active: int | None = None
        self.bytes = sum(self._sizes.values())  # what the journal takes of the disk
        self.too_old = False
        self.dropped_segments = 0
        self.dropped_records = 0

    @property
    def segments(self) -> int:
        """How many segments there are."""
        return len(self._sizes)

    def active(self, first: int, reserved: int) -> None:
        """A segment is now being written to."""
        self._active = first
        self._resize(first, reserved)

    def sealed(self, first: int, size: int) -> None:
        """A segment will not be written to any more."""
        self._active = None
        self._last_written[first] = time.time_ns()
        self._resize(first, size)

    def release(self) -> None:
        """Delete what all readers have passed, and see whether something has waited for too long."""
        cursors = self._folder.cursors()
        if cursors:
            for first in self._sealed_segments():
                if not all(has_passed(cursor, first, self._sizes[first]) for cursor in cursors.values()):
                    break
                self._delete(first)
        if self._config.max_age_s:
            self._look_at_ages(cursors)

    def make_room(self, wanted: int) -> None:
        """See to it that a segment of this size may be added. JournalFull if a limit does not allow it."""
        if wanted > self._config.max_size:
            raise JournalFull(
                f"the journal may take {self._config.max_size} bytes (journal.max_size): too few for this"
            )
        if self.bytes + wanted > self._config.max_size or self.too_old:
            self.release()
        while self.bytes + wanted > self._config.max_size:
            oldest = self._sealed_segments()[:1]
            if not oldest or self._config.at_limit == "refuse":
                raise JournalFull(
                    f"the journal has reached its limit (journal.max_size), with {self.bytes} bytes unread"
                )
            self._drop(oldest[0])
        if self.too_old:
            raise JournalFull("the oldest unread record has reached the limit of age (journal.max_age)")

    def _look_at_ages(self, cursors: dict[str, Cursor]) -> None:
        limit = time.time_ns() - int(self._config.max_age_s * 1e9)
        if self._config.at_limit == "drop-oldest":
            for first in self._sealed_segments():
                if self._last_written[first] > limit:
                    return
                self._drop(first)
        else:
            ages = [oldest_unread_unix_nano(self._folder, cursor) for cursor in cursors.values() or (None,)]
            self.too_old = any(age is not None and age < limit for age in ages)

    def _sealed_segments(self) -> list[int]:
        return sorted(first for first in self._sizes if first != self._active)

    def _drop(self, first: int) -> None:
        """Delete what was not read by all, and count it."""
        following = min((other for other in self._sizes if other > first), default=None)
        head = self._folder.head()
        end = following if following is not None else head.next if head else first
        unread_from = min((cursor.next for cursor in self._folder.cursors().values()), default=first)
        lost = max(0, end - max(first, unread_from))
        self._delete(first)
        self.dropped_segments += 1
        self.dropped_records += lost
        _log.warning("dropped the oldest segment, as journal.at_limit says", extra={"segment": first, "unread": lost})

    def _delete(self, first: int) -> None:
        self._folder.segment(first).unlink(missing_ok=True)
        self._resize(first, 0)
        self._sizes.pop(first, None)
        self._last_written.pop(first, None)

    def _resize(self, first: int, size: int) -> None:
        self.bytes += size - self._sizes.get(first, 0)
        self._sizes[first] = size


def oldest_unread_unix_nano(folder: Folder, cursor: Cursor | None) -> int | None:
    """When the record was received that a reader will read next; None if it has read everything."""
    head = folder.head()
    if not head or (cursor and cursor.next >= head.next):
        return None
    for first in folder.segments():
        if cursor is None or first >= cursor.segment:
            offset = cursor.offset if cursor and cursor.segment == first else 0
            received = _received_at(folder, first, offset)
            if received is not None:
                return received
    return None


def _received_at(folder: Folder, first: int, offset: int) -> int | None:
    head = folder.head()
    try:
        with folder.segment(first).open("rb", buffering=0) as file:
            end = head.offset if head and head.segment == first else file.seek(0, 2)
            for _, found in read_records(file, max(offset, SEGMENT_HEADER_BYTES), end, -1):
                if isinstance(found, Record):
                    return found.received_unix_nano
    except OSError:
        return None
    return None


def has_passed(cursor: Cursor, first: int, size: int) -> bool:
    """Whether a reader has no use any more for a segment of this size."""
    return cursor.segment > first or (cursor.segment == first and cursor.offset >= size)
