"""When to knock: full speed while requests are taken; after a failure a pause, then one request at a time."""

from __future__ import annotations

import random
import threading
import time
from collections import deque

__all__ = ["Gate"]

_FIRST_PAUSE_S = 0.5
_SHORTEST_PAUSE_S = 0.05
_LOOK_S = 0.25


class Gate:
    """Shared by all requests to one destination, so that a backend in trouble is asked by one of them, in turn.

    Pauses are drawn from 0 to a limit that doubles with each failure (full jitter), and never shorter than the backend
    asks for.
    """

    def __init__(self, longest_pause_s: float) -> None:
        self._longest_pause_s = longest_pause_s
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()
        self._failures = 0  # in a row
        self._until = 0.0
        self._slowly = False
        self._asking = False
        self._closed = False
        self.passed = 0  # requests that were taken

    @property
    def is_open(self) -> bool:
        """Whether the last answer was a good one."""
        return not self._failures

    @property
    def pause_s(self) -> float:
        """How long it is until the next attempt."""
        return max(0.0, self._until - time.monotonic()) if self._failures else 0.0

    def enter(self) -> int | None:
        """Wait for one's turn; what to hand to `failed`. None if the gate was closed for good."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                while not self._closed:
                    if not self._failures:
                        return self._failures
                    if self._waiting[0] is ticket and not self._asking and self._until <= time.monotonic():
                        self._asking = True
                        return self._failures
                    self._changed.wait(min(_LOOK_S, max(0.001, self._until - time.monotonic())))
            finally:
                self._waiting.remove(ticket)
        return None

    def answered(self, *, taken: bool) -> None:
        """The backend is there, whatever it thinks of the request."""
        with self._changed:
            self.passed += taken
            self._asking = False
            if self._failures:
                self._failures = 0
                self._changed.notify_all()

    def failed(self, entered: int, wait_s: float | None = None, *, slowly: bool = False) -> float:
        """It did not take a request. Those that were under way together count as one failure. The pause."""
        now = time.monotonic()
        with self._changed:
            self._asking, self._slowly = False, slowly
            if entered == self._failures:
                self._failures += 1
                limit = min(self._longest_pause_s, _FIRST_PAUSE_S * 2.0 ** min(self._failures - 1, 30))
                pause = random.uniform(_SHORTEST_PAUSE_S, limit)
                if slowly:
                    pause = random.uniform(self._longest_pause_s / 2, self._longest_pause_s)
                self._until = now + pause
            if wait_s is not None:
                self._until = max(self._until, now + wait_s * random.uniform(1.0, 1.05))
            self._changed.notify_all()
            return max(0.0, self._until - now)

    def hasten(self) -> None:
        """The user may have put right what we waited for."""
        with self._changed:
            if self._slowly:
                self._until = time.monotonic()
                self._changed.notify_all()

    def close(self) -> None:
        """Let nobody in any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
