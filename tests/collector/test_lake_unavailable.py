"""A lake that cannot be written, was torn by a power failure, or is of another version."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from deltalake import DeltaTable
from taximeter_collector.lake import Lake, LakeError, LakeUnavailable, NewerSchema
from taximeter_collector.lake.log import DeltaLog
from taximeter_collector.lake.schema import SCHEMA_VERSION

from tests.collector.lakes import ROOT, call_rows, config, files_in, known_files, landed, rows, superseded


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@contextmanager
def a_file_instead_of(path: Path) -> Iterator[None]:
    """For a while, nothing can be written there, whoever asks."""
    aside = path.with_name(f"{path.name}.aside")
    path.rename(aside)
    path.touch()
    yield
    path.unlink()
    aside.rename(path)


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on files")
@pytest.mark.parametrize("most_bytes", [0, 3000])
def test_where_no_room_is_left_the_reason_is_told_and_the_same_lands_later(folder: Path, most_bytes: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.collector.lakes", "starve", str(folder), str(most_bytes)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    said, taken, rows_there = done.stdout.strip().split("|")
    assert said == f"{folder / 'calls'}: File too large"
    assert (taken, rows_there) == ("1", "[(0, False), (1, True)]")


def test_a_log_that_cannot_be_written_leaves_nothing_half_landed(folder: Path) -> None:
    lake = Lake.open(config(folder), "j")
    lake.append("calls", call_rows([0]))
    lake.commit(0)
    lake.append("calls", call_rows([1]))
    with a_file_instead_of(folder / "calls/_delta_log"):
        with pytest.raises(LakeUnavailable, match="Not a directory"):
            lake.commit(1, [superseded(0)])
        lake.abandon()
        with pytest.raises(LakeUnavailable, match="Not a directory"):
            lake.append("calls", call_rows([1]))
    assert lake.append("calls", call_rows([1])) == 1
    assert landed(folder, "calls", "journal_position, billable") == [(0, True)]
    assert files_in(folder, "calls") - known_files(folder, "calls") == set()
    lake.commit(1, [superseded(0)])
    assert landed(folder, "calls", "journal_position, billable") == [(0, False), (1, True)]
    lake.close()


def test_what_landed_in_one_table_before_another_failed_is_not_taken_again(folder: Path) -> None:
    lake = Lake.open(config(folder), "j")
    for table in ("calls", "spans"):
        lake.append(table, call_rows([0]) if table == "calls" else rows("spans", [0]))
    with a_file_instead_of(folder / "spans/_delta_log"), pytest.raises(LakeUnavailable):
        lake.commit(0)
    lake.abandon()
    assert (lake.append("calls", call_rows([0])), lake.append("spans", rows("spans", [0]))) == (0, 1)
    lake.commit(0)
    assert (landed(folder, "calls"), landed(folder, "spans")) == ([0], [0])
    lake.close()


def test_a_commit_that_was_told_to_have_failed_and_is_there_is_found_to_be_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails between the commit and the word of it."""
    lake = Lake.open(config(folder), "j")
    lake.append("calls", call_rows([0]))

    def fail(self: DeltaLog) -> None:
        raise LakeUnavailable("the disk was pulled")

    with monkeypatch.context() as patch:
        patch.setattr(DeltaLog, "_after_commit", fail)
        with pytest.raises(LakeUnavailable, match="pulled"):
            lake.commit(0)
    lake.abandon()
    assert lake.append("calls", call_rows([0])) == 0
    assert landed(folder, "calls") == [0]
    lake.close()


def test_a_lake_where_no_folder_can_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LakeUnavailable, match="Not a directory"):
        Lake.open(config(tmp_path / "file" / "lake"), "j")


@pytest.mark.parametrize("left", [b"", b'{"commitInfo":{"timestamp":17', b"\0" * 300])
def test_a_version_that_a_power_failure_has_torn_was_never_acknowledged(folder: Path, left: bytes) -> None:
    lake = Lake.open(config(folder), "j")
    for position in (0, 1):
        lake.append("calls", call_rows([position]))
        lake.commit(position)
    lake._held.close()
    (folder / "calls/_delta_log" / f"{2:020}.json").write_bytes(left)
    again = Lake.open(config(folder), "j")
    assert again.positions["calls"] == 0
    assert again.append("calls", call_rows([0, 1])) == 1
    again.commit(1)
    assert landed(folder, "calls") == [0, 1]
    assert files_in(folder, "calls") == known_files(folder, "calls")
    again.close()


def test_a_torn_checkpoint_is_done_without(folder: Path) -> None:
    lake = Lake.open(config(folder), "j")
    lake.append("calls", call_rows([0]))
    lake.commit(0)
    log = lake._tables["calls"].log
    log.checkpoint()
    lake._held.close()
    (checkpoint,) = (folder / "calls/_delta_log").glob("*.checkpoint.parquet")
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    again = Lake.open(config(folder), "j")
    assert landed(folder, "calls") == [0]
    again.close()


def test_an_older_lake_gets_the_columns_that_it_lacks(folder: Path) -> None:
    lake = Lake.open(config(folder), "j")
    lake.append("calls", call_rows([0], billed_as=["x"]))
    lake.commit(0)
    lake.close()
    table = folder / "calls"
    log = table / "_delta_log" / f"{0:020}.json"
    field = '{\\"name\\":\\"view_rank\\",\\"type\\":\\"integer\\",\\"nullable\\":true,\\"metadata\\":{}},'
    assert field in log.read_text()
    log.write_text(
        log.read_text().replace(field, "").replace('"taximeter.schema_version":"1"', '"taximeter.schema_version":"0"')
    )
    assert "view_rank" not in [column.name for column in DeltaTable(table).schema().fields]

    again = Lake.open(config(folder), "j")
    again.append("calls", call_rows([1], view_rank=[7]))
    again.commit(1, [superseded(0)])
    assert landed(folder, "calls", "journal_position, view_rank, billable") == [(0, None, False), (1, 7, True)]
    assert DeltaTable(table).metadata().configuration["taximeter.schema_version"] == str(SCHEMA_VERSION)
    again.close()


def test_a_lake_of_a_later_taximeter_is_left_alone(folder: Path) -> None:
    Lake.open(config(folder), "j").close()
    later = DeltaTable(folder / "spans")
    later.alter.set_table_properties({"taximeter.schema_version": "99"}, raise_if_not_exists=False)
    with pytest.raises(NewerSchema, match=f"version 99, and this Taximeter knows up to {SCHEMA_VERSION}"):
        Lake.open(config(folder), "j")


def test_a_lake_that_becomes_a_later_one_under_a_lander_stops_it(folder: Path) -> None:
    lake = Lake.open(config(folder), "j")
    lake.append("calls", call_rows([0]))
    later = DeltaTable(folder / "calls")
    later.alter.set_table_properties({"taximeter.schema_version": "99"}, raise_if_not_exists=False)
    with pytest.raises(NewerSchema):
        lake.commit(0)
    lake.close()


def test_a_journals_id_that_could_not_be_part_of_a_name_is_refused(folder: Path) -> None:
    with pytest.raises(LakeError, match="a journal's id is of letters"):
        Lake.open(config(folder), "../j")
