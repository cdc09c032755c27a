"""The lake: whether its files are there, when it was last written, what is due, and who else writes it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from taximeter_collector.configuration import Config
from taximeter_collector.journal.files import is_locked
from taximeter_collector.journal.segments import Folder
from taximeter_collector.lake import LakeError
from taximeter_collector.lake.figures import table_figures
from taximeter_collector.lake.log import ActiveFile, DeltaLog
from taximeter_collector.lake.retention import due
from taximeter_collector.lake.schema import TABLES
from taximeter_collector.lake.verification import verify_table

from taximeter_cli.doctoring.finding import Finding, counted, error, note, ok, warning
from taximeter_cli.doctoring.running import running
from taximeter_cli.doctoring.subject import Subject

__all__ = ["TITLE", "check"]

TITLE = "Lake"

_MANY_SMALL = 64
_HOUR_MS = 3_600_000


def check(subject: Subject) -> Iterator[Finding]:
    """By its logs and the names of its files, unless all of it is to be read."""
    config = subject.config
    there = [name for name in TABLES if (config.lake.dir / name / "_delta_log").is_dir()]
    if not there:
        yield note(f"there is no lake at {config.lake.dir} yet")
        return
    is_running = running(config) is not None
    for name in there:
        try:
            yield from _table(config, name, is_running=is_running)
        except LakeError as wrong:
            yield error(str(wrong), f"taximeter lake verify; {name} may have to be restored from a backup")
        if subject.full:
            yield from _verified(config, name)
    if missing := set(TABLES) - set(there):
        yield warning(f"tables are missing: {', '.join(sorted(missing))}", "they are made when a collector starts")
    yield from _writers(config, there)


def _table(config: Config, name: str, *, is_running: bool) -> Iterator[Finding]:
    figures, log = table_figures(config.lake.dir, name)
    log.refuse_newer()
    files = log.files()
    gone = [file for file in files if not _is_whole(log, file)]
    if gone and (gone := [file for file in gone if log.still_has(file) and not _is_whole(log, file)]):
        yield error(
            f"{name}: {len(gone)} of {counted(len(files), 'file')} missing or not as long as they were: {gone[0].path}",
            "restore them from a backup; `taximeter lake verify` tells all",
            table=name,
            files=[file.path for file in gone],
        )
    days = due(log, config.lake, time.time_ns() // 1_000_000)
    replaced = [path for path in log.removed() if (log.folder / path).exists()]
    small = _small(files, config.lake.target_bytes(name))
    told = f"{name}: {counted(figures.rows, 'row')} in {counted(figures.files, 'file')}, {figures.bytes:,} bytes"
    told += f"; last commit {_last(log)}"
    told += f"; {counted(len(replaced), 'replaced file')} to be deleted" if replaced else ""
    facts = {
        "table": name,
        **{key: getattr(figures, key) for key in ("rows", "files", "bytes", "days", "version", "positions")},
        "replaced_files": len(replaced),
        "small_files": small,
        "days_to_drop": [str(day) for day in days],
    }
    if not gone:
        yield ok(told, **facts)
    if days:
        told = (
            f"{name}: {counted(len(days), 'day')} too old or too much, to be dropped: {', '.join(map(str, days[:3]))}"
        )
        yield note(told, "" if is_running else "a collector does it, or `taximeter lake prune`", **facts)
    if small > _MANY_SMALL:
        yield note(
            f"{name}: {small} small files can be merged",
            "the collector does it while nobody waits" if is_running else "taximeter lake compact",
            **facts,
        )


def _is_whole(log: DeltaLog, file: ActiveFile) -> bool:
    try:
        return (log.folder / file.path).stat().st_size == file.bytes
    except OSError:
        return False


def _small(files: list[ActiveFile], target: int) -> int:
    """Files that have others of the same day to be merged with."""
    days: dict[object, int] = {}
    for file in files:
        if file.bytes < target // 4:
            days[file.date] = days.get(file.date, 0) + 1
    return sum(count for count in days.values() if count > 1)


def _last(log: DeltaLog) -> str:
    entries = [file.stat().st_mtime for file in (log.folder / "_delta_log").glob("*.json") if file.exists()]
    return f"{datetime.fromtimestamp(max(entries), UTC):%Y-%m-%d %H:%M:%S} UTC" if entries else "long ago"


def _verified(config: Config, name: str) -> Iterator[Finding]:
    verdict = verify_table(config.lake.dir, name)
    if verdict.problems:
        yield error(
            f"{name} is not sound: {'; '.join(verdict.problems[:3])}", "taximeter lake verify tells all", table=name
        )
    else:
        yield ok(f"{name}: all {verdict.rows:,} rows are sound", table=name)


def _writers(config: Config, tables: list[str]) -> Iterator[Finding]:
    """Journals that land here and are not of this data folder."""
    own = config.journal.dir / "id"
    identity = Folder(config.journal.dir).identity() if own.exists() else ""
    others = {journal for name in tables for journal in table_figures(config.lake.dir, name)[0].positions} - {identity}
    active = sorted(one for one in others if is_locked(config.lake.dir / f".{one}.lock"))
    if active:
        yield note(
            f"another collector writes this lake, too: journal {', '.join(active)}",
            "that is allowed; its calls are in all reports",
            journals=active,
        )
    elif others:
        yield ok(f"{len(others)} other journals have landed here before", journals=sorted(others))
