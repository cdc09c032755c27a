"""Ends connections whose time is over: a peer that sends a byte now and then would keep a read waiting for ever."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

__all__ = ["Deadlines"]

_LOOK_S = 0.1


class Deadlines:
    """Of requests under way, watched by one thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[int, tuple[float, socket.socket]] = {}
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="deadlines", daemon=True).start()

    def begin(self, connected: socket.socket, until: float) -> int:
        """Watch over a connection until then, or until `end`."""
        with self._lock:
            if self._closed.is_set():
                _cut(connected)
            self._until[id(connected)] = (until, connected)
        return id(connected)

    def end(self, watched: int) -> None:
        """It is over in time, or not needed any more."""
        with self._lock:
            self._until.pop(watched, None)

    def close(self) -> None:
        """End all of them now."""
        self._closed.set()
        self._cut_those_before(float("inf"))

    def _watch(self) -> None:
        while not self._closed.wait(_LOOK_S):
            self._cut_those_before(time.monotonic())

    def _cut_those_before(self, now: float) -> None:
        with self._lock:
            for watched, (until, connected) in list(self._until.items()):
                if until <= now:
                    _cut(connected)
                    del self._until[watched]


def _cut(connected: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it may be over already
        # Not the method of a TLS socket: that takes the encryption away first, under a thread that may be writing.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
