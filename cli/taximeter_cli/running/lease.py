"""A collector for as long as anyone needs one: the one that runs on a data folder already, or one of ours.

Several commands may run at a time, over one data folder. The first starts a collector, the others join it, and the
last one to end stops it. It is in a session of its own: a Ctrl-C that ends the first command leaves it to the others.
Leases are locks, so that one of a process that was killed counts for nothing; if all were killed, `kept` ends it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from taximeter_collector.journal.files import LockTaken, is_locked, lock
from taximeter_collector.supervise.supervisor import PLACES

from taximeter_cli.options import Mistake

__all__ = ["LOG", "OF_RUNS", "Place", "alone", "is_leased", "leased", "stands"]

_PATIENCE_S = 30.0
_LOOK_EVERY_S = 0.05
OF_RUNS = "of-runs"
"""In the run folder: this collector is one of ours."""
LOG = "collector.log"
"""In the run folder: what it says."""


@dataclass(frozen=True, slots=True)
class Place:
    """A collector: where it listens, and what its process is."""

    http: str
    pid: int
    ours: bool
    """Whether it was started by `taximeter run`, and ends with the last of them."""
    process: subprocess.Popen[bytes] | None = None
    """If it is our own child."""


@contextmanager
def leased(run_folder: Path, command: list[str]) -> Iterator[Place]:
    """A collector on a data folder; `command` starts one."""
    for folder in (run_folder.parent, run_folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with alone(run_folder):
        place = _standing(run_folder) or _started(run_folder, command)
        lease = _lease(run_folder)
    try:
        yield place
    finally:
        with alone(run_folder):
            lease.close()
            Path(lease.name).unlink(missing_ok=True)
            if place.ours and not is_leased(run_folder):
                _stop(run_folder, place)


def _standing(run_folder: Path) -> Place | None:
    """The collector that runs on this folder, once it has said where it listens; None if there is none."""
    deadline = time.monotonic() + _PATIENCE_S
    while is_locked(run_folder / "lock"):
        if place := _told(run_folder):
            return place
        if time.monotonic() > deadline:
            raise Mistake(
                f"taximeter: a collector uses {run_folder.parent} and does not say where it listens for plain HTTP; "
                "name another folder with --data",
                1,
            )
        time.sleep(_LOOK_EVERY_S)
    return None


def _started(run_folder: Path, command: list[str]) -> Place:
    """One of ours."""
    (run_folder / OF_RUNS).touch()
    (run_folder / PLACES).unlink(missing_ok=True)  # of one that was killed
    log = run_folder / LOG
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=sys.platform != "win32"
        )
    deadline = time.monotonic() + _PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        if (place := _told(run_folder)) and place.pid == process.pid:
            return replace(place, process=process)
        time.sleep(_LOOK_EVERY_S)
    (run_folder / OF_RUNS).unlink(missing_ok=True)
    process.kill()
    process.wait()
    last = log.read_text("utf-8", "replace").strip().splitlines()[-1:] or ["it said nothing"]
    raise Mistake(f"taximeter: the collector did not start: {last[0]}", 1)


def _told(run_folder: Path) -> Place | None:
    """What a collector has left that holds the folder's lock."""
    try:
        told = json.loads((run_folder / PLACES).read_bytes())
        return Place(told["http"], told["pid"], (run_folder / OF_RUNS).exists())
    except (OSError, ValueError, KeyError):
        return None


def stands(run_folder: Path, place: Place) -> bool:
    """Whether it is still the collector that we know that works there."""
    known = _told(run_folder)
    return known is not None and known.pid == place.pid and is_locked(run_folder / "lock")


def _stop(run_folder: Path, place: Place) -> None:
    """End it, if it is still the one that we know, and wait until it has landed what it has."""
    if stands(run_folder, place):
        with suppress(ProcessLookupError):
            os.kill(place.pid, signal.SIGTERM)  # on Windows, an end by force: its workers end in order, by their pipes
    deadline = time.monotonic() + _PATIENCE_S
    while is_locked(run_folder / "lock") and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)
    if place.process:
        with suppress(subprocess.TimeoutExpired):
            place.process.wait(_PATIENCE_S)
    (run_folder / OF_RUNS).unlink(missing_ok=True)


@contextmanager
def alone(run_folder: Path) -> Iterator[None]:
    """One at a time starts and stops."""
    deadline = time.monotonic() + 2 * _PATIENCE_S
    while True:
        try:
            held = lock(run_folder / "runs.lock")
            break
        except LockTaken:
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_EVERY_S)
    with held:
        yield


def _lease(run_folder: Path) -> IO[bytes]:
    folder = run_folder / "leases"
    folder.mkdir(exist_ok=True)
    return lock(folder / str(os.getpid()))


def is_leased(run_folder: Path) -> bool:
    """Whether anyone else is still there; leases of the dead are removed."""
    found = False
    for file in (run_folder / "leases").iterdir():
        if is_locked(file):
            found = True
        else:
            file.unlink(missing_ok=True)
    return found
