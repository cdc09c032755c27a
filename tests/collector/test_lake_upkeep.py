"""Upkeep, while others write and read: merging, retention, what was replaced, the log."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from deltalake import DeltaTable
from taximeter_collector.configuration import Config
from taximeter_collector.lake import Lake, LakeConfig, LakeError
from taximeter_collector.lake.compaction import compact, mergers
from taximeter_collector.lake.keeper import run
from taximeter_collector.lake.log import ActiveFile, DeltaLog
from taximeter_collector.lake.merging import in_order_of_time
from taximeter_collector.lake.retention import days_to_drop
from taximeter_collector.lake.schema import CALLS
from taximeter_collector.lake.upkeep import alone, upkeep
from taximeter_collector.supervise.worker import Control
from taximeter_collector.telemetry.exposition import published

from tests.collector.journaling import until
from tests.collector.lakes import (
    DAY,
    ROOT,
    call_rows,
    config,
    expected_calls,
    files_in,
    identities,
    known_files,
    landed,
    superseded,
)

MIB = 1 << 20
NOW_MS = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()) * 1000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def land_each(folder: Path, positions: Sequence[int], **more: object) -> None:
    """A file for each position."""
    lake = Lake.open(config(folder), "j")
    for position in positions:
        lake.append("calls", call_rows([position], **more))
        lake.commit(position)
    lake.close()


def a_file(name: str, day: date = DAY, size: int = 1000, hour: int = 0, written_ms: int = NOW_MS) -> ActiveFile:
    return ActiveFile(name, day, 1, size, 0, 0, hour, ("j", "j"), written_ms)


def test_small_files_become_one_in_the_order_of_time(folder: Path) -> None:
    land_each(folder, range(8))
    reports = {report.table: report for report in upkeep(config(folder))}
    assert (reports["calls"].merged_files, reports["calls"].files, reports["calls"].rows) == (8, 1, 8)
    (file,) = DeltaTable(folder / "calls").file_uris()
    assert pq.read_table(file)["journal_position"].to_pylist() == list(range(8))
    assert landed(folder, "calls") == list(range(8))


def test_files_that_overlap_in_time_are_merged_row_by_row(folder: Path) -> None:
    lake = Lake.open(config(folder), "j")
    for position in range(4):
        lake.append("calls", call_rows([position * 10], 50, start_unix_nano=[n * 4 + position for n in range(50)]))
        lake.commit(position * 10)
    log = lake._tables["calls"].log
    merged = [row for rows in in_order_of_time(log.folder, log.files(), CALLS) for row in rows["start_unix_nano"]]
    assert [row.as_py() for row in merged] == list(range(200))
    lake.close()


def test_few_files_wait_for_more_and_large_ones_are_left(folder: Path) -> None:
    few = [a_file(f"{number}") for number in range(7)]
    assert list(mergers(few, 64 * MIB, NOW_MS)) == []
    large = [a_file(f"{number}", size=40 * MIB) for number in range(20)]
    assert list(mergers(large, 64 * MIB, NOW_MS)) == []
    of_two_sizes = [a_file(f"{number}", size=(100 << 10) if number % 2 else 1000) for number in range(14)]
    assert list(mergers(of_two_sizes, 64 * MIB, NOW_MS)) == []


def test_a_day_that_is_over_is_put_together_once_it_is_quiet() -> None:
    yesterday = DAY - timedelta(days=1)
    hours_ago = NOW_MS - 2 * 3600 * 1000
    files = [a_file(f"{number}", yesterday, 30 * MIB, number, hours_ago) for number in range(3)]
    assert [len(one) for one in mergers(files, 64 * MIB, NOW_MS)] == [2]
    late = [*files, a_file("late", yesterday, written_ms=NOW_MS)]
    assert list(mergers(late, 64 * MIB, NOW_MS)) == []


def test_a_merged_file_is_no_larger_than_the_target() -> None:
    files = [a_file(f"{number}", size=100 << 10, hour=number) for number in range(30)]
    groups = list(mergers(files, 8 * (100 << 10), NOW_MS, all_small=True))
    assert [len(one) for one in groups] == [8, 8, 8, 6]
    assert [file.path for one in groups for file in one] == [str(number) for number in range(30)]


def test_a_replaced_file_is_kept_for_the_grace_and_not_longer(folder: Path) -> None:
    land_each(folder, range(8))
    before = known_files(folder, "calls")
    upkeep(config(folder, grace_s=600.0))
    upkeep(config(folder, grace_s=600.0))
    assert files_in(folder, "calls") == before | known_files(folder, "calls")
    time.sleep(0.002)
    upkeep(config(folder))
    assert files_in(folder, "calls") == known_files(folder, "calls")


def test_what_a_merge_had_begun_when_it_was_killed_goes_with_the_next_round(folder: Path) -> None:
    land_each(folder, [0])
    begun = folder / "calls/_writing" / f"merged-{'0' * 32}.writing"
    moved = folder / f"calls/date={DAY}/merged-{'1' * 32}.parquet"
    recent = folder / f"calls/date={DAY}/land-other-{'2' * 32}.parquet"
    for file in (begun, moved, recent):
        file.write_bytes(b"")
    os.utime(moved, (0, 0))
    upkeep(config(folder))
    assert [file.exists() for file in (begun, moved, recent)] == [False, False, True]


def test_days_are_dropped_when_all_of_them_is_too_old() -> None:
    files = [a_file("a", DAY - timedelta(days=31)), a_file("b", DAY - timedelta(days=30)), a_file("c", DAY)]
    assert days_to_drop(files, DAY, 30 * 86400.0, 0) == [DAY - timedelta(days=31)]
    assert days_to_drop(files, DAY, 0, 0) == []


def test_the_oldest_days_are_dropped_for_size_but_never_today() -> None:
    days = [DAY - timedelta(days=back) for back in (2, 1, 0)]
    files = [a_file(f"{day}", day, 10) for day in days]
    assert days_to_drop(files, DAY, 0, 25) == days[:1]
    assert days_to_drop(files, DAY, 0, 10) == days[:2]
    assert days_to_drop(files, DAY, 0, 1) == days[:2]
    assert days_to_drop([a_file("tomorrow", DAY + timedelta(days=1), 10)], DAY, 0, 1) == []


def test_a_dropped_day_is_gone_for_queries_at_once_and_from_the_disk_after_the_grace(folder: Path) -> None:
    old = date(2020, 1, 1)
    land_each(folder, [0], day=old)
    land_each(folder, [1], day=datetime.now(UTC).date())
    keep = config(folder, calls_max_age_s=86400.0 * 30, grace_s=600.0)
    (calls, *_) = upkeep(keep)
    assert (calls.dropped_days, landed(folder, "calls")) == (1, [1])
    assert (folder / f"calls/date={old}").is_dir()
    time.sleep(0.002)
    upkeep(dataclasses.replace(keep, grace_s=0.0))
    assert not (folder / f"calls/date={old}").exists()


def test_a_query_that_is_under_way_reads_on_while_its_files_are_replaced(folder: Path) -> None:
    """It has listed the files; they are merged and superseded; within the grace it finds all of them."""
    lake = Lake.open(config(folder), "j")
    for position in range(16):
        lake.append("calls", call_rows([position], 500))
        lake.commit(position)
    files = DeltaTable(folder / "calls").file_uris()
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    reader = connection.sql(f"SELECT journal_position, journal_item FROM read_parquet({files})").to_arrow_reader(100)
    read = [reader.read_next_batch()]
    lake.commit(16, [superseded(3, 7)])
    upkeep(config(folder, grace_s=600.0), all_small=True)
    upkeep(config(folder, grace_s=600.0), all_small=True)
    assert len(known_files(folder, "calls")) == 1
    read += list(reader)
    assert sorted((row["journal_position"], row["journal_item"]) for one in read for row in one.to_pylist()) == [
        (position, item) for position in range(16) for item in range(500)
    ]
    assert landed(folder, "calls", "count(*) FILTER (NOT billable)") == [1]
    lake.close()


def test_landers_and_upkeep_at_once_lose_nothing_and_double_nothing(folder: Path) -> None:
    """Two journals are landed by processes of their own, with corrections, while all is merged over and over."""
    Lake.open(config(folder), "first").close()
    landers = [
        subprocess.Popen([sys.executable, "-m", "tests.collector.lakes", "land", str(folder), journal, "60"], cwd=ROOT)
        for journal in ("one", "two")
    ]
    merged = 0
    while any(lander.poll() is None for lander in landers):
        reports = upkeep(config(folder, grace_s=5.0), all_small=True)
        assert [report.error for report in reports if report.error] == []
        merged += sum(report.merged_files for report in reports)
    assert [lander.wait() for lander in landers] == [0, 0]
    assert merged > 0
    assert identities(folder, "calls") == [*expected_calls("one", 60), *expected_calls("two", 60)]
    assert identities(folder, "spans") == [(j, n, item) for j in ("one", "two") for n in range(60) for item in (0, 1)]
    corrected = [(journal, n) for journal in ("one", "two") for n in range(60) if n % 4 == 2]
    assert [
        row[:2] for row in landed(folder, "calls", "journal_id, journal_position, billable") if not row[2]
    ] == corrected


def test_a_correction_finds_its_row_in_the_file_that_a_merge_made_meanwhile(folder: Path) -> None:
    lake = Lake.open(config(folder), "j")
    for position in range(8):
        lake.append("calls", call_rows([position]))
        lake.commit(position)
    log = DeltaLog(folder / "calls", CALLS)
    assert compact(log, config(folder), NOW_MS) == 8
    lake.commit(8, [superseded(5)])
    assert landed(folder, "calls", "CASE WHEN billable THEN 0 ELSE journal_position END") == [0] * 7 + [5]
    assert lake._tables["calls"].not_found == 0
    lake.close()


def test_a_merge_that_a_correction_has_overtaken_is_dropped(folder: Path) -> None:
    lake = Lake.open(config(folder), "j")
    for position in range(8):
        lake.append("calls", call_rows([position]))
        lake.commit(position)

    class Overtaken(DeltaLog):
        def commit(self, decide, *more) -> None:  # type: ignore[no-untyped-def]
            lake.commit(8, [superseded(5)])
            super().commit(decide, *more)

    assert compact(Overtaken(folder / "calls", CALLS), config(folder), NOW_MS) == 0
    assert landed(folder, "calls") == list(range(8))
    assert len([name for name in files_in(folder, "calls") if name.startswith("merged")]) == 0
    lake.close()


def test_the_log_is_short_after_many_commits_and_nothing_is_forgotten(folder: Path) -> None:
    land_each(folder, range(80))
    log_folder = folder / "calls/_delta_log"
    an_age_ago = time.time() - 7200
    for file in log_folder.iterdir():
        os.utime(file, (an_age_ago, an_age_ago))
    lake = Lake.open(config(folder), "j")
    upkeep(config(folder))
    assert len(list(log_folder.iterdir())) < 70
    assert landed(folder, "calls") == list(range(80))
    lake.append("calls", call_rows([79, 80]))
    lake.commit(80)
    assert landed(folder, "calls") == list(range(81))
    lake.close()


def test_one_at_a_time_tidies_a_lake(folder: Path) -> None:
    Lake.open(config(folder), "j").close()
    with alone(folder), pytest.raises(LakeError, match="another process is tidying it"), alone(folder):
        pass


def test_the_keeper_works_in_the_background_and_tells_what_it_did(tmp_path: Path) -> None:
    """It leaves the processors to whoever wants them, so on a busy machine it may be long until it is through."""
    settings = Config(data=tmp_path, lake=LakeConfig(dir=tmp_path / "lake", upkeep_interval_s=1.0))
    settings.run_folder.mkdir()
    land_each(settings.lake.dir, range(8))

    def is_done() -> bool:
        return ("taximeter.lake.merged_files", ("calls",), 8) in published(settings.run_folder)

    async def until_merged() -> None:
        control = Control(io.BytesIO(), {})
        keeping = asyncio.create_task(run(settings, control))
        await asyncio.to_thread(until, is_done, patience_s=240)
        control.stopped.set()
        await keeping

    asyncio.run(until_merged())
    samples = {(name, labels): value for name, labels, value in published(settings.run_folder)}
    assert samples["taximeter.lake.files", ("calls",)] == 1
    assert samples["taximeter.lake.rows", ("calls",)] == 8
