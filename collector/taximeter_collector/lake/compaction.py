"""Small files of a day into larger ones, in the order of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby

from taximeter_collector.lake.config import LakeConfig
from taximeter_collector.lake.errors import LakeError, reaching
from taximeter_collector.lake.log import Actions, ActiveFile, DeltaLog
from taximeter_collector.lake.merging import in_order_of_time
from taximeter_collector.lake.parquet import Written
from taximeter_collector.lake.writing import DayFiles, drop, place

__all__ = ["AUTHOR", "compact", "mergers"]

AUTHOR = "merged"
# Files of one size become one of the next, eight times as large, until they are an eighth of the target: what is landed
# is written again three times at most, and a day that goes on has fewer than thirty small files.
_FACTOR = 8
_SMALLEST_BYTES = 32 << 10
_MOST_FILES = 512
_NO_LIMIT = 1 << 62
# When landing is fast, its files are large enough for the day; merging them costs twice what landing them did, so this
# waits until the day is over and nothing more has come for an hour.
_QUIET_MS = 3600 * 1000
_ROUND_FILES = 2  # of the target size: what one round writes in one table, so that it is a few seconds' work


class _Overtaken(Exception):
    """Somebody else has replaced one of the files meanwhile."""


def compact(log: DeltaLog, config: LakeConfig, now_ms: int, *, all_small: bool = False) -> int:
    """Merge what is due, and tell how many files went into others; with `all_small`, whatever can be merged."""
    target_bytes = config.target_bytes(log.table.name)
    merged, room = 0, target_bytes * _ROUND_FILES
    log.refresh()
    for files in mergers(log.files(), target_bytes, now_ms, all_small=all_small):
        room -= sum(file.bytes for file in files)
        if room < 0 and not all_small:
            break
        try:
            _merge(log, files, config)
            merged += len(files)
        except _Overtaken:  # the next round will find what is there then
            continue
    return merged


def mergers(
    files: Sequence[ActiveFile], target_bytes: int, now_ms: int, *, all_small: bool = False
) -> Iterator[list[ActiveFile]]:
    """Which files are to become one, the smallest first."""
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    groups: list[list[ActiveFile]] = []
    for day, of_day in groupby(files, key=lambda file: file.date):
        small = [file for file in of_day if file.bytes < target_bytes // 2]
        is_over = day < today and all(file.modified_unix_ms < now_ms - _QUIET_MS for file in small)
        if all_small or is_over:
            groups += [one for one in _filled(small, target_bytes) if len(one) > 1]
        else:
            for level in _levels([file for file in small if file.bytes < target_bytes // _FACTOR]):
                groups += [one for one in _filled(level, target_bytes) if len(one) >= _FACTOR]
    yield from sorted(groups, key=lambda one: max(file.bytes for file in one))


def _levels(files: Sequence[ActiveFile]) -> Iterator[list[ActiveFile]]:
    by_level: dict[int, list[ActiveFile]] = {}
    for file in files:
        level, size = 0, file.bytes
        while size > _SMALLEST_BYTES:
            level, size = level + 1, size // _FACTOR
        by_level.setdefault(level, []).append(file)
    yield from by_level.values()


def _filled(files: Sequence[ActiveFile], target_bytes: int) -> Iterator[list[ActiveFile]]:
    """In the order of time, as many as make up a file."""
    some: list[ActiveFile] = []
    size = 0
    for file in sorted(files, key=lambda file: file.first_unix_nano):
        if some and (size + file.bytes > target_bytes or len(some) >= _MOST_FILES):
            yield some
            some, size = [], 0
        some.append(file)
        size += file.bytes
    if some:
        yield some


def _merge(log: DeltaLog, files: Sequence[ActiveFile], config: LakeConfig) -> None:
    written: list[Written] = []
    paths = {file.path for file in files}

    def decide() -> Actions:
        log.refresh()
        if not paths <= {file.path for file in log.files()}:
            raise _Overtaken
        with reaching(log.folder):
            place(log.folder, written)
        return Actions(written, files)

    try:
        with reaching(log.folder):
            written.append(_written(log, files, config))
        log.commit(decide)
    except (_Overtaken, LakeError):
        log.refresh()
        if not {f"date={file.date}/{file.name}" for file in written} & {file.path for file in log.files()}:
            drop(written, log.folder)
        raise


def _written(log: DeltaLog, files: Sequence[ActiveFile], config: LakeConfig) -> Written:
    day = files[0].date
    file = DayFiles(log.folder, log.table, AUTHOR, config.compression_level, _NO_LIMIT).new_file(day)
    try:
        for rows in in_order_of_time(log.folder, files, log.table):
            file.append(rows)
        return file.finish()
    except BaseException:
        file.abandon()
        raise
