"""Data files that are no longer part of a table: deleted when no query can be reading them any more."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from taximeter_collector.lake.compaction import AUTHOR
from taximeter_collector.lake.errors import reaching
from taximeter_collector.lake.log import DeltaLog
from taximeter_collector.lake.writing import leftovers

__all__ = ["remove_unfinished", "sweep"]

_OURS = re.compile(r"(land-.+|merged)-[0-9a-f]{32}\.(parquet|writing)")
# Of what the log does not know at all. It is seconds old while it is being committed; after a day nobody is at it.
_UNKNOWN_MS = 24 * 3600 * 1000


def sweep(log: DeltaLog, grace_s: float, now_ms: int) -> int:
    """Delete files that were replaced or dropped before the grace began, and what a crash left long ago."""
    log.refresh()
    removed = log.removed()
    active = {file.path for file in log.files()}
    deleted = 0
    with reaching(log.folder):
        for file in _data_files(log.folder):
            path = file.relative_to(log.folder).as_posix()
            if path not in active and _is_over(file, removed.get(path), grace_s, now_ms):
                with contextlib.suppress(FileNotFoundError):
                    file.unlink()
                    deleted += 1
        _remove_empty_days(log.folder, {path.partition("/")[0] for path in active})
    return deleted


def remove_unfinished(log: DeltaLog) -> None:
    """Delete what an upkeep that was killed had begun. Nobody else may be at it."""
    with reaching(log.folder):
        for file in list(leftovers(log.folder, AUTHOR)):
            if file.suffix == ".writing":
                file.unlink(missing_ok=True)


def _is_over(file: Path, removed_ms: int | None, grace_s: float, now_ms: int) -> bool:
    if removed_ms is not None:
        return removed_ms < now_ms - grace_s * 1000
    try:
        return file.stat().st_mtime * 1000 < now_ms - _UNKNOWN_MS
    except FileNotFoundError:
        return False


def _data_files(folder: Path) -> Iterator[Path]:
    for day in folder.iterdir():
        if day.name == "_writing" or day.name.startswith("date="):
            yield from [file for file in day.iterdir() if _OURS.fullmatch(file.name)]


def _remove_empty_days(folder: Path, kept: set[str]) -> None:
    for day in folder.glob("date=*"):
        if day.name not in kept:
            with contextlib.suppress(OSError):  # it is not empty yet
                day.rmdir()
