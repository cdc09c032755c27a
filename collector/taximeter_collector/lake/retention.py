"""Days that are too old, or too much: dropped as a whole, the oldest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

from taximeter_collector.lake.config import LakeConfig
from taximeter_collector.lake.log import Actions, ActiveFile, DeltaLog

__all__ = ["days_to_drop", "due", "prune"]


def prune(log: DeltaLog, config: LakeConfig, now_ms: int) -> list[date]:
    """Drop the days that the settings say, and tell which."""
    log.refresh()
    dropped = due(log, config, now_ms)
    if dropped:
        log.commit(lambda: _without(log, set(dropped)))
    return dropped


def due(log: DeltaLog, config: LakeConfig, now_ms: int) -> list[date]:
    """The days of a table that are to be dropped."""
    max_age_s = float(getattr(config, f"{log.table.name}_max_age_s"))
    max_bytes = int(getattr(config, f"{log.table.name}_max_size"))
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    return days_to_drop(log.files(), today, max_age_s, max_bytes)


def _without(log: DeltaLog, days: set[date]) -> Actions:
    log.refresh()
    return Actions(removed=[file for file in log.files() if file.date in days])


def days_to_drop(files: Sequence[ActiveFile], today: date, max_age_s: float, max_bytes: int) -> list[date]:
    """The days to drop of files in the order of days.

    A day is too old when all of it is. For the size, what is of today stays, whatever it takes: a ledger without its
    last hours is of less use than a disk with more room.
    """
    sizes = [(day, sum(file.bytes for file in one)) for day, one in groupby(files, key=lambda file: file.date)]
    dropped = [day for day, _ in sizes if max_age_s and day < today - timedelta(seconds=max_age_s)]
    kept = [(day, size) for day, size in sizes if day not in set(dropped)]
    excess = _total(kept) - max_bytes if max_bytes else 0
    for day, size in kept:
        if excess <= 0 or day >= today:
            break
        dropped.append(day)
        excess -= size
    return dropped


def _total(sizes: Iterable[tuple[date, int]]) -> int:
    return sum(size for _, size in sizes)
