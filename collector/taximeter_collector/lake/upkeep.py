"""A round of upkeep over all tables: old days dropped, small files merged, replaced ones deleted, the log trimmed.

As a process of its own (`python -m taximeter_collector.lake.upkeep`), it takes the settings from stdin, tells on stdout
what it has done, and gives back all memory by ending.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from taximeter_collector.journal.files import LockTaken, lock
from taximeter_collector.lake.config import LakeConfig
from taximeter_collector.lake.errors import LakeError, reaching
from taximeter_collector.lake.schema import TABLES

__all__ = ["TableReport", "alone", "upkeep"]

_WAIT_S = 0.1
_CHECKPOINT_AFTER = 16


@dataclass(slots=True)
class TableReport:
    """What a round did to one table, and how the table is after it."""

    table: str
    files: int = 0
    rows: int = 0
    bytes: int = 0
    merged_files: int = 0
    deleted_files: int = 0
    dropped_days: int = 0
    error: str = ""


@contextmanager
def alone(folder: Path, patience_s: float = 0) -> Iterator[None]:
    """Be the only one on this machine who tidies a lake. LakeError if somebody else goes on for longer than that."""
    deadline = time.monotonic() + patience_s
    while True:
        with reaching(folder):
            try:
                held = lock(folder / ".upkeep.lock")
                break
            except LockTaken:
                if time.monotonic() >= deadline:
                    raise LakeError(f"{folder}: another process is tidying it") from None
        time.sleep(_WAIT_S)
    with held:
        yield


def upkeep(
    config: LakeConfig, *, steps: tuple[str, ...] = ("prune", "compact", "sweep", "trim"), all_small: bool = False
) -> list[TableReport]:
    """Do the steps with every table that is there. What fails with one is told, and does not keep from the next."""
    reports = []
    for name in TABLES:
        if (config.dir / name / "_delta_log").is_dir():
            report = TableReport(name)
            try:
                _tidy(report, config, steps, all_small)
            except LakeError as error:
                report.error = str(error)
            reports.append(report)
    return reports


def _tidy(report: TableReport, config: LakeConfig, steps: tuple[str, ...], all_small: bool) -> None:
    from taximeter_collector.lake.compaction import compact
    from taximeter_collector.lake.log import DeltaLog
    from taximeter_collector.lake.retention import prune
    from taximeter_collector.lake.sweeping import remove_unfinished, sweep

    log = DeltaLog(config.dir / report.table, TABLES[report.table])
    log.refuse_newer()
    now_ms = time.time_ns() // 1_000_000
    remove_unfinished(log)
    if "prune" in steps:
        report.dropped_days = len(prune(log, config, now_ms))
    if "compact" in steps:
        report.merged_files = compact(log, config, now_ms, all_small=all_small)
    if "sweep" in steps:
        report.deleted_files = sweep(log, config.grace_s, now_ms)
    if "trim" in steps:
        if log.commits_since_checkpoint >= _CHECKPOINT_AFTER:
            log.checkpoint()
        log.trim()
    files = log.files()
    report.files, report.rows, report.bytes = (
        len(files),
        sum(file.rows for file in files),
        sum(file.bytes for file in files),
    )


def main() -> int:
    """A round, for the keeper."""
    config = pickle.loads(sys.stdin.buffer.read())
    if hasattr(os, "nice"):
        os.nice(10)  # landing and receiving come first
    try:
        with alone(config.dir):
            reports = upkeep(config)
    except LakeError as error:
        print(error, file=sys.stderr)  # noqa: T201 - to the keeper
        return 1
    print(json.dumps([dataclasses.asdict(report) for report in reports]))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
