"""How often the process died at a place. What kills a process cannot be caught; it can be counted."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

__all__ = ["TOO_OFTEN", "Attempts"]

TOO_OFTEN = 3
"""After so many deaths in a row at one place it is the place, and not chance."""


class Attempts:
    """Notes in small files, one for each kind of place, which outlive the process that wrote them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._noted = {"cursor", "record"}

    def begin(self, kind: str, place: int) -> int:
        """Note that work begins at a `cursor` or a `record`; how often it did so before, and was never over."""
        before = self.times(kind, place)
        with suppress(OSError):  # a full disk is somebody else's trouble
            self._file(kind).write_text(json.dumps({"place": place, "times": before + 1}))
        self._noted.add(kind)
        return before

    def times(self, kind: str, place: int) -> int:
        """How often work began there, and was never over."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            told = json.loads(self._file(kind).read_text())
            return int(told["times"]) if told["place"] == place else 0
        return 0

    def over(self) -> None:
        """The process is alive: the work is done, or it failed in a way that it can tell."""
        while self._noted:
            with suppress(OSError):
                self._file(self._noted.pop()).unlink(missing_ok=True)

    def _file(self, kind: str) -> Path:
        return self._folder / f"lander.{kind}"
