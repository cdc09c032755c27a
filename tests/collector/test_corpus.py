"""The conformance corpus: telemetry as libraries emit it, and the rows that it must become.

An entry says itself how it was made; corpus/make/ has the scripts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from taximeter_collector.normalise.catalogue import catalogue

from tests.collector.landing import land, record, stages

CORPUS = Path(__file__).parent / "corpus"
ENTRIES = sorted(CORPUS.glob("*/*.json"))
ORDER = {"calls": "start_unix_nano", "spans": "start_unix_nano", "logs": "time_unix_nano"}


@pytest.fixture(scope="module")
def way() -> Any:
    """One price book for all."""
    return stages()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.parent.name}/{entry.stem}")
def test_what_a_library_emits_becomes_the_rows_that_it_must(entry: Path, tmp_path: Path, way: Any) -> None:
    """Every column that the entry names, in every table that it names."""
    told = json.loads(entry.read_text("utf-8"))
    records = [record(one["signal"], one["otlp"], at) for at, one in enumerate(told["requests"])]
    found = land(tmp_path, [records], way)
    for table in ("calls", "spans", "logs", "metrics", "content"):
        if table in told:
            _compare(table, told[table], found.get(table, []))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.parent.name}/{entry.stem}")
def test_the_bill_does_not_depend_on_the_order_in_which_requests_come(entry: Path, tmp_path: Path, way: Any) -> None:
    """Each request in a commit of its own, backwards, and each of them twice."""
    told = json.loads(entry.read_text("utf-8"))
    if "calls" not in told:
        pytest.skip("tells of no calls")
    requests = list(enumerate(told["requests"]))
    commits = [[record(one["signal"], one["otlp"], at)] for at, one in [*reversed(requests), *requests]]
    for at, records in enumerate(commits):
        records[0] = record(told["requests"][records[0].position]["signal"], records[0].payload, at)
    ledger = land(tmp_path, commits, way)["calls"] if told["calls"] else []
    assert _bill(ledger) == _bill(
        land(tmp_path / "once", [[one[0] for one in commits[: len(requests)]]], way)["calls"] if told["calls"] else []
    )


def test_every_dialect_has_entries_and_every_entry_a_dialect() -> None:
    """A dialect that nobody has shown is a guess."""
    known = {dialect.name for dialect in catalogue().dialects}
    assert known == {entry.parent.name for entry in ENTRIES}


def _bill(ledger: Sequence[Mapping[str, Any]]) -> list[Any]:
    billed = [row for row in ledger if row["billable"]]
    return sorted(
        (row["model"] or "", row["input_tokens"] or 0, row["output_tokens"] or 0, row["cost_usd"] or 0)
        for row in billed
    )


def _compare(table: str, expected: list[dict[str, Any]], found: list[dict[str, Any]]) -> None:
    found = sorted(
        found, key=lambda row: (row[ORDER.get(table, "journal_position")], row["journal_position"], row["journal_item"])
    )
    if table == "calls" or len(found) < len(expected):
        assert len(found) == len(expected), f"{table}: {[_brief(row) for row in found]}"
    if table != "calls":
        found = _matching(expected, found)
    for wanted, row in zip(expected, found, strict=True):
        assert {name: _plain(name, row[name], value) for name, value in wanted.items()} == wanted


def _matching(expected: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of tables in which an entry names some rows only: for each of these the first row that is as it says."""
    rest, chosen = list(found), []
    for wanted in expected:
        fitting = [
            row for row in rest if all(_plain(name, row[name], value) == value for name, value in wanted.items())
        ]
        assert fitting, f"no row is {wanted}; there are {[{name: row[name] for name in wanted} for row in rest]}"
        chosen.append(fitting[0])
        rest.remove(fitting[0])
    return chosen


def _plain(name: str, value: Any, wanted: Any) -> Any:
    if isinstance(value, Decimal):
        return wanted if wanted is not None and Decimal(str(wanted)) == value else str(value)
    if isinstance(value, float) and isinstance(wanted, int | float):
        return pytest.approx(wanted, rel=1e-9) if value == pytest.approx(wanted, rel=1e-9) else value
    return value


def _brief(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: row[name]
        for name in ("operation", "model", "input_tokens", "output_tokens", "billable", "not_billable_because")
    }
