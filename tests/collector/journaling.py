"""A sender that appends to a journal as the receiver does, and ways to look at what became of it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any, Self

from taximeter_collector.journal import (
    Entry,
    JournalConfig,
    JournalError,
    JournalReader,
    JournalWriter,
    Record,
    Signal,
)
from taximeter_collector.journal.format import (
    RECORD_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    encode_record,
)
from taximeter_collector.journal.segments import Folder

MAGIC = b"\xf5TXR"


class Sender:
    """Appends to a journal, as the receiver does, and waits for the answer."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self._answered = threading.Condition()
        self.groups: list[list[Entry]] = []
        self.config = JournalConfig(dir=folder, **{"segment_size": 1 << 16, "max_size": 1 << 30, **options})
        self.journal = JournalWriter(self.config, self._settled)

    def _settled(self, entries: list[Entry]) -> None:
        with self._answered:
            self.groups.append(entries)
            self._answered.notify_all()

    def send(self, *payloads: bytes, **more: Any) -> list[Entry]:
        entries = [Entry(Signal.TRACES, 1, "", payload, **more) for payload in payloads]
        for entry in entries:
            self.journal.append(entry)
        self.answered(entries)
        return entries

    def answered(self, entries: list[Entry]) -> None:
        wanted = set(map(id, entries))
        with self._answered:
            assert self._answered.wait_for(lambda: wanted <= set(map(id, chain.from_iterable(self.groups))), 60)

    def accepted(self, *payloads: bytes, **more: Any) -> None:
        assert [entry.error for entry in self.send(*payloads, **more)] == [None] * len(payloads)

    def refusal(self, payload: bytes) -> JournalError | None:
        return self.send(payload)[0].error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.journal.close()


def until(condition: Callable[..., object], *arguments: object, patience_s: float = 60) -> None:
    """Waits for what another thread or process will do."""
    deadline = time.monotonic() + patience_s
    while not condition(*arguments):
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.005)


def payloads_of(reader: JournalReader) -> list[bytes]:
    return [record.payload for record in reader.read()]


def read_all(folder: Path) -> list[Record]:
    with contextlib.closing(JournalReader(folder)) as reader:
        return reader.read(max_bytes=1 << 30)


def all_payloads(folder: Path) -> list[bytes]:
    return [record.payload for record in read_all(folder)]


_open: list[JournalReader] = []


def open_reader(folder: Path, name: str | None = None, **options: Any) -> JournalReader:
    """A reader that is closed after the test."""
    _open.append(JournalReader(folder, name, **options))
    return _open[-1]


def close_readers() -> None:
    """Closes those that a test has opened."""
    while _open:
        _open.pop().close()


def write_all(folder: Path, *payloads: bytes, **options: Any) -> None:
    with Sender(folder, **options) as sender:
        sender.accepted(*payloads)


def segments(folder: Path) -> list[Path]:
    return [Folder(folder).segment(first) for first in Folder(folder).segments()]


def record_ends(segment: Path, payloads: list[bytes]) -> list[int]:
    """Where each record of a segment ends, by the format's description: there is no escaping in these payloads."""
    ends = [SEGMENT_HEADER_BYTES]
    for payload in payloads:
        ends.append(ends[-1] + RECORD_HEADER_BYTES + len(payload))
    assert ends[-1] == segment.stat().st_size
    return ends[1:]


def positions_in(records: list[Record]) -> list[tuple[int, bytes]]:
    return [(record.position, record.payload) for record in records]


def set_aside(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in sorted((folder / "damaged").iterdir())]


def forged(position: int) -> bytes:
    return b"".join(encode_record(Record(position, 1, Signal.LOGS, 1, "mallory", b"I was never accepted")))
