"""What holds for every report on calls: of nothing, of what is unknown, of more than a column holds, and again."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from taximeter_queries import Lake, Unit, Window, ask, report

from tests.queries.ledgers import call, described, landed, ledger

REPORTS = ("cost", "tokens", "latency", "errors", "top", "models", "services", "users", "coverage", "calls")
GROUPED = REPORTS[:-1]
_FOLDERS = TemporaryDirectory(prefix="taximeter-everywhere-")


@cache
def lake(calls: int) -> Lake:
    random = Random(11)
    views = ledger(random, calls, odd_times=True)
    spans, logs = described(random, views)
    return landed(Path(_FOLDERS.name) / str(calls), views, spans=spans, logs=logs)


def is_nothing(value: object, unit: Unit) -> bool:
    return value == 0 if unit is Unit.COUNT else value is None


@pytest.mark.parametrize("name", REPORTS)
def test_of_an_empty_lake_there_are_no_rows_and_a_total_of_nothing(name: str) -> None:
    answer = ask(lake(0), name, totals=True, coverage=True)
    assert answer.rows == []
    assert (answer.total is not None) == report(name).totals
    figures = zip(
        (answer.total or ())[answer.grouped_by :], answer.columns[answer.grouped_by :], strict=bool(answer.total)
    )
    assert all(is_nothing(value, column.unit) for value, column in figures)
    assert answer.coverage is not None
    assert answer.coverage.share is None


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("year", [2001, 2261])
def test_of_a_window_without_calls_likewise(name: str, year: int) -> None:
    window = Window(datetime(year, 1, 1, tzinfo=UTC), datetime(year, 1, 2, tzinfo=UTC))
    assert ask(lake(80), name, window=window, totals=True).rows == []


@pytest.mark.parametrize("name", GROUPED)
def test_what_nobody_told_is_a_group_of_its_own(name: str) -> None:
    """Also where it is all that there is; and by several of them, together with the total."""
    for by in (["tag.none"], ["attribute.none"], ["tag.none", "resource.none", "agent"]):
        answer = ask(lake(80), name, by=by, totals=True)
        keys = [row[: len(by)] for row in answer.rows]
        assert len(keys) == len(set(keys))
        assert keys[0][0] is None
    [row] = ask(lake(80), name, by=["tag.none"]).rows
    [whole] = ask(lake(80), name, by=["total"]).rows
    assert whole[0] == "all"
    exact = [column.unit not in (Unit.MS, Unit.PER_SECOND) for column in report(name).columns]
    assert [value for value, is_exact in zip(row[1:], exact, strict=True) if is_exact] == [
        value for value, is_exact in zip(whole[1:], exact, strict=True) if is_exact
    ]


@pytest.mark.parametrize("name", GROUPED)
def test_by_nothing_is_by_the_total(name: str) -> None:
    assert [row[0] for row in ask(lake(80), name, by=[]).rows] == ["all"]


@pytest.mark.parametrize("name", REPORTS)
def test_the_same_question_has_the_same_rows_in_the_same_order(name: str) -> None:
    first, *others = (
        ask(lake(80), name, by=None if name == "calls" else ["model", "day", "tag.it's"]) for _ in range(3)
    )
    exact = [place for place, column in enumerate(first.columns) if column.unit not in (Unit.MS, Unit.PER_SECOND)]
    assert len(first.rows) > 10
    for again in others:
        assert [[row[at] for at in exact] for row in again.rows] == [[row[at] for at in exact] for row in first.rows]


@pytest.mark.parametrize("name", REPORTS)
def test_counts_and_money_beyond_what_a_column_holds_are_exact(tmp_path: Path, name: str) -> None:
    tokens = {"input_tokens": 2**62, "output_tokens": 2**62, "cache_read_tokens": 2**62, "reasoning_tokens": 2**62}
    most = {"other_cost_usd": Decimal("999999.999999999999"), "reported_cost_usd": Decimal("999999.999999999999")}
    rows = [call(model="m", price_id="p", duration_ms=1e14, **tokens, **most) for _ in range(9)]
    answer = ask(landed(tmp_path, rows), name, totals=True)
    assert len(answer.rows) == (9 if name == "calls" else 1)
    [row, *_] = answer.records()
    if name not in ("calls", "errors", "latency", "coverage"):
        assert row["input_tokens"] == 9 * 2**62
    if name in ("cost", "top", "models", "services", "users", "coverage"):
        assert row["cost_usd"] == Decimal("8999999.999999999991")


def test_the_same_thing_has_the_same_name_and_unit_in_all_of_them() -> None:
    units = {(column.name, column.unit) for name in REPORTS for column in report(name).columns}
    assert len(units) == len({name for name, _ in units})


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_says_what_each_column_is_in_a_sentence(name: str) -> None:
    for column in report(name).columns:
        assert column.sentence.endswith(".")
