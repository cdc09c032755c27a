"""Rows land exactly once, and are read back as they were."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.dataset as ds  # type: ignore[import-untyped]
import pytest
from deltalake import DeltaTable
from taximeter_collector.lake import Lake, LakeError, Superseded
from taximeter_collector.lake.log import DeltaLog
from taximeter_collector.lake.schema import TABLES

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
    rows,
    superseded,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def test_what_is_appended_is_seen_after_the_commit_and_not_before(folder: Path) -> None:
    lake = Lake.open(config(folder), "j")
    assert lake.append("calls", call_rows([0, 1])) == 2
    assert landed(folder, "calls") == []
    lake.commit(1)
    assert landed(folder, "calls") == [0, 1]
    lake.close()


def test_what_is_replayed_lands_once_in_each_table(folder: Path) -> None:
    """A crash came between the commits of two tables: one is further than the other."""
    lake = Lake.open(config(folder), "j")
    lake.append("calls", call_rows([0, 1]))
    lake.append("spans", rows("spans", [0, 1]))
    lake.commit(1)
    lake.append("calls", call_rows([2, 3]))
    lake._tables["calls"].finish()
    lake._tables["calls"].commit(3)
    lake._held.close()

    again = Lake.open(config(folder), "j")
    assert (again.positions["calls"], again.positions["spans"]) == (3, 1)
    assert again.append("calls", call_rows([1, 2, 3, 4])) == 1
    assert again.append("spans", rows("spans", [1, 2, 3, 4])) == 3
    again.commit(4)
    assert (landed(folder, "calls"), landed(folder, "spans")) == ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4])
    again.close()


def test_each_day_has_a_folder_and_rows_need_no_order(folder: Path) -> None:
    lake = Lake.open(config(folder), "j")
    days = [date(2026, 11, 1 + number % 28) for number in range(100)]
    lake.append("calls", call_rows(range(100), date=days))
    lake.append("calls", call_rows([100], day=date(2020, 2, 29)))
    lake.commit(100)
    assert landed(folder, "calls") == list(range(101))
    assert landed(folder, "calls", "DISTINCT date") == sorted({*days, date(2020, 2, 29)})
    lake.close()


def test_rows_of_more_days_than_files_may_be_open_all_land(folder: Path) -> None:
    lake = Lake.open(config(folder), "j")
    days = [date.fromordinal(DAY.toordinal() - number) for number in range(40)]
    lake.append("spans", rows("spans", range(40), date=days))
    lake.append("spans", rows("spans", range(40, 80), date=days))
    lake.commit(79)
    assert landed(folder, "spans") == list(range(80))
    lake.close()


EVERYTHING: dict[str, Any] = {
    "tags": [[("team", "search"), ("nothing", None)]],
    "cost_usd": [Decimal("123456.123456789012")],
    "input_tokens": [2**62],
    "trace_id": ["0af7651916cd43dd8448eb211c80319c"],
    "stream": [True],
    "ttft_ms": [1.25],
    "model": ["gpt-5"],
}
EVENTS = [[{"time_unix_nano": 1, "name": "e", "attributes": [("a", "1")], "dropped_attributes": None}]]


def test_every_kind_of_column_is_read_back_by_every_reader(folder: Path) -> None:
    """Text that was handed over as a dictionary is plain text to them."""
    lake = Lake.open(config(folder), "j")
    calls = call_rows([0], **EVERYTHING)
    spans = rows("spans", [0], events=EVENTS, attributes=[[("k", "v")]])
    place = calls.column_names.index("model")
    lake.append("calls", calls.set_column(place, "model", calls["model"].dictionary_encode()))
    lake.append("spans", spans)
    lake.commit(0)
    for table, written in (("calls", calls), ("spans", spans)):
        delta = DeltaTable(folder / table)
        plain = pa.schema([(column.name, column.type) for column in TABLES[table].columns])
        by_delta = pa.table(delta.scan()).select(plain.names).cast(plain)
        by_arrow = ds.dataset(delta.file_uris(), partitioning="hive").to_table().drop_columns(["date"])
        by_duckdb = duckdb.sql(f"SELECT * FROM read_parquet({delta.file_uris()}, hive_partitioning = true)")
        wanted = written.cast(plain).to_pylist()
        assert by_delta.to_pylist() == wanted
        assert by_arrow.select(plain.names[1:]).cast(pa.schema(list(plain)[1:])).to_pylist() == [
            {name: value for name, value in row.items() if name != "date"} for row in wanted
        ]
        assert by_duckdb.to_arrow_table().select(plain.names).cast(plain).to_pylist() == wanted
    lake.close()


def test_a_file_has_only_the_texts_of_its_own_rows(folder: Path) -> None:
    """The lander's dictionaries have what all its rows have had."""
    lake = Lake.open(config(folder), "j")
    calls = call_rows([0, 1])
    words = pa.array([f"model-{number}" * 10 for number in range(10_000)])
    models = pa.DictionaryArray.from_arrays(pa.array([7, None], pa.int32()), words)
    lake.append("calls", calls.set_column(calls.column_names.index("model"), "model", models))
    lake.commit(1)
    (file,) = DeltaTable(folder / "calls").file_uris()
    assert Path(file).stat().st_size < 20_000
    assert landed(folder, "calls", "coalesce(model, 'none')") == [("model-7" * 10,), ("none",)]
    lake.close()


def test_files_can_be_pruned_by_time_and_by_id(folder: Path) -> None:
    lake = Lake.open(config(folder), "j")
    for position in range(3):
        lake.append("calls", call_rows([position], trace_id=[f"{position:032x}"]))
        lake.commit(position)
    table = DeltaTable(folder / "calls")
    second = datetime(2026, 11, 20, 0, 0, 1, tzinfo=UTC).isoformat()
    assert len(table.file_uris(file_pruning_predicate=f"start_time = '{second}'")) == 1
    assert len(table.file_uris(file_pruning_predicate="journal_position >= 1")) == 2
    file = table.file_uris()[0]
    (bloom,) = duckdb.sql(
        f"SELECT bloom_filter_excludes FROM parquet_bloom_probe('{file}', 'trace_id', '{'f' * 32}')"
    ).fetchall()
    assert bloom == (True,)
    lake.close()


def test_a_row_that_lacks_what_is_never_null_is_refused_by_name(folder: Path) -> None:
    lake = Lake.open(config(folder), "j")
    with pytest.raises(LakeError, match=r"calls\.dialect is NULL in 1 rows"):
        lake.append("calls", call_rows([0], dialect=[None]))
    with pytest.raises(LakeError, match="calls has no column mood"):
        lake.append("calls", call_rows([0]).append_column("mood", pa.array(["good"])))
    lake.abandon()
    lake.append("calls", call_rows([0]).drop_columns(["attempt"]))
    lake.commit(0)
    assert landed(folder, "calls") == [0]
    lake.close()


def test_a_position_that_rows_are_beyond_is_refused(folder: Path) -> None:
    lake = Lake.open(config(folder), "j")
    lake.append("calls", call_rows([7]))
    with pytest.raises(LakeError, match="beyond position 6"):
        lake.commit(6)
    lake.commit(7)
    lake.close()


def test_tables_that_no_rows_came_for_are_told_the_position_at_the_end(folder: Path) -> None:
    lake = Lake.open(config(folder), "j")
    lake.append("calls", call_rows([5]))
    lake.commit(5)
    assert lake.positions == {"calls": 5, "spans": -1, "logs": -1, "metrics": -1, "content": -1}
    lake.close()
    again = Lake.open(config(folder), "j")
    assert set(again.positions.values()) == {5}
    again.close()


def test_a_lander_that_does_nothing_says_nothing_of_what_another_had_not_finished(folder: Path) -> None:
    lake = Lake.open(config(folder), "j")
    lake.append("calls", call_rows([0]))
    lake._tables["calls"].finish()
    lake._tables["calls"].commit(0)
    lake._held.close()
    Lake.open(config(folder), "j").close()
    again = Lake.open(config(folder), "j")
    assert (again.positions["calls"], again.positions["spans"]) == (0, -1)
    again.close()


def test_what_was_abandoned_can_be_appended_again(folder: Path) -> None:
    lake = Lake.open(config(folder), "j")
    lake.append("calls", call_rows([0]))
    lake.abandon()
    assert files_in(folder, "calls") == set()
    assert lake.append("calls", call_rows([0])) == 1
    lake.commit(0)
    assert landed(folder, "calls") == [0]
    lake.close()


def test_a_superseded_row_is_not_billable_with_the_commit_that_says_so(folder: Path) -> None:
    lake = Lake.open(config(folder), "j")
    lake.append("calls", call_rows([0, 1], 2))
    lake.commit(1)
    version = DeltaTable(folder / "calls").version()
    lake.append("calls", call_rows([2]))
    lake.commit(2, [superseded(0, 1), superseded(1, 0)])
    assert DeltaTable(folder / "calls").version() == version + 1
    assert landed(
        folder, "calls", "journal_position, journal_item, billable, not_billable_because, billed_as, cost_usd"
    ) == [
        (0, 0, True, None, None, Decimal("0.001000000000")),
        (0, 1, False, "better_view", "j/1.1", Decimal("0.001000000000")),
        (1, 0, False, "better_view", "j/2.0", Decimal("0.002000000000")),
        (1, 1, True, None, None, Decimal("0.002000000000")),
        (2, 0, True, None, None, Decimal("0.003000000000")),
    ]
    lake.close()


def test_a_row_can_be_superseded_by_one_of_the_same_commit(folder: Path) -> None:
    lake = Lake.open(config(folder), "j")
    lake.append("calls", call_rows([0, 1]))
    lake.commit(1, [superseded(0)])
    assert landed(folder, "calls", "journal_position, billable") == [(0, False), (1, True)]
    assert files_in(folder, "calls") == known_files(folder, "calls")
    lake.close()


def test_a_correction_that_was_made_before_replaces_no_file(folder: Path) -> None:
    lake = Lake.open(config(folder), "j")
    lake.append("calls", call_rows([0]))
    lake.commit(0, [superseded(0)])
    before = DeltaTable(folder / "calls").version(), known_files(folder, "calls")
    lake.commit(0, [superseded(0), Superseded(DAY, "j", 77, 0, "never_landed", None)])
    assert (DeltaTable(folder / "calls").version(), known_files(folder, "calls")) == before
    lake.close()


def test_an_index_can_be_built_from_what_has_landed(folder: Path) -> None:
    lake = Lake.open(config(folder), "j")
    lake.append("calls", call_rows([0], day=date(2026, 11, 19)))
    lake.append("calls", call_rows([1, 2], day=DAY, response_id=["a", "b"]))
    lake.commit(2)
    found = list(lake.rows("calls", ["date", "response_id", "journal_position"], since_date=DAY))
    assert [row for batch in found for row in batch.to_pylist()] == [
        {"date": DAY, "response_id": "a", "journal_position": 1},
        {"date": DAY, "response_id": "b", "journal_position": 2},
    ]
    lake.close()


def test_two_journals_share_a_lake_and_neither_knows_of_the_other(folder: Path) -> None:
    one, other = Lake.open(config(folder), "one"), Lake.open(config(folder), "other")
    for position in range(5):
        for lake in (one, other):
            lake.append("calls", call_rows([position], journal=lake.journal_id))
        one.commit(position)
        other.commit(position, [superseded(position, journal="one")] if position % 2 else [])
    assert identities(folder, "calls") == [(name, n, 0) for name in ("one", "other") for n in range(5)]
    assert landed(folder, "calls", "journal_id, journal_position, billable")[1::2] == [
        ("one", 1, False),
        ("one", 3, False),
        ("other", 0, True),
        ("other", 2, True),
        ("other", 4, True),
    ]
    one.close()
    other.close()


def test_one_journal_has_one_lander(folder: Path) -> None:
    first = Lake.open(config(folder), "j")
    with pytest.raises(LakeError, match="another process lands the journal j"):
        Lake.open(config(folder), "j")
    first.close()
    Lake.open(config(folder), "j").close()


def test_a_lander_that_was_killed_leaves_nothing_that_a_reader_sees(folder: Path) -> None:
    """Files that were moved to their places, and of which the log knows nothing, go at the next start; others stay."""
    lake = Lake.open(config(folder), "j")
    lake.append("calls", call_rows([0]))
    lake.commit(0)
    known = known_files(folder, "calls")
    lake.append("calls", call_rows([1]))
    landing = lake._tables["calls"]
    landing.finish()
    (written,) = landing._ready
    written.path.replace(folder / "calls" / f"date={DAY}" / written.name)
    lake.append("calls", call_rows([2]))
    (folder / "calls" / f"date={DAY}" / "theirs.parquet").write_bytes(b"not ours")
    lake._held.close()
    again = Lake.open(config(folder), "j")
    assert files_in(folder, "calls") == {*known, "theirs.parquet"}
    assert again.append("calls", call_rows([1])) == 1
    again.close()


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 and fork")
def test_a_lander_that_is_killed_twenty_times_lands_every_row_once(folder: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "tests.collector.lakes", "hammer", str(folder), "20"], cwd=ROOT, check=True, timeout=300
    )
    lake = Lake.open(config(folder), "j")
    calls, spans = lake.positions["calls"], lake.positions["spans"]
    assert calls >= 4  # every second lander was let go until something was committed
    assert identities(folder, "calls") == expected_calls("j", calls + 1)
    assert identities(folder, "spans") == [("j", position, item) for position in range(spans + 1) for item in (0, 1)]
    corrected = [position - 1 for position in range(calls + 1) if position % 4 == 3]
    assert landed(folder, "calls", "CASE WHEN billable THEN -1 ELSE journal_position END") == sorted(
        corrected + [-1] * (len(expected_calls("j", calls + 1)) - len(corrected))
    )
    for name, table in TABLES.items():
        replaced = {Path(path).name for path in DeltaLog(folder / name, table).removed()}
        assert files_in(folder, name) - replaced == known_files(folder, name)
    lake.close()


def test_the_log_says_what_is_in_each_file(folder: Path) -> None:
    lake = Lake.open(config(folder), "j")
    lake.append("calls", call_rows([3, 9]))
    lake.commit(9)
    version = (folder / "calls/_delta_log" / f"{1:020}.json").read_text().splitlines()
    (added,) = [json.loads(line)["add"] for line in version if '"add"' in line]
    stats = json.loads(added["stats"])
    assert stats["numRecords"] == 2
    assert (stats["minValues"]["journal_position"], stats["maxValues"]["journal_position"]) == (3, 9)
    assert stats["minValues"]["start_time"] == "2026-11-20T00:00:03.000000Z"
    assert added["size"] == (folder / "calls" / added["path"]).stat().st_size
    lake.close()
