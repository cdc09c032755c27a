"""What costs most, held to the same figures in plain Python."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from taximeter_queries import ask

from tests.queries.ledgers import billed, call, landed, summed
from tests.queries.questions import Near, Question, dearest, questions


@settings(max_examples=25, deadline=None)
@given(questions())
def test_shares_are_of_all_cost_and_grow_together_to_one(question: Question) -> None:
    rows = billed(question.views)
    whole, sofar = summed(rows, "cost_usd"), Decimal(0)
    answer = question.ask("top", totals=True)
    told = {row[: len(question.by)]: dict(zip(answer.names, row, strict=True)) for row in answer.rows}
    groups = question.groups(rows)
    assert set(told) == set(groups)
    assert answer.total is None

    def place(key: tuple[Any, ...]) -> Any:
        cost = summed(groups[key], "cost_usd")
        return (cost is None, -(cost or 0), -len(groups[key]), [(value is None, value) for value in key])

    for key in sorted(groups, key=place):
        cost = summed(groups[key], "cost_usd")
        sofar += cost or 0
        is_known = cost is not None and whole
        assert told[key] == dict(zip(question.by, key, strict=True)) | {
            "calls": len(groups[key]),
            "priced_calls": sum(row["cost_usd"] is not None for row in groups[key]),
            "input_tokens": summed(groups[key], "input_tokens"),
            "output_tokens": summed(groups[key], "output_tokens"),
            "cost_usd": cost,
            "cost_share": Near(cost / whole if is_known else None),
            "cumulative_cost_share": Near(sofar / whole if is_known else None),
            "max_cost_usd": dearest(groups[key]).get("cost_usd"),
            "max_cost_trace_id": dearest(groups[key]).get("trace_id"),
        }


def test_what_comes_first_costs_most_and_what_has_no_price_comes_last(tmp_path: Path) -> None:
    lake = landed(
        tmp_path,
        [
            call(user_id="anna", cost_usd=Decimal(1)),
            call(user_id="ben", cost_usd=Decimal(3)),
            call(user_id="cleo"),
            call(user_id="free", cost_usd=Decimal(0), cost_status="free"),
        ],
    )
    rows = ask(lake, "top", by=["user"], limit=3).records()
    assert [(row["user"], row["cost_share"], row["cumulative_cost_share"]) for row in rows] == [
        ("ben", 0.75, 0.75),
        ("anna", 0.25, 1.0),
        ("free", 0.0, 1.0),
    ]
    assert [row["user"] for row in ask(lake, "top", by=["user"]).records()][-1] == "cleo"


def test_a_share_of_nothing_is_not_known(tmp_path: Path) -> None:
    lake = landed(tmp_path, [call(model="m", cost_usd=Decimal(0), cost_status="free")])
    [row] = ask(lake, "top").records()
    assert (row["cost_usd"], row["cost_share"], row["cumulative_cost_share"]) == (0, None, None)


def test_the_dearest_call_may_be_without_a_trace(tmp_path: Path) -> None:
    """Then another call's trace does not stand in for it."""
    traced = call(model="m", cost_usd=Decimal(1), trace_id="a" * 32)
    lake = landed(tmp_path, [call(model="m", cost_usd=Decimal(2)), traced])
    [row] = ask(lake, "top").records()
    assert (row["max_cost_usd"], row["max_cost_trace_id"]) == (2, None)
