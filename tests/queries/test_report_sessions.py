"""Sessions of coding agents: what the agents of the corpus did, and what metrics of either temporality add up to."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from taximeter_queries import Lake, UnknownName, Window, ask

from tests.collector.landing import land, record, stages
from tests.queries.landing import NOON_NANO, Row, landed
from tests.queries.ledgers import call

CORPUS = Path(__file__).parents[1] / "collector/corpus"


@cache
def corpus(entry: str) -> Lake:
    """A lake with what an agent sent."""
    told = json.loads((CORPUS / f"{entry}.json").read_text("utf-8"))
    records = [record(one["signal"], one["otlp"], at) for at, one in enumerate(told["requests"])]
    rows: dict[str, Any] = land(Path(mkdtemp()), [records], _way())
    return landed(Path(mkdtemp()), **rows)


@cache
def _way() -> Any:
    return stages()


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            "claude_code/claude-code-2.1.197-turn",
            {
                "agents": ["claude_code"],
                "calls": 2,
                "tool_calls": 1,
                "accepted": 1,
                "reported_cost_usd": Decimal("0.001995"),
            },
        ),
        ("claude_code/claude-code-2.1.197-subagent", {"calls": 3, "reported_cost_usd": Decimal("0.0029925")}),
        ("claude_code/claude-code-2.1.197-bedrock", {"calls": 1, "reported_cost_usd": Decimal("0.0009975")}),
        ("claude_code/claude-code-2.1.197-error", {"calls": 0, "errors": 1, "cost_usd": None}),
        (
            "claude_code/claude-code-2.1.197-edits",
            {"calls": 0, "lines_added": 4, "lines_removed": 0, "commits": 1, "accepted": 1, "active_ms": 529.0},
        ),
        ("codex/codex-0.169.0-turn", {"agents": ["codex"], "calls": 2, "tool_calls": 1, "accepted": 1, "rejected": 0}),
        ("codex/codex-0.169.0-retry", {"calls": 1, "errors": 1}),
        ("gemini_cli/gemini-cli-0.61.0-turn", {"agents": ["gemini_cli"], "calls": 2, "tool_calls": 1}),
        ("gemini_cli/gemini-cli-0.61.0-edits", {"lines_added": 3, "lines_removed": None}),
        ("gemini_cli/qwen-code-0.15.10-turn", {"agents": ["qwen_code"], "calls": 2, "tool_calls": 1}),
        (
            "copilot/copilot-1.0.102-credits",
            {"agents": ["copilot"], "calls": 1, "reported_cost_usd": Decimal("0.0081")},
        ),
        ("copilot/copilot-1.0.102-turn", {"calls": 2, "tool_calls": 1}),
    ],
)
def test_a_session_is_told_as_the_agent_did_it(entry: str, expected: Row) -> None:
    (row,) = [row for row in ask(corpus(entry), "sessions").records() if row["session"] is not None]
    assert {name: row[name] for name in expected} == expected


def test_what_is_told_of_no_session_is_a_row_of_its_own() -> None:
    answer = ask(corpus("copilot/copilot-chat-0.42.0-agent"), "sessions")
    (row,) = [row for row in answer.records() if row["session"] is None]
    told = {name: row[name] for name in ("lines_added", "lines_removed", "accepted", "rejected", "pull_requests")}
    assert told == {"lines_added": 12, "lines_removed": 3, "accepted": 4, "rejected": 1, "pull_requests": 1}
    assert "without a session" in answer.notes[0]


def test_tools_and_models_are_told_one_by_one() -> None:
    lake = corpus("claude_code/claude-code-2.1.197-turn")
    tools = {row["tool"]: row["tool_calls"] for row in ask(lake, "sessions", by=["tool"]).records()}
    assert tools == {"Bash": 1, None: 0}
    models = {row["model"]: row["calls"] for row in ask(lake, "sessions", by=["model"]).records()}
    assert models["claude-sonnet-4-5"] == 2
    with pytest.raises(UnknownName, match="unknown dimension"):
        ask(lake, "sessions", by=["tag.team"])


def point(value: float, at: int, temporality: str = "cumulative", began: int = 0, **more: Any) -> Row:
    return {
        "dialect": "gemini_cli",
        "conversation_id": "s",
        "name": "lines.changed",
        "type": "sum",
        "measure": "lines_of_code",
        "part": "added",
        "temporality": temporality,
        "value": float(value),
        "start_unix_nano": NOON_NANO + began * 10**9,
        "time_unix_nano": NOON_NANO + at * 10**9,
        **more,
    }


def lines(*points: Row, window: Window | None = None) -> int | None:
    rows = ask(landed(Path(mkdtemp()), [call()], metrics=points), "sessions", window=window).records()
    return rows[0]["lines_added"] if rows else None


def test_a_cumulative_series_tells_its_last_value_and_deltas_add_up() -> None:
    assert lines(point(3, 1), point(5, 2), point(9, 3)) == 9
    assert lines(point(3, 1, "delta"), point(5, 2, "delta", 1), point(9, 3, "delta", 2)) == 17


def test_a_point_that_is_sent_again_counts_once() -> None:
    assert lines(point(3, 1, "delta"), point(3, 1, "delta"), point(4, 2, "delta", 1)) == 7


def test_series_are_told_apart_by_attributes_resource_and_start() -> None:
    assert (
        lines(point(3, 1), point(4, 1, attributes=[("file", "a")]), point(5, 1, resource_attributes=[("host", "b")]))
        == 12
    )
    assert lines(point(3, 1), point(4, 9, began=8)) == 7


def test_a_series_that_falls_without_a_new_start_began_anew() -> None:
    assert lines(point(3, 1), point(2, 2), point(6, 3)) == 9


def test_what_a_series_had_before_the_window_is_not_of_the_window() -> None:
    window = Window.of("2026-11-20T12:00:10Z", timezone="UTC")
    assert lines(point(3, 1), point(5, 11), point(9, 13), window=window) == 4
    assert lines(point(3, 11, began=10), point(5, 12, began=10), window=window) == 5


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=6), min_size=1, max_size=4), st.randoms())
def test_either_temporality_gives_the_same(series: list[list[int]], random: Any) -> None:
    """In whatever order points come."""
    points = []
    for number, added in enumerate(series):
        labels = {"attributes": [("file", str(number))]}
        if number % 2:
            points += [point(one, at + 1, "delta", at, **labels) for at, one in enumerate(added)]
        else:
            points += [point(sum(added[: at + 1]), at + 1, **labels) for at in range(len(added))]
    random.shuffle(points)
    assert lines(*points) == sum(map(sum, series))
