"""Two sides are compared as plain Python compares them, and what is said of them is understood."""

from __future__ import annotations

import math
import statistics
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from taximeter_queries import BadFilter, BadWindow, UnknownName, Window, ask
from taximeter_queries.sides import side
from taximeter_queries.statistics import Sample, welch

from tests.queries.counting import attempts, errors
from tests.queries.ledgers import NOON_NANO, Row, billed, call, landed, ledgers, summed

NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
SIDES = {
    "model=gpt-5": lambda one: one["model"] == "gpt-5",
    "provider=anthropic": lambda one: one["provider"] == "anthropic",
    "user=null": lambda one: one["user_id"] is None,
    "service=o'brien": lambda one: one["service_name"] == "o'brien",
    "source=span,model!=gpt-5": lambda one: one["source"] == "span" and one["model"] != "gpt-5",
    "2026-01..2026-07": lambda one: 1767225600 <= one["start_unix_nano"] / 1e9 < 1785542400,
}


@settings(max_examples=20, deadline=None)
@given(ledgers(40, huge=False, odd_times=True), st.sampled_from(sorted(SIDES)), st.sampled_from(sorted(SIDES)))
def test_each_side_is_what_it_is_by_itself(views: list[Row], a: str, b: str) -> None:
    """Also where a call is on both sides."""
    found = {row["measure"]: row for row in ask(landed(Path(mkdtemp()), views), "compare", a=a, b=b).records()}
    for name, said in (("a", a), ("b", b)):
        group = [one for one in views if SIDES[said](one)]
        counted = billed(group)
        assert found["calls"][name] == len(counted)
        assert found["cost_usd"][name] == summed(counted, "cost_usd")
        tried = attempts(group)
        assert found["error_share"][f"count_{name}"] == len(tried)
        assert found["error_share"][name] == (errors(group) / len(tried) if tried else None)
        inputs = [one["input_tokens"] for one in counted if one["input_tokens"] is not None]
        assert found["input_tokens_per_call"][name] == (pytest.approx(statistics.fmean(inputs)) if inputs else None)
        durations = [one["duration_ms"] for one in counted if one["status"] == "ok" and _clock(one["duration_ms"])]
        assert found["mean_duration_ms"]["count_" + name] == len(durations)
        logarithms = [math.log(one) for one in durations if one > 0]
        typical = pytest.approx(math.exp(statistics.fmean(logarithms))) if logarithms else None
        assert found["typical_duration_ms"][name] == typical
    for row in found.values():
        if row["a"] is not None and row["b"] is not None:
            assert row["change"] == row["b"] - row["a"]


def _clock(value: float | None) -> bool:
    return value is not None and 0 <= value < 1e15


def made(count: int, **more: Any) -> list[Row]:
    return [
        call(model="gpt-5", input_tokens=100 + at % 7, duration_ms=100.0 + at % 11, journal_position=0, **more)
        for at in range(count)
    ]


def landed_calls(*groups: list[Row]) -> Any:
    rows = [one for group in groups for one in group]
    return landed(Path(mkdtemp()), [one | {"journal_position": at} for at, one in enumerate(rows)])


def test_a_difference_is_sure_if_chance_would_hardly_give_it() -> None:
    before = made(60, service_version="1")
    after = [one | {"service_version": "2", "input_tokens": one["input_tokens"] + 2} for one in before]
    answer = ask(landed_calls(before, after), "compare", a="version=1", b="version=2")
    row = next(one for one in answer.records() if one["measure"] == "input_tokens_per_call")
    tokens = [one["input_tokens"] for one in before]
    variance = statistics.variance(tokens)
    expected = welch(Sample(60, statistics.fmean(tokens), variance), Sample(60, statistics.fmean(tokens) + 2, variance))
    assert row["p_value"] == pytest.approx(expected, rel=1e-6)
    assert row["significant"] is True
    assert row["test"] == "welch"
    same = next(one for one in answer.records() if one["measure"] == "typical_duration_ms")
    assert (same["p_value"], same["significant"]) == (pytest.approx(1.0), False)
    assert any("not how likely there is none" in note for note in answer.notes)


def test_of_too_few_calls_nothing_is_said_and_that_is_said() -> None:
    answer = ask(
        landed_calls(made(5, environment="a"), made(90, environment="b")),
        "compare",
        a="environment=a",
        b="environment=b",
    )
    assert {row["p_value"] for row in answer.records()} == {None}
    assert {row["significant"] for row in answer.records()} == {None}
    assert any("too few calls" in note for note in answer.notes)


def test_windows_of_different_length_are_told_for_a_day_too() -> None:
    answer = ask(landed_calls(made(6)), "compare", a="2026-11-19..2026-11-20", b="2026-11-20", window=Window())
    calls = answer.records()[0]
    assert (calls["a"], calls["b"], calls["a_per_day"], calls["b_per_day"]) == (6, 6, 3.0, 6.0)
    assert any("not of the same length" in note for note in answer.notes)


def test_groups_are_compared_one_by_one() -> None:
    lake = landed_calls(made(3, environment="x", user_id="u"), made(2, environment="x"), made(4, environment="y"))
    answer = ask(lake, "compare", a="user=u", b="user=null", by=["environment"])
    told = {row["environment"]: (row["a"], row["b"]) for row in answer.records() if row["measure"] == "calls"}
    assert told == {"x": (3, 2), "y": (0, 4)}


def test_an_empty_lake_has_two_empty_sides(tmp_path: Path) -> None:
    rows = ask(landed(tmp_path, [call()]), "compare", a="model=x", b="model=y").records()
    assert (rows[0]["measure"], rows[0]["a"], rows[0]["b"]) == ("calls", 0, 0)


@pytest.mark.parametrize(
    ("said", "window"),
    [
        ("2026-11-01..2026-11-07", "2026-11-01 00:00 to 2026-11-08 00:00, UTC"),
        ("2026-11", "2026-11-01 00:00 to 2026-12-01 00:00, UTC"),
        ("7d..now", "2026-11-14 12:30 to 2026-11-21 12:30, UTC"),
        ("7d", "2026-11-14 12:30 to 2026-11-21 12:30, UTC"),
        ("14d..7d", "2026-11-07 12:30 to 2026-11-14 12:30, UTC"),
        ("yesterday", "2026-11-20 00:00 to 2026-11-21 00:00, UTC"),
        ("this-week", "2026-11-16 00:00 to 2026-11-21 12:30, UTC"),
        ("last-week", "2026-11-09 00:00 to 2026-11-16 00:00, UTC"),
        ("last-month", "2026-10-01 00:00 to 2026-11-01 00:00, UTC"),
    ],
)
def test_windows_are_said_in_few_words(said: str, window: str) -> None:
    assert str(side("a", said, Window(), NOW).window) == window
    both = side("a", f"tag.team=a b, {said}", Window(), NOW)
    assert (str(both.window), both.equals) == (window, (("tag.team", "=", "a b"),))


def test_a_value_may_have_commas_and_quotes() -> None:
    assert side("a", "user=Doe, Jane", Window(), NOW).equals == (("user", "=", "Doe, Jane"),)


def test_what_is_no_side_is_told_with_what_is_one(tmp_path: Path) -> None:
    lake = landed(tmp_path, [call(start_unix_nano=NOON_NANO)])
    for said, error, words in (
        ("tomorow", BadWindow, "NAME=VALUE such as model=gpt-5"),
        ("1d,2d", BadFilter, "two windows"),
        (" ", BadFilter, "says nothing"),
        ("modle=gpt-5", UnknownName, "did you mean model"),
    ):
        with pytest.raises(error, match=words):
            ask(lake, "compare", a=said, b="today")
