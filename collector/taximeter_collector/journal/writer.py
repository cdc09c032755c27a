"""Writing the journal: whoever appends is told when it is on disk, and many share one sync."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import IO

from taximeter_collector.journal.config import JournalConfig
from taximeter_collector.journal.errors import JournalClosed, JournalError, JournalFailed, JournalFull
from taximeter_collector.journal.files import DISK_FULL, LockTaken, lock, reserve, sync, sync_folder
from taximeter_collector.journal.format import (
    SEGMENT_HEADER_BYTES,
    Head,
    Record,
    Signal,
    encode_record,
    encode_segment_header,
    most_bytes,
)
from taximeter_collector.journal.recovery import recover
from taximeter_collector.journal.retention import Retention
from taximeter_collector.journal.segments import Folder

__all__ = ["Entry", "JournalWriter", "Written"]

_log = logging.getLogger("taximeter.journal")
_GROUP_BYTES = 8 << 20  # written with one sync at most: many share it, and the first is answered soon
_VECTORS = 512  # of one write; operating systems allow 1024
_TICK_S = 1.0
_LEAST_SEGMENTS = 4  # in the room that the journal may take: it is freed by whole segments
_LEAST_ROLLS = 4  # within the greatest age, for the same reason
_LEAST_RESERVED = 1 << 20


@dataclass(eq=False, slots=True)
class Entry:
    """What is to be written; `error` is None once it is durable. `ticket` is the appender's own."""

    signal: Signal
    items: int
    sender: str
    payload: bytes
    ticket: object = None
    error: JournalError | None = None
    received_unix_nano: int = field(default_factory=time.time_ns)


@dataclass(slots=True)
class Written:
    """Counters, for whoever shows them. `cut_bytes` and `damaged_bytes` are what a crash had left."""

    records: int = 0
    bytes: int = 0
    syncs: int = 0
    sync_s: float = 0.0
    failures: int = 0
    cut_bytes: int = 0
    damaged_bytes: int = 0


@dataclass(slots=True)
class _Segment:
    """The one that is being written."""

    first: int
    file: IO[bytes]
    reserved: int
    offset: int = SEGMENT_HEADER_BYTES
    opened: float = field(default_factory=time.monotonic)


class JournalWriter:
    """The one writer of a journal. Its thread calls `settled` with entries that are durable, or have an error."""

    def __init__(self, config: JournalConfig, settled: Callable[[list[Entry]], None]) -> None:
        self._config = config
        self._settled = settled
        self._folder = Folder(config.dir)
        self._folder.create()
        self._lock = self._take_lock()
        try:
            recovered = recover(self._folder)
            self._head_file = self._open_head()
            self._write_head(recovered.head)
            self.retention = Retention(self._folder, config)
        except BaseException:
            self._lock.close()
            raise
        self.written = Written(cut_bytes=recovered.cut_bytes, damaged_bytes=recovered.damaged_bytes)
        self._segment: _Segment | None = None
        self._next = recovered.head.next
        self.refusing = ""  # why nothing is taken in at this moment
        self._queue: SimpleQueue[Entry | None] = SimpleQueue()
        self._closed = False
        self._gate = threading.Lock()  # nothing is put into the queue behind its end
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def append(self, entry: Entry) -> None:
        """Take an entry in; `settled` will tell of it. JournalClosed after `close`."""
        with self._gate:
            if self._closed:
                raise JournalClosed("the journal is closed")
            self._queue.put(entry)

    def close(self) -> None:
        """Write what was taken in, and end."""
        with self._gate:
            self._closed = True
            self._queue.put(None)
        self._thread.join()
        self._seal()
        self._head_file.close()
        self._lock.close()

    def _take_lock(self) -> IO[bytes]:
        try:
            return lock(self._folder.path / "lock")
        except LockTaken as error:
            raise JournalError(
                f"another process writes the journal {self._folder.path}: stop it, or give this one a folder of its own"
            ) from error

    def _run(self) -> None:
        ticked = time.monotonic()
        while True:
            group, closing = self._gather()
            try:
                if group:
                    self._commit(group)
                    self._settled(group)
                if time.monotonic() - ticked >= _TICK_S:
                    ticked = time.monotonic()
                    self._tick()
            except Exception:  # without this thread everybody would wait for ever
                _log.exception("the journal goes on after an error")
            if closing:
                return

    def _tick(self) -> None:
        """What has its time without anybody appending."""
        with contextlib.suppress(OSError, JournalError):
            if self._segment and self._config.at_limit == "drop-oldest":
                open_s = time.monotonic() - self._segment.opened
                if 0 < self._config.max_age_s <= open_s * _LEAST_ROLLS:
                    self._seal()
            self.retention.release()
            if self.refusing:  # see for ourselves: whoever asks whether we are ready may send nothing until we are
                self._segment_for(0)
                self._take_again()

    def _gather(self) -> tuple[list[Entry], bool]:
        """All that is waiting, up to a limit: whatever came during one sync goes into the next."""
        group: list[Entry] = []
        size = 0
        try:
            entry = self._queue.get(timeout=_TICK_S)
            while entry is not None:
                group.append(entry)
                size += len(entry.payload)
                if size >= _GROUP_BYTES:
                    return group, False
                entry = self._queue.get_nowait()
        except Empty:
            return group, False
        return group, True

    def _commit(self, group: list[Entry]) -> None:
        """Make a group durable. What goes wrong is said in the entries that it went wrong for, and to the log once."""
        rest = group
        while rest:
            try:
                rest = rest[self._write(rest) :]
            except Exception as error:  # whatever it is, nobody may wait for an answer for ever
                self._give_up(rest, error)
                return
        self._take_again()

    def _write(self, entries: list[Entry]) -> int:
        """Write and sync as many as fit into one segment; how many those were."""
        segment = self._segment_for(len(entries[0].payload))
        buffers: list[bytes] = []
        size = count = 0
        for entry in entries:
            record = Record(
                self._next + count, entry.received_unix_nano, entry.signal, entry.items, entry.sender, entry.payload
            )
            parts = encode_record(record)
            grown = size + sum(map(len, parts))
            if count and segment.offset + grown > segment.reserved:
                break
            buffers += parts
            size, count = grown, count + 1
        _write_all(segment.file, buffers)
        started = time.perf_counter()
        sync(segment.file.fileno())
        self.written.sync_s += time.perf_counter() - started
        self.written.syncs += 1
        segment.offset += size
        self._next += count
        self._write_head(Head(segment.first, segment.offset, self._next))
        self.written.records += count
        self.written.bytes += size
        return count

    def _segment_for(self, payload_bytes: int) -> _Segment:
        """The segment in which such a payload has room."""
        needed = most_bytes(payload_bytes)
        if self._segment and self._segment.offset + needed <= self._segment.reserved:
            if self.retention.too_old:
                self.retention.make_room(0)
            return self._segment
        self._seal()
        usual = min(self._config.segment_size, self._config.max_size // _LEAST_SEGMENTS)
        wanted = max(usual, SEGMENT_HEADER_BYTES + needed)
        self.retention.make_room(wanted)
        self._segment = self._create(wanted, SEGMENT_HEADER_BYTES + needed)
        self.retention.active(self._segment.first, self._segment.reserved)
        return self._segment

    def _create(self, wanted: int, needed: int) -> _Segment:
        """A new segment, durable in itself, with as much room as there is."""
        path = self._folder.segment(self._next)
        file = path.open("w+b", buffering=0)
        try:
            reserved = _reserve(file, wanted, needed)
            file.write(encode_segment_header(self._next, time.time_ns()))
            sync(file.fileno())
            sync_folder(self._folder.path)
            self._write_head(Head(self._next, SEGMENT_HEADER_BYTES, self._next))
        except OSError:
            file.close()
            path.unlink(missing_ok=True)
            raise
        return _Segment(self._next, file, reserved)

    def _seal(self) -> None:
        """Close the segment that was written to; what was reserved and not used goes back."""
        if not self._segment:
            return
        segment, self._segment = self._segment, None
        with contextlib.suppress(OSError), segment.file:
            segment.file.truncate(segment.offset)
            sync(segment.file.fileno())
        self.retention.sealed(segment.first, segment.offset)

    def _give_up(self, entries: list[Entry], error: Exception) -> None:
        """Refuse these, and leave the segment: after a failed sync nobody knows what of it is on the medium."""
        if isinstance(error, OSError):
            full = error.errno in DISK_FULL
            self.written.failures += not full
            refusal: JournalError = (
                JournalFull("the disk is full") if full else JournalFailed(f"the disk: {error.strerror}")
            )
        else:
            refusal = error if isinstance(error, JournalError) else JournalFailed(repr(error))
        for entry in entries:
            entry.error = refusal
        if self._segment:
            self._next += len(entries)  # those positions may be on the medium for good, and are not used again
        self._seal()
        if not self.refusing:
            _log.error("the journal refuses records", extra={"reason": str(refusal)})
        self.refusing = str(refusal)

    def _take_again(self) -> None:
        if self.refusing:
            self.refusing = ""
            _log.info("the journal takes records again")

    def _open_head(self) -> IO[bytes]:
        path = self._folder.path / "head"
        path.touch(mode=0o600)
        return path.open("r+b", buffering=0)

    def _write_head(self, head: Head) -> None:
        self._head_file.seek(0)
        self._head_file.write(head.encode())


def _reserve(file: IO[bytes], wanted: int, needed: int) -> int:
    """Make room for `wanted` bytes, or half of it, and so on; OSError if not even `needed` can be had."""
    while True:
        try:
            reserve(file.fileno(), wanted)
            return wanted
        except OSError as error:
            file.truncate(0)
            if error.errno not in DISK_FULL or wanted == needed:
                raise
            wanted = max(wanted // 2, needed) if wanted > _LEAST_RESERVED else needed


def _write_all(file: IO[bytes], buffers: list[bytes]) -> None:
    """All of it, in as few calls as may be."""
    if not hasattr(os, "writev"):
        buffers = [b"".join(buffers)]
    for start in range(0, len(buffers), _VECTORS):
        some = buffers[start : start + _VECTORS]
        written = os.writev(file.fileno(), some) if len(some) > 1 else file.write(some[0])
        left = memoryview(b"".join(some))[written:] if written < sum(map(len, some)) else b""
        while left:
            left = left[file.write(left) :]
