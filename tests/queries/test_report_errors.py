"""What went wrong, held to the same figures in plain Python: each failure once, whoever told of it."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from taximeter_queries import Answer, ask

from tests.queries.ledgers import NOON_NANO, Row, billed, call, landed, moment, summed
from tests.queries.questions import Near, Question, failures, questions

BY = ("model", "provider", "error_type", "status", "cost_status", "user", "attempt", "tag.team", "total", "day", "hour")
OUTCOMES = ("error_type", "status", "cost_status", "attempt")


def errors(rows: list[Row]) -> Row:
    failed = [row for row in rows if row["status"] == "error"]
    again = [row for row in rows if (row.get("attempt") or 0) > 0]
    types = {row["error_type"] for row in failed if row.get("error_type") is not None}
    return {
        "errors": len(failed),
        "error_types": len(types),
        "unbilled_errors": len(failed) - len(billed(failed)),
        "error_cost_usd": summed(failed, "cost_usd"),
        "retries": len(again),
        "retry_cost_usd": summed(again, "cost_usd"),
        "last_error_time": max((moment(row) for row in failed), default=None),
    }


@settings(max_examples=25, deadline=None)
@given(questions(BY))
def test_errors_are_counted_once_and_out_of_all_that_was_tried_alike(question: Question) -> None:
    answer = question.ask("errors", totals=True)
    rows = billed(question.views) + failures(question.views)
    told = {row[: len(question.by)]: dict(zip(answer.names, row, strict=True)) for row in answer.rows}
    whole = [place for place, name in enumerate(question.by) if name not in OUTCOMES]
    alike: Counter[tuple[Any, ...]] = Counter()
    groups = question.groups(rows)
    for key, some in groups.items():
        alike[tuple(key[place] for place in whole)] += len(some)
    for key, some in groups.items():
        tried = alike[tuple(key[place] for place in whole)]
        expected = errors(some)
        is_told = expected["errors"] or expected["retries"] or len(some) == tried
        assert (key in told) == bool(is_told)
        if is_told:
            share = Near(expected["errors"] / tried)
            expected |= dict(zip(question.by, key, strict=True)) | {"of_attempts": tried, "error_share": share}
            assert told[key] == expected
    assert answer.total is not None
    share = Near(errors(rows)["errors"] / len(rows) if rows else None)
    total = dict.fromkeys(question.by) | errors(rows) | {"of_attempts": len(rows), "error_share": share}
    assert dict(zip(answer.names, answer.total, strict=True)) == total
    assert len(told) == len(answer.rows)


def failed(**more: Any) -> Row:
    """A call without an answer."""
    why = {"status": "error", "not_billable_because": "failed", "cost_status": "missing_usage", "error_type": "500"}
    return call(**{"trace_id": "a" * 32, "span_id": "1" * 16, "model": "m", **why, **more})


def asked(folder: Path, *views: Row) -> Answer:
    return ask(landed(folder, views), "errors")


def test_a_failure_that_was_sent_twice_is_one(tmp_path: Path) -> None:
    [row] = asked(tmp_path, failed(), failed()).records()
    assert (row["errors"], row["of_attempts"], row["error_share"]) == (1, 1, 1.0)


def test_spans_around_a_call_that_failed_with_it_tell_of_the_same_failure(tmp_path: Path) -> None:
    """An SDK's span, a framework's around it, and an agent's around that."""
    [row] = asked(
        tmp_path,
        failed(span_id="3" * 16, parent_span_id="2" * 16, error_type="429"),
        failed(span_id="2" * 16, parent_span_id="1" * 16, error_type="RateLimitError"),
        failed(span_id="1" * 16, operation="invoke_agent", error_type="AgentError"),
    ).records()
    assert (row["errors"], row["error_type"]) == (1, "429")


def test_a_span_that_failed_around_calls_that_were_answered_is_no_call_of_its_own(tmp_path: Path) -> None:
    answered = call(trace_id="a" * 32, span_id="2" * 16, parent_span_id="1" * 16, model="m")
    [row] = asked(tmp_path, answered, failed(error_type="ParseError")).records()
    assert (row["errors"], row["of_attempts"]) == (0, 1)


def test_an_event_in_a_span_that_failed_tells_of_the_same_failure(tmp_path: Path) -> None:
    [row] = asked(tmp_path, failed(), failed(source="log")).records()
    assert (row["errors"], row["of_attempts"]) == (1, 1)


def test_an_event_in_a_call_that_broke_off_tells_of_the_same_failure(tmp_path: Path) -> None:
    """It has to be paid for, and is no failure without an answer."""
    broken = call(
        trace_id="a" * 32, span_id="1" * 16, model="m", status="error", error_type="500", input_cost_usd=Decimal(2)
    )
    [row] = asked(tmp_path, broken, failed(source="log")).records()
    assert (row["errors"], row["unbilled_errors"], row["error_cost_usd"]) == (1, 0, 2)


def test_attempts_that_failed_each_for_themselves_are_told_apart(tmp_path: Path) -> None:
    """A coding agent's events in the one span of a call that went well in the end; and their model's rate."""
    views = [failed(source="log", attempt=at, start_unix_nano=NOON_NANO + at) for at in (0, 1, 2)]
    answered = call(trace_id="a" * 32, span_id="1" * 16, model="m", attempt=3, input_cost_usd=Decimal(1))
    rows = asked(tmp_path, *views, answered).records()
    assert [(row["error_type"], row["errors"], row["of_attempts"], row["retries"]) for row in rows] == [
        ("500", 3, 4, 2),
        (None, 0, 4, 1),
    ]
    assert [row["retry_cost_usd"] for row in rows] == [None, 1]


def test_a_model_without_errors_is_there_with_a_rate_of_zero(tmp_path: Path) -> None:
    rows = asked(tmp_path, call(model="good"), failed(model="bad"), call(model="bad", span_id="9" * 16)).records()
    assert [(row["model"], row["error_type"], row["error_share"]) for row in rows] == [
        ("bad", "500", 0.5),
        ("good", None, 0.0),
    ]
