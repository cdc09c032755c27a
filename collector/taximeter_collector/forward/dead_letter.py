"""What a backend refused for good, kept with its reason; it can be sent again."""

from __future__ import annotations

import json
import logging
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taximeter_collector.journal import Signal
from taximeter_collector.journal.files import replace_durably

__all__ = ["DeadLetters", "Letter"]

_log = logging.getLogger("taximeter.forward")


@dataclass(frozen=True, slots=True)
class Letter:
    """One of them, by its file's name."""

    name: str
    signal: Signal
    items: int
    bytes: int
    reason: str
    treated: bool
    """Whether it is as it would have been sent; what is not must pass the treatment first."""


class DeadLetters:
    """Files in `dead-letter/forward-NAME/`, two for each request: `X.otlp`, the request, and `X.json`.

    Named by where it was in the journal and by its content, so that one that is met again after a crash is there once.
    Those that are to be sent again are in `again/`, with both files.
    """

    def __init__(self, data: Path, destination: str, most_bytes: int = 0) -> None:
        self.folder = data / "dead-letter" / f"forward-{destination}"
        self._again = self.folder / "again"
        self._most_bytes = most_bytes
        self._bytes: int | None = None
        self._writing_bytes = 0
        self._lock = threading.Lock()

    def keep(
        self, signal: Signal, payload: bytes, facts: dict[str, Any], *, name: str = "", is_again: bool = False
    ) -> bool:
        """Put one aside, durably; False if there is no room. What was sent again has room: what it was goes soon."""
        if not self._has_room(len(payload), is_again=is_again):
            return False
        name = name or f"{facts['journal_id']}-{facts['first']:016d}-{zlib.crc32(payload):08x}"
        told = {"signal": signal.name.lower(), "bytes": len(payload)} | facts
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_durably(self.folder / f"{name}.otlp", payload)
            replace_durably(self.folder / f"{name}.json", json.dumps(told, indent=2).encode())
        except OSError:
            with self._lock:
                self._bytes = None
            raise
        finally:
            with self._lock:
                self._writing_bytes -= len(payload)
        return True

    def _has_room(self, size: int, *, is_again: bool) -> bool:
        """Whether so much may be written; then it counts as being written."""
        with self._lock:
            # What others are writing may be on the disk already: rather counted twice for a moment than not at all.
            used = self.size() + self._writing_bytes if self._bytes is None else self._bytes
            if not is_again and self._most_bytes and used + size > self._most_bytes:
                self._bytes = None  # somebody may make room
                return False
            self._bytes = used + size
            self._writing_bytes += size
        return True

    def letters(self) -> list[Letter]:
        """All that are kept and not to be sent again."""
        return list(_letters(self.folder))

    def waiting(self) -> list[Letter]:
        """Those that are to be sent again."""
        return list(_letters(self._again))

    def size(self) -> int:
        """What all of them take."""
        found = [*self.folder.glob("*.otlp"), *self._again.glob("*.otlp")]
        return sum(file.stat().st_size for file in found if file.exists())

    def send_again(self) -> int:
        """Have all of them sent again; how many. The facts go last: with them it is complete."""
        letters = self.letters()
        if letters:
            self._again.mkdir(mode=0o700, parents=True, exist_ok=True)
        for letter in letters:
            for ending in ("otlp", "json"):
                (self.folder / f"{letter.name}.{ending}").replace(self._again / f"{letter.name}.{ending}")
        return len(letters)

    def put_back(self, name: str) -> None:
        """Keep one, after all, that was to be sent again."""
        for ending in ("otlp", "json"):
            with suppress(FileNotFoundError):
                (self._again / f"{name}.{ending}").replace(self.folder / f"{name}.{ending}")

    def delete(self) -> int:
        """Delete all of them for good, those that wait to be sent again too; how many."""
        found = [(self.folder, one) for one in self.letters()] + [(self._again, one) for one in self.waiting()]
        for folder, letter in found:
            self._remove(folder, letter.name)
        return len(found)

    def payload(self, letter: Letter) -> bytes | None:
        """The request of one that is to be sent again; None if it is gone."""
        try:
            return (self._again / f"{letter.name}.otlp").read_bytes()
        except OSError:
            return None

    def sent(self, letter: Letter) -> None:
        """One that was sent again is not needed any more."""
        try:
            self._remove(self._again, letter.name)
        except OSError as error:  # it is sent once more by the next process
            _log.warning("a dead letter that was sent cannot be deleted: %s", error)
        with self._lock:
            self._bytes = None

    def _remove(self, folder: Path, name: str) -> None:
        for ending in ("json", "otlp"):
            (folder / f"{name}.{ending}").unlink(missing_ok=True)


def _letters(folder: Path) -> Iterator[Letter]:
    for file in sorted(folder.glob("*.json")):
        try:
            facts = json.loads(file.read_bytes())
            yield Letter(
                file.stem,
                Signal[facts["signal"].upper()],
                int(facts["items"]),
                int(facts["bytes"]),
                str(facts["reason"]),
                bool(facts["treated"]),
            )
        except (OSError, ValueError, KeyError, TypeError):  # not ours, or moved away this moment
            continue
