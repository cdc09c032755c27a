"""Calls one by one, as they are in the ledger."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from taximeter_queries import UnknownName, ask

from tests.queries.ledgers import Row, call, landed, moment
from tests.queries.questions import Question, questions


def told(row: Row, names: Sequence[str]) -> Row:
    """What the list has to say of a row; a number that is none as text, as it equals nothing."""
    found = {name: row.get(name) for name in names} | {"start_time": row.get("start_time") or moment(row)}
    found |= {"tags": None if row.get("tags") is None else dict(row["tags"])}
    return {name: "nan" if isinstance(one, float) and math.isnan(one) else one for name, one in found.items()}


def identity(row: Row) -> tuple[Any, ...]:
    return row["journal_id"], row["journal_position"], row["journal_item"]


@settings(max_examples=25, deadline=None)
@given(questions(), st.none() | st.integers(0, 50))
def test_every_view_is_told_as_it_is_the_newest_first(question: Question, limit: int | None) -> None:
    answer = question.ask("calls", by=None, limit=limit)
    rows = sorted(question.views, key=lambda row: (-(row["start_unix_nano"] // 1000), identity(row)))
    assert [told(row, answer.names) for row in answer.records()] == [told(row, answer.names) for row in rows[:limit]]
    assert answer.cut == (limit is not None and len(rows) > limit)


@settings(max_examples=20, deadline=None)
@given(questions(), st.sampled_from(("cost_usd", "input_tokens", "model", "attempt")), st.booleans())
def test_they_are_sorted_by_any_column_and_then_as_ever(question: Question, name: str, down: bool) -> None:
    answer = question.ask("calls", by=None, sort=[f"{'-' * down}{name}"])
    found = [identity(row) for row in answer.records()]
    rows = sorted(question.views, key=lambda row: (-(row["start_unix_nano"] // 1000), identity(row)))
    known = [row for row in rows if row.get(name) is not None]
    known.sort(key=lambda row: row[name], reverse=down)
    assert found == [identity(row) for row in (*known, *(row for row in rows if row.get(name) is None))]


def test_they_cannot_be_grouped(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="calls cannot be grouped"):
        ask(landed(tmp_path, [call(cost_usd=Decimal(1))]), "calls", by=["model"])
