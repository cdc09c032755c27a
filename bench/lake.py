"""What the lake costs: writing rows, merging files, and a log of a week of commits every five seconds.

`python bench/lake.py files`, `merge`, `lookup`, `log [COMMITS]`. Rows are made up: twelve texts that repeat, ids that
do not, eighteen attributes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import psutil
import pyarrow as pa
from taximeter_collector.lake import Lake, LakeConfig, creation, parquet
from taximeter_collector.lake.compaction import compact
from taximeter_collector.lake.log import Actions, DeltaLog
from taximeter_collector.lake.parquet import Written
from taximeter_collector.lake.schema import MONEY, TABLES, TEXT
from taximeter_collector.lake.upkeep import upkeep
from taximeter_collector.lake.writing import DayFiles

DAY = date(2026, 11, 20)
DAY_NANO = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp()) * 10**9
CHANCE = np.random.default_rng(0)
IDS = {"trace_id": 16, "span_id": 8, "parent_span_id": 8, "response_id": 18}


def rows(table: str, count: int, position: int = 0) -> pa.Table:
    """Rows of ten seconds; fifty milliseconds later for each position."""
    nanos = DAY_NANO + position * 50_000_000 + CHANCE.integers(0, 10**10, count)
    columns: dict[str, Any] = {}
    for column in TABLES[table].columns:
        name, kind = column.name, column.type
        if name == "date":
            values = pa.repeat(pa.scalar(DAY, kind), count)
        elif name in ("start_time", "time"):
            values = pa.array(nanos // 1000).cast(kind)
        elif name.endswith("unix_nano") and name != "claimed_unix_nano":
            values = pa.array(nanos)
        elif name == "journal_position":
            values = pa.array(position + np.arange(count) // 512)
        elif name == "journal_item":
            values = pa.array((np.arange(count) % 512).astype(np.int32))
        elif name in IDS:
            values = hexadecimal(count, IDS[name], 6 if name == "trace_id" else 1)
        elif name in ("billed_as", "not_billable_because", "status_message"):
            values = pa.nulls(count, kind)
        elif kind == TEXT:
            words = pa.array([f"{name}-{number}" for number in range(8)])
            values = pa.DictionaryArray.from_arrays(pa.array(CHANCE.integers(0, 8, count, dtype=np.int32)), words)
        elif pa.types.is_map(kind):
            values = attributes(count, 18 if name == "attributes" else 6)
        elif name in ("input_tokens", "output_tokens", "cache_read_tokens"):
            values = pa.array(CHANCE.integers(0, 9000, count))
        elif kind == MONEY and name in ("cost_usd", "input_cost_usd", "output_cost_usd"):
            values = pa.array(CHANCE.integers(0, 10**6, count)).cast(pa.decimal128(38, 0)).cast(MONEY)
        elif name in ("duration_ms", "ttft_ms"):
            values = pa.array(CHANCE.random(count) * 1000)
        elif name == "billable":
            values = pa.array(CHANCE.random(count) < 0.9)
        else:
            values = pa.nulls(count, kind)
        columns[name] = values
    return pa.table(columns)


def hexadecimal(count: int, width: int, repeat: int) -> pa.Array:
    """Random ids, each for so many rows."""
    text = CHANCE.bytes((count // repeat + 1) * width).hex()
    each = pa.array([text[at : at + 2 * width] for at in range(0, len(text), 2 * width)])
    return each.take(pa.array(np.arange(count) // repeat))


def attributes(count: int, width: int) -> pa.Array:
    """A map for each row: an id, numbers, and words."""
    keys = pa.array([f"gen_ai.attribute.{number:02}" for number in range(width)])
    pool = pa.array([f"word-{number}" for number in range(30)] + [str(number) for number in range(9000)])
    which = CHANCE.integers(0, 30, (count, width))
    which[:, 1:5] = CHANCE.integers(30, len(pool), (count, 4))
    which[:, 0] = len(pool) + np.arange(count)
    values = pa.concat_arrays([pool, hexadecimal(count, 20, 1)]).take(pa.array(which.reshape(-1)))
    offsets = pa.array(np.arange(0, count * width + 1, width, dtype=np.int32))
    return pa.MapArray.from_arrays(offsets, keys.take(pa.array(np.tile(np.arange(width), count))), values)


def files(folder: Path) -> None:
    """Microseconds of CPU and bytes for a row, in files of 40,000."""
    count = 40_000
    for table in ("calls", "spans", "logs"):
        made = rows(table, count)
        for title, level, changed in (
            ("as it is", 1, {}),
            ("zstd level 3", 3, {}),
            ("without bloom filters", 1, {"_LOOKED_UP": ()}),
        ):
            with mock.patch.multiple(parquet, **changed) if changed else contextlib.nullcontext():
                cpu_s, size = _median(lambda made=made, level=level, table=table: _written(folder, table, made, level))
            print(f"{table:8} {title:24} {cpu_s / count * 1e6:6.2f} us/row {size / count:8.1f} bytes/row", flush=True)


def _written(folder: Path, table: str, made: pa.Table, level: int) -> int:
    day_files = DayFiles(folder, TABLES[table], "bench", level, 1 << 30)
    day_files.append(made)
    (written,) = day_files.finish()
    return written.bytes


def _median(work: Callable[[], int], times: int = 7) -> tuple[float, int]:
    folder_made = []
    taken = []
    for _ in range(times):
        before = time.process_time()
        folder_made.append(work())
        taken.append(time.process_time() - before)
    return statistics.median(taken), folder_made[-1]


def merge(folder: Path) -> None:
    """Eighty files of 5,000 rows into one: ours, and deltalake's own, each in a process of its own."""
    for table in ("calls", "spans"):
        lake = Lake.open(LakeConfig(dir=folder / table), "bench")
        for number in range(80):
            lake.append(table, rows(table, 5000, number * 100))
            lake.commit(number * 100 + 99)
        lake.close()
        for whose in ("ours", "deltalake"):
            copy = folder / f"{table}-{whose}"
            shutil.copytree(folder / table, copy)
            environment = os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system"}  # as the keeper has it
            subprocess.run([sys.executable, __file__, f"merge-{whose}", str(copy), table], env=environment, check=True)


def merge_one(whose: str, folder: Path, table: str) -> None:
    """In a process of its own, for its memory."""
    log = DeltaLog(folder / table, TABLES[table])
    count = sum(file.rows for file in log.files())
    before = time.process_time()
    with peak_memory() as peak:
        base = psutil.Process().memory_info().rss
        if whose == "ours":
            compact(log, LakeConfig(dir=folder), time.time_ns() // 10**6, all_small=True)
        else:
            from deltalake import DeltaTable, WriterProperties

            properties = WriterProperties(compression="ZSTD", compression_level=1)
            DeltaTable(folder / table).optimize.compact(
                target_size=64 << 20, max_concurrent_tasks=1, writer_properties=properties
            )
    cpu_us = (time.process_time() - before) / count * 1e6
    print(f"{table:8} {whose:10} {cpu_us:6.2f} us/row; {base / 1e6:.0f} MB before, {peak[0] / 1e6:.0f} MB at the peak")


@contextlib.contextmanager
def peak_memory() -> Iterator[list[int]]:
    """The most resident memory meanwhile."""
    peak, done, process = [0], threading.Event(), psutil.Process()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    yield peak
    done.set()
    watcher.join()


def lookup(folder: Path) -> None:
    """A trace among a million spans, by DuckDB."""
    import duckdb

    for title, changed in (("with bloom filters", {}), ("without", {"_LOOKED_UP": ()})):
        lake = Lake.open(LakeConfig(dir=folder / title), "bench")
        with mock.patch.multiple(parquet, **changed) if changed else contextlib.nullcontext():
            for number in range(25):
                made = rows("spans", 40_000, number * 1000)
                lake.append("spans", made)
                lake.commit(number * 1000 + 999)
        wanted = made["trace_id"][777].as_py()
        uris = [str(folder / title / "spans" / file.path) for file in lake._tables["spans"].log.files()]
        query = f"SELECT count(*) FROM read_parquet({uris}) WHERE trace_id = '{wanted}'"
        connection = duckdb.connect()
        taken, _ = _wall(lambda connection=connection, query=query: connection.sql(query).fetchall()[0][0])
        print(f"{title:20} {taken * 1e3:6.1f} ms")
        lake.close()


def _wall(work: Callable[[], Any], times: int = 9) -> tuple[float, Any]:
    taken, result = [], None
    for _ in range(times):
        before = time.perf_counter()
        result = work()
        taken.append(time.perf_counter() - before)
    return statistics.median(taken), result


def log(folder: Path, commits: int) -> None:
    """So many commits of one small file, with a round of upkeep every twelve, as the keeper would each minute.

    It goes on a hundred times as fast as with a commit every five seconds, and so do the times that the log is kept.
    """
    kept = {"_LOG_KEPT": "interval 36 seconds", "_REMOVALS_KEPT": "interval 144 seconds"}
    config = LakeConfig(dir=folder, grace_s=6.0)
    with mock.patch.multiple(creation, **kept):
        Lake.open(config, "bench").close()
    table = DeltaLog(folder / "calls", TABLES["calls"])
    template = _template(folder)
    began = time.perf_counter()
    for number in range(commits):
        day = DAY + timedelta(days=number * 5 // 86400)
        table.commit(lambda number=number, day=day: _linked(folder, template, number, day), "bench", number, number - 1)
        time.sleep(max(0, began + number * 0.05 - time.perf_counter()))
        if number % 12 == 11:
            upkeep(config)
        if number + 1 in (100, 1000, 5000, 17_280, 60_000, commits):
            _tell(folder, number + 1, time.perf_counter() - began)


def _template(folder: Path) -> Written:
    made = DayFiles(folder / "calls", TABLES["calls"], "land-bench", 1, 1 << 30)
    made.append(rows("calls", 20))
    return made.finish()[0]


def _linked(folder: Path, template: Written, number: int, day: date) -> Actions:
    place = folder / f"calls/date={day}"
    place.mkdir(exist_ok=True)
    name = f"land-bench-{number:032x}.parquet"
    with contextlib.suppress(FileExistsError):  # decided anew, after a merge came between
        os.link(template.path, place / name)
    return Actions([Written(template.path, name, day, template.rows, template.bytes, template.statistics)])


def _tell(folder: Path, commits: int, seconds: float) -> None:
    from deltalake import DeltaTable

    opened_s, table = _wall(lambda: DeltaTable(folder / "calls"), 5)
    entries = len(list((folder / "calls/_delta_log").iterdir()))
    found = f"{len(table.file_uris()):,} data files, {entries:,} files of log"
    took = f"a reader opens it in {opened_s * 1e3:.1f} ms"
    print(f"{commits:7,} commits in {seconds:,.0f} s: {found}, {took}", flush=True)


def main(arguments: list[str]) -> None:
    """One of the figures, or all but the week."""
    what = arguments[0] if arguments else "all"
    if what.startswith("merge-"):
        merge_one(what.removeprefix("merge-"), Path(arguments[1]), arguments[2])
        return
    with tempfile.TemporaryDirectory() as folder:
        if what in ("files", "all"):
            files(Path(folder))
        if what in ("merge", "all"):
            merge(Path(folder) / "merge")
        if what in ("lookup", "all"):
            lookup(Path(folder) / "lookup")
        if what in ("log", "all"):
            log(Path(folder) / "log", int(arguments[1]) if len(arguments) > 1 else 1000)


if __name__ == "__main__":
    main(sys.argv[1:])
