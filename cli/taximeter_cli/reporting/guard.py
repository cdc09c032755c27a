"""Limits that hold where the engine's own do not: a single function may run for minutes, and take what it likes."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taximeter_cli.options import Mistake

__all__ = ["checked", "guarded"]

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]?)(i?)B", re.IGNORECASE)
_PATIENCE_S = 3.0
"""How long the engine may take to end what was interrupted."""
_BESIDES_BYTES = 2**30
"""What the engine needs besides what it counts, and the answer."""


@contextmanager
def guarded(memory: str, time_s: float) -> Iterator[None]:
    """End the process if a query takes much more than it may, and does not hear that its time is over."""
    most = _bytes(memory)
    last = threading.Timer(time_s + _PATIENCE_S, _end, (time_s,))
    last.daemon = True
    last.start()
    before = _limit_memory(_held_bytes() + most + _BESIDES_BYTES)
    try:
        yield
    except MemoryError as error:
        raise Mistake(f"taximeter: the query needs more memory than {memory}", 1) from error
    finally:
        last.cancel()
        _limit_memory(before)


def checked(size: str) -> str:
    """The same, if it is a size. Mistake if not."""
    _bytes(size)
    return size


def _bytes(size: str) -> int:
    found = _SIZE.fullmatch(size.strip())
    if not found:
        raise Mistake(f"taximeter: --memory {size}: expected a size such as 500MB or 2GiB")
    number, letter, binary = found.groups()
    return int(float(number) * (1024 if binary else 1000) ** " KMGT".index(letter.upper() or " "))


def _limit_memory(most: int) -> int:
    """Have the process take no more data than that, and tell what held before; -1 is no limit."""
    try:
        import resource
    except ImportError:  # Windows
        return -1
    before, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (most if hard < 0 else min(most, hard), hard))
    return before


def _held_bytes() -> int:
    """What the process has already, as far as the system tells."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[5]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def _end(time_s: float) -> None:
    print(f"taximeter: the query took longer than {time_s:g} s and was ended", file=sys.stderr, flush=True)
    os._exit(1)
