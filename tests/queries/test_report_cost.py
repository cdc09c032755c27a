"""What calls cost, held to the same figures in plain Python."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings

from tests.queries.ledgers import PARTS, Row, billed, summed
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
