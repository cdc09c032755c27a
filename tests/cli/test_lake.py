"""`taximeter lake`, as a person uses it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from taximeter_collector.lake import Lake
from taximeter_collector.lake.verification import verify_table

from tests.collector.lakes import DAY, call_rows, config, files_in, known_files, landed, rows, superseded
from tests.e2e.collector import clean_environment, command_path


def lake(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command over the lake of a data folder named `data`."""
    return subprocess.run(
        [command_path(), "lake", *arguments, "--data", str(home / "data")],
        env=clean_environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def open_lake(tmp_path: Path) -> Iterator[Lake]:
    """A lake with eight calls, in which a collector goes on working."""
    opened = Lake.open(config(tmp_path / "data/lake"), "j")
    for position in range(8):
        opened.append("calls", call_rows([position], input_tokens=[100], output_tokens=[10]))
        opened.append("spans", rows("spans", [position], day=DAY - timedelta(days=position)))
        opened.commit(position)
    opened.commit(8, [superseded(0)])
    yield opened
    opened.close()


def test_stats_tells_what_there_is_and_what_was_billed(tmp_path: Path, open_lake: Lake) -> None:
    told = lake(tmp_path, "stats")
    assert told.returncode == 0, told.stderr
    assert "7 calls are billed, told by 8 rows" in told.stdout
    assert "700 tokens in, 70 out; 0.028000000000 USD" in told.stdout
    assert "100.00% of them have a cost: priced 7" in told.stdout

    found = json.loads(lake(tmp_path, "stats", "--json").stdout)
    tables = {table["table"]: table for table in found["tables"]}
    spans = tables["spans"]
    assert (spans["rows"], spans["files"], spans["days"], spans["positions"]) == (8, 8, 8, {"j": 7})
    assert (spans["first_day"], spans["last_day"]) == (str(DAY - timedelta(days=7)), str(DAY))
    assert tables["calls"]["bytes"] == sum(
        Path(file).stat().st_size for file in DeltaTable(tmp_path / "data/lake/calls").file_uris()
    )
    assert found["ledger"] == {
        "rows": 8,
        "billed_calls": 7,
        "input_tokens": 700,
        "output_tokens": 70,
        "cost_usd": "0.028000000000",
        "calls_by_cost_status": {"priced": 7},
        "coverage": 1.0,
    }


def test_a_sound_lake_is_verified(tmp_path: Path, open_lake: Lake) -> None:
    told = lake(tmp_path, "verify")
    assert told.returncode == 0, told.stdout
    assert [line.rpartition(": ")[2] for line in told.stdout.splitlines()] == ["sound"] * 5


def land_wrong(open_lake: Lake, **wrong: Any) -> None:
    open_lake.append("calls", call_rows([9], **wrong))
    open_lake.commit(9)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"billable": [False]}, "a row that is not billable says why"),
        ({"not_billable_because": ["mood"]}, "a row that is not billable says why"),
        ({"cost_status": ["unpriced_model"]}, "cost_usd is NULL if and only if cost_status says"),
        ({"cost_usd": [None], "input_cost_usd": [None]}, "cost_usd is NULL if and only if cost_status says"),
        ({"output_cost_usd": [Decimal("0.000000000001")]}, "the parts of a cost sum to it exactly"),
        ({"cost_status": ["cheap"]}, "cost_status is one of those"),
    ],
)
def test_a_ledger_that_breaks_its_rules_is_told_with_the_row(
    tmp_path: Path, open_lake: Lake, wrong: dict[str, Any], told: str
) -> None:
    land_wrong(open_lake, **wrong)
    (problem,) = verify_table(tmp_path / "data/lake", "calls").problems
    assert problem.startswith(told)
    assert problem.endswith("not so in 1 rows, j/9.0 for one")


def test_a_row_that_is_there_twice_is_told(tmp_path: Path, open_lake: Lake) -> None:
    open_lake.append("calls", call_rows([9, 9]))
    open_lake.commit(9)
    found = lake(tmp_path, "verify")
    assert (found.returncode, "  j/9.0 is there 2 times" in found.stdout.splitlines()) == (1, True)


def test_a_file_that_is_missing_cut_or_another_one_is_told(tmp_path: Path, open_lake: Lake) -> None:
    folder = tmp_path / "data/lake/spans"
    missing, cut, other, another = sorted(Path(file) for file in DeltaTable(folder).file_uris())[:4]
    missing.unlink()
    cut.write_bytes(cut.read_bytes()[:-9])
    other.write_bytes(another.read_bytes() + b"PAR1")
    found = lake(tmp_path, "verify")
    assert found.returncode == 1
    assert f"{missing.parent.name}/{missing.name}: cannot be read: " in found.stdout
    assert f"{cut.parent.name}/{cut.name}: cannot be read: " in found.stdout
    assert f"{other.parent.name}/{other.name}: " in found.stdout


def test_a_log_that_cannot_be_read_is_told(tmp_path: Path, open_lake: Lake) -> None:
    for file in (tmp_path / "data/lake/logs/_delta_log").iterdir():
        file.write_text("{}")
    found = lake(tmp_path, "verify")
    assert found.returncode == 1
    assert f"  {tmp_path / 'data/lake/logs'}: " in found.stdout


def test_compact_merges_while_a_collector_works_and_deletes_after_the_grace(tmp_path: Path, open_lake: Lake) -> None:
    folder = tmp_path / "data/lake"
    reports = {report["table"]: report for report in json.loads(lake(tmp_path, "compact", "--json").stdout)}
    assert (reports["calls"]["merged_files"], reports["calls"]["files"]) == (8, 1)
    assert len(files_in(folder, "calls")) == 10  # one was replaced by the correction
    land_wrong(open_lake)
    assert lake(tmp_path, "compact", "--set", "lake.grace=0s").returncode == 0
    assert lake(tmp_path, "compact", "--set", "lake.grace=0s").returncode == 0
    assert files_in(folder, "calls") == known_files(folder, "calls")
    assert landed(folder, "calls") == [*range(8), 9]


def test_prune_drops_what_the_settings_say_and_tells_it_before(tmp_path: Path, open_lake: Lake) -> None:
    folder = tmp_path / "data/lake"
    age = (date.today() - DAY).days + 3  # noqa: DTZ011 - a day more or less is the test's own affair
    limit = ("--set", f"lake.spans_max_age={age}d")
    would = json.loads(lake(tmp_path, "prune", "--dry-run", "--json", *limit).stdout)
    assert would["calls"] == []
    assert str(DAY - timedelta(days=7)) in would["spans"]
    assert len(landed(folder, "spans")) == 8
    assert lake(tmp_path, "prune", *limit).returncode == 0
    assert [str(day) for day in landed(folder, "spans", "DISTINCT date")] == sorted(
        {str(DAY - timedelta(days=back)) for back in range(8)} - set(would["spans"])
    )


def test_what_cannot_be_done_is_one_sentence(tmp_path: Path) -> None:
    for command in ("stats", "verify", "compact", "prune"):
        failed = lake(tmp_path, command)
        assert failed.returncode == 1
        assert failed.stderr.startswith(
            f"taximeter: there is no lake at {tmp_path / 'data/lake'}; name its data folder"
        )
    (tmp_path / "data/lake/calls/_delta_log").mkdir(parents=True)
    failed = lake(tmp_path, "stats")
    assert (failed.returncode, "Traceback" in failed.stderr) == (1, False)
    assert failed.stderr.startswith(f"taximeter: {tmp_path / 'data/lake/calls'}: ")
