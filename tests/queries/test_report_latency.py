"""How long answers took, held to the same figures in plain Python; percentiles as far as a sketch can be."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from taximeter_queries import ask

from tests.queries.ledgers import Row, call, landed
from tests.queries.questions import Between, Near, Question, held, known, questions


def writing(row: Row) -> float | None:
    """In what time the output came, if that is known."""
    duration, first = known(row, "duration_ms"), known(row, "ttft_ms")
    if duration is None:
        return None
    if first is not None:
        return duration - first if duration > first else None
    return None if row.get("stream") or not duration else duration


def latency(rows: list[Row]) -> Row:
    found: Row = {"calls": len(rows)}
    for name in ("duration_ms", "ttft_ms"):
        times = [time for row in rows if (time := known(row, name)) is not None]
        found |= {f"p{share}_{name}": Between(times, share / 100) for share in (50, 90, 95, 99)}
        found |= {f"mean_{name}": Near(sum(times) / len(times) if times else None)}
        found |= {f"max_{name}": max(times, default=None)}
    told = [(row["output_tokens"], writing(row)) for row in rows if row.get("output_tokens") is not None]
    speeds = [(tokens, time) for tokens, time in told if time]
    each = [tokens / time * 1000 for tokens, time in speeds]
    found |= {f"p{share}_output_tokens_per_second": Between(each, share / 100) for share in (5, 50, 95)}
    mean = sum(tokens for tokens, _ in speeds) / sum(time for _, time in speeds) * 1000 if speeds else None
    return found | {"mean_output_tokens_per_second": Near(mean)}


@settings(max_examples=25, deadline=None)
@given(questions())
def test_latency_is_that_of_the_calls_that_were_answered_in_any_group_and_zone(question: Question) -> None:
    answered = [row for row in question.views if row["billable"] and row["status"] == "ok"]
    held(question, "latency", answered, latency)


def test_speed_leaves_out_the_time_to_the_first_token(tmp_path: Path) -> None:
    """A stream that told when it began, one that did not, and an answer that came whole."""
    lake = landed(
        tmp_path,
        [
            call(model="told", stream=True, duration_ms=3000.0, ttft_ms=1000.0, output_tokens=100),
            call(model="untold", stream=True, duration_ms=3000.0, output_tokens=100),
            call(model="whole", stream=False, duration_ms=4000.0, output_tokens=100),
        ],
    )
    speeds = {row["model"]: row["p50_output_tokens_per_second"] for row in ask(lake, "latency").records()}
    assert speeds == {"told": 50.0, "untold": None, "whole": 25.0}


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf"), -1.0, None])
def test_a_time_that_no_clock_gives_is_unknown_and_spoils_no_figure(tmp_path: Path, odd: float | None) -> None:
    lake = landed(tmp_path, [call(duration_ms=odd, ttft_ms=odd), call(duration_ms=20.0), call(duration_ms=40.0)])
    [row] = ask(lake, "latency", by=["total"]).records()
    assert (row["calls"], row["ttft_calls"]) == (3, 0)
    assert (row["mean_duration_ms"], row["max_duration_ms"], row["p50_duration_ms"]) == (30.0, 40.0, 30.0)
    assert row["max_ttft_ms"] is None


def test_what_failed_has_no_latency(tmp_path: Path) -> None:
    """A call that broke off after a second was not answered in a second."""
    broken = call(duration_ms=1000.0, status="error", cost_usd=Decimal(1))
    lake = landed(tmp_path, [broken, call(duration_ms=9000.0)])
    [row] = ask(lake, "latency", by=["total"]).records()
    assert (row["calls"], row["max_duration_ms"], row["p99_duration_ms"]) == (1, 9000.0, 9000.0)
