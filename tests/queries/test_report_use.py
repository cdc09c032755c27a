"""Models, services and users, held to the same figures in plain Python."""

from __future__ import annotations

from hypothesis import given, settings

from tests.queries.ledgers import Row, billed, moment, summed
from tests.queries.questions import Between, Near, Question, failures, held, known, questions


def distinct(rows: list[Row], name: str) -> int:
    return len({row[name] for row in rows if row.get(name) is not None})


def used(rows: list[Row]) -> Row:
    """What all three tell."""
    counted = billed(rows)
    times = [moment(row) for row in rows]
    return {
        "calls": len(counted),
        "priced_calls": sum(row["cost_usd"] is not None for row in counted),
        "input_tokens": summed(counted, "input_tokens"),
        "output_tokens": summed(counted, "output_tokens"),
        "cost_usd": summed(counted, "cost_usd"),
        "first_time": min(times, default=None),
        "last_time": max(times, default=None),
    }


def half(rows: list[Row]) -> Between:
    answered = [row for row in rows if row["billable"] and row["status"] == "ok"]
    return Between([time for row in answered if (time := known(row, "duration_ms")) is not None], 0.5)


def with_luck(rows: list[Row]) -> Row:
    failed = sum(row["status"] == "error" for row in rows)
    return used(rows) | {"errors": failed, "error_share": Near(failed / len(rows) if rows else None)}


@settings(max_examples=25, deadline=None)
@given(questions())
def test_models_are_told_with_their_use_in_any_group_and_zone(question: Question) -> None:
    def expected(rows: list[Row]) -> Row:
        priced = [row for row in rows if row["cost_usd"] is not None]
        mean = Near(1000 * summed(priced, "cost_usd") / len(priced) if priced else None)
        counts = {"services": distinct(rows, "service_name"), "users": distinct(rows, "user_id")}
        read = {"cache_read_tokens": summed(rows, "cache_read_tokens")}
        return used(rows) | counts | read | {"cost_per_1000_calls_usd": mean, "p50_duration_ms": half(rows)}

    held(question, "models", billed(question.views), expected)


@settings(max_examples=25, deadline=None)
@given(questions())
def test_users_are_told_with_what_failed_for_them(question: Question) -> None:
    def expected(rows: list[Row]) -> Row:
        return with_luck(rows) | {"conversations": distinct(rows, "conversation_id")}

    held(question, "users", billed(question.views) + failures(question.views), expected)


@settings(max_examples=25, deadline=None)
@given(questions())
def test_services_are_told_with_what_failed_in_them(question: Question) -> None:
    def expected(rows: list[Row]) -> Row:
        counts = {"models": distinct(rows, "model"), "users": distinct(rows, "user_id")}
        return with_luck(rows) | counts | {"p50_duration_ms": half(rows)}

    held(question, "services", billed(question.views) + failures(question.views), expected)
