"""How far the cursor may go: behind everything that is delivered, and before everything that is not."""

from __future__ import annotations

import threading
from collections import Counter

__all__ = ["Window"]


class Window:
    """The journal positions of requests under way.

    >>> window = Window()
    >>> window.read(10)
    >>> window.began(3), window.began(7)
    (None, None)
    >>> window.ended(7), window.safe(None)
    (None, 2)
    >>> window.ended(3), window.safe(held_from=9), window.safe(None)
    (None, 8, 10)
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: Counter[int] = Counter()
        self._last = -1

    def read(self, position: int) -> None:
        """All up to this position was read, and what had to be sent of it has begun."""
        self._last = position

    def began(self, first: int) -> None:
        """A request that begins at this position."""
        with self._lock:
            self._under_way[first] += 1

    def ended(self, first: int) -> None:
        """It is delivered, or put aside durably."""
        with self._lock:
            self._under_way[first] -= 1
            if not self._under_way[first]:
                del self._under_way[first]

    def safe(self, held_from: int | None) -> int:
        """The last position that is done with everything before it; -1 if there is none."""
        with self._lock:
            oldest = min(self._under_way, default=self._last + 1)
        return min(self._last, oldest - 1, self._last if held_from is None else held_from - 1)
