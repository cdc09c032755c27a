"""What is known of the cost and what is not, held to the same figures in plain Python."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from taximeter_queries import ask

from tests.queries.ledgers import Row, billed, call, landed, summed
from tests.queries.questions import Question, held, questions

BY = ("billable", "not_billable_because", "cost_status", "cost_reason", "model", "service", "tag.team", "total", "day")


def coverage(views: list[Row]) -> Row:
    calls = billed(views)
    both = [row for row in calls if row["cost_status"] == "priced" and row.get("reported_cost_usd") is not None]
    return {
        "views": len(views),
        "calls": len(calls),
        "priced_calls": sum(row["cost_usd"] is not None for row in calls),
        "unpriced_calls": sum(row["cost_usd"] is None for row in calls),
        "inconsistent_calls": sum(row["cost_status"] == "inconsistent_usage" for row in calls),
        "not_billed_views": len(views) - len(calls),
        "cost_usd": summed(calls, "cost_usd"),
        "compared_calls": len(both),
        "compared_cost_usd": summed(both, "cost_usd"),
        "compared_reported_cost_usd": summed(both, "reported_cost_usd"),
    }


@settings(max_examples=25, deadline=None)
@given(questions(BY))
def test_every_view_is_counted_with_what_is_said_of_it(question: Question) -> None:
    held(question, "coverage", question.views, coverage)


def test_what_is_reported_stands_beside_the_price_only_where_there_are_both(tmp_path: Path) -> None:
    lake = landed(
        tmp_path,
        [
            call(cost_usd=Decimal(3), reported_cost_usd=Decimal(2)),
            call(cost_usd=Decimal(5)),
            call(cost_usd=Decimal(7), reported_cost_usd=Decimal(7), cost_status="reported"),
            call(cost_usd=Decimal(9), reported_cost_usd=Decimal(9), not_billable_because="nested"),
        ],
    )
    [row] = ask(lake, "coverage", by=["total"]).records()
    assert (row["cost_usd"], row["compared_cost_usd"], row["compared_reported_cost_usd"]) == (15, 3, 2)
