"""How far a question is, on stderr, for those who wait at a terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

__all__ = ["Progress"]

_PATIENCE_S = 1.0
_BLOCKS = 30
_ERASE = "\r\x1b[2K"


class Progress:
    """Says nothing for a second, and leaves nothing behind."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._is_wanted = sys.stderr.isatty()
        self._is_shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_shown:
            print(_ERASE, end="", file=sys.stderr, flush=True)

    def __call__(self, done: float) -> None:
        """Tell how much is done: 0 to 1, less than 0 if nobody knows."""
        waited_s = time.monotonic() - self._begun
        if self._is_wanted and waited_s > _PATIENCE_S:
            self._is_shown = True
            print(f"{_ERASE}{_bar(done)} {waited_s:.0f} s", end="", file=sys.stderr, flush=True)


def _bar(done: float) -> str:
    if not 0 <= done <= 1:
        return "reading"
    full = round(done * _BLOCKS)
    return f"{'━' * full}{'─' * (_BLOCKS - full)} {done:4.0%}"
