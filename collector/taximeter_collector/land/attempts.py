"""How often landing began at a place and came no further. What kills a process cannot be caught; it can be counted."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

__all__ = ["TOO_OFTEN", "Attempts"]

TOO_OFTEN = 3
"""After so many deaths in a row at one place it is the place, and not chance."""


class Attempts:
    """A note in a small file, which outlives the process that wrote it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._noted = True

    def begin(self, place: str) -> int:
        """Note that work begins here; how often it did so before without getting any further."""
        before = 0
        with suppress(OSError, ValueError, TypeError, KeyError):
            told = json.loads(self._file.read_text())
            before = int(told["times"]) if told["place"] == place else 0
        with suppress(OSError):  # a full disk is somebody else's trouble
            self._file.write_text(json.dumps({"place": place, "times": before + 1}))
        self._noted = True
        return before

    def over(self) -> None:
        """Work got further."""
        if self._noted:
            with suppress(OSError):
                self._file.unlink(missing_ok=True)
            self._noted = False
