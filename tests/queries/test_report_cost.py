"""What calls cost, held to the same figures in plain Python."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from tempfile import mkdtemp

from hypothesis import given, settings
from hypothesis import strategies as st
from taximeter_queries import ask

from tests.queries.ledgers import PARTS, Row, billed, landed, ledgers, summed
from tests.queries.questions import Near, Question, held, questions

SUMS = (
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"),
    *("cost_usd", *PARTS, "reported_cost_usd"),
)


def cost(rows: list[Row]) -> Row:
    priced = [row["cost_usd"] for row in rows if row["cost_usd"] is not None]
    sums = {name: summed(rows, name) for name in SUMS}
    mean = Near(sum(priced) / len(priced) if priced else None)
    return sums | {"calls": len(rows), "priced_calls": len(priced), "cost_per_call_usd": mean}


@settings(max_examples=25, deadline=None)
@given(questions())
def test_cost_is_what_the_calls_that_count_cost_together_in_any_group_and_zone(question: Question) -> None:
    held(question, "cost", billed(question.views), cost)


@settings(max_examples=15, deadline=None)
@given(questions())
def test_the_total_is_the_sum_of_its_parts_to_the_last_digit(question: Question) -> None:
    answer = question.ask("cost", totals=True)
    assert answer.total is not None
    for place, name in enumerate(answer.names):
        if name in (*SUMS, "calls", "priced_calls"):
            parts = [row[place] for row in answer.rows if row[place] is not None]
            assert answer.total[place] == (sum(parts) if parts or name.endswith("calls") else None)


@settings(max_examples=15, deadline=None)
@given(questions())
def test_the_foot_tells_of_the_same_calls(question: Question) -> None:
    coverage = question.ask("cost", coverage=True).coverage
    rows = billed(question.views)
    assert coverage is not None
    assert coverage.calls == len(rows)
    assert coverage.cost_usd == (summed(rows, "cost_usd") or Decimal(0))
    assert sum(one.calls for one in coverage.unpriced) == coverage.calls - coverage.priced_calls


@settings(max_examples=15, deadline=None)
@given(ledgers(huge=False), st.integers(1, 4), st.sampled_from([["trace"], ["model", "trace_id"]]))
def test_the_first_rows_by_trace_are_those_of_all_of_them(views: list[Row], limit: int, by: list[str]) -> None:
    """Though only these are told in full; with the total of all, and also where some are in no trace."""
    lake = landed(Path(mkdtemp()), views)
    for sort in (None, ["calls"], ["-input_tokens"]):
        every = ask(lake, "cost", by=by, sort=sort, totals=True)
        some = ask(lake, "cost", by=by, sort=sort, totals=True, limit=limit)
        assert (some.rows, some.total) == (every.rows[:limit], every.total)
        assert some.cut == (len(every.rows) > limit)
        assert ask(lake, "cost", by=by, sort=sort, limit=limit).total is None
