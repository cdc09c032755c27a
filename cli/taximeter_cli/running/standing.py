"""The collector that runs on a data folder, by what it has left there for others."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from taximeter_collector.supervise.supervisor import PLACES

__all__ = ["Left", "is_alive", "left_by"]


@dataclass(frozen=True, slots=True)
class Left:
    """Its process, and where it listens for plain HTTP and asks nobody who they are; "" if nowhere."""

    pid: int
    http: str


def left_by(run_folder: Path) -> Left | None:
    """None if nothing is there, or nobody who has left it: a collector that was killed takes nothing away."""
    try:
        told: Any = json.loads((run_folder / PLACES).read_bytes())
        left = Left(int(told["pid"]), str(told.get("http", "")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return left if is_alive(left.pid) else None


def is_alive(pid: int) -> bool:
    """Whether there is such a process. Asked of psutil, as `os.kill(pid, 0)` ends it on Windows.

    >>> import os
    >>> is_alive(os.getpid()), is_alive(-1)
    (True, False)
    """
    return pid > 0 and psutil.pid_exists(pid)
