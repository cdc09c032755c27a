"""Traces and conversations are told as plain Python tells them from the same ledger."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from taximeter_queries import NotFound, UnknownName, ask

from tests.queries.counting import errors
from tests.queries.ledgers import NOON_NANO, Row, billed, call, landed, ledgers, summed

TRACE = "ab" * 16


def spans_of(random: Random, calls: list[Row]) -> list[Row]:
    """The spans behind most calls, some of them sent twice, and some that are no calls."""
    spans = [
        {name: one.get(name) for name in (*_SAME, "duration_ms", "service_name", "status")} | {"name": f"span {at}"}
        for at, one in enumerate(calls)
        if one["source"] == "span" and random.random() < 0.8
    ]
    more = [one | {"name": "around", "span_id": f"{at:016x}", "journal_item": 9} for at, one in enumerate(spans[:3])]
    return spans + more


_SAME = (
    *("journal_id", "journal_position", "journal_item", "trace_id", "span_id", "parent_span_id", "start_unix_nano"),
)


def grouped(rows: list[Row], name: str) -> dict[str, list[Row]]:
    groups = defaultdict(list)
    for row in rows:
        if row.get(name) is not None:
            groups[row[name]].append(row)
    return groups


@settings(max_examples=15, deadline=None)
@given(ledgers(), st.randoms())
def test_each_trace_that_has_calls_is_told_with_what_is_in_it(views: list[Row], random: Random) -> None:
    spans = spans_of(random, views)
    lake = landed(Path(mkdtemp()), views, spans=spans)
    found = {row["trace_id"]: row for row in ask(lake, "traces").records()}
    around = grouped(spans, "trace_id")
    for trace_id, group in (expected := grouped(views, "trace_id")).items():
        row, counted, inside = found[trace_id], billed(group), around[trace_id]
        assert row["calls"] == len(counted)
        assert row["errors"] == errors(group)
        assert row["cost_usd"] == summed(counted, "cost_usd")
        assert row["input_tokens"] == summed(counted, "input_tokens")
        assert row["spans"] == len({one["span_id"] for one in inside})
        assert row["models"] == sorted({one["model"] for one in group if one.get("model") is not None})
        assert row["services"] == sorted(
            {one["service_name"] for one in (*group, *inside) if one.get("service_name") is not None}
        )
        roots = [one["start_unix_nano"] for one in inside if one["parent_span_id"] is None]
        starts = roots or [one["start_unix_nano"] for one in inside]
        first = [one["name"] for one in inside if starts and one["start_unix_nano"] == min(starts)]
        assert row["name"] in (first or [None])
    assert found.keys() == expected.keys()


@settings(max_examples=15, deadline=None)
@given(ledgers(), st.integers(1, 4), st.sampled_from(["-cost_usd", "-start_time", "calls", "-errors", "name"]))
def test_the_first_traces_are_those_of_all_that_come_first(views: list[Row], limit: int, sort: str) -> None:
    lake = landed(Path(mkdtemp()), views)
    every, some = ask(lake, "traces", sort=[sort]), ask(lake, "traces", sort=[sort], limit=limit)
    assert some.rows == every.rows[:limit]
    assert some.cut == (len(every.rows) > limit)


@settings(max_examples=15, deadline=None)
@given(ledgers())
def test_each_conversation_is_told_with_what_is_in_it(views: list[Row]) -> None:
    lake = landed(Path(mkdtemp()), views)
    found = {row["conversation_id"]: row for row in ask(lake, "conversations").records()}
    for conversation_id, group in (expected := grouped(views, "conversation_id")).items():
        row, counted = found[conversation_id], billed(group)
        assert (row["turns"], row["cost_usd"]) == (len(counted), summed(counted, "cost_usd"))
        assert row["output_tokens"] == summed(counted, "output_tokens")
        assert row["users"] == sorted({one["user_id"] for one in group if one["user_id"] is not None})
        turns = ask(lake, "conversation", conversation_id=conversation_id).records()
        assert sum(1 for one in turns if one["billable"]) == row["turns"]
        assert sum(1 for one in turns if one["status"] == "error") == row["errors"]
        assert [one["start_time"] for one in turns] == sorted(one["start_time"] for one in turns)
    assert found.keys() == expected.keys()


@settings(max_examples=15, deadline=None)
@given(ledgers(), st.randoms())
def test_a_trace_costs_at_its_roots_what_its_calls_cost(views: list[Row], random: Random) -> None:
    """Also where some views have no span, span ids are there twice, and parents are missing."""
    lake = landed(Path(mkdtemp()), views, spans=spans_of(random, views))
    for row in ask(lake, "traces").records():
        told = ask(lake, "trace", trace_id=row["trace_id"]).records()
        roots = [one for one in told if one["depth"] == 0]
        assert sum(one["subtree_calls"] for one in roots) == row["calls"] == sum(bool(one["billable"]) for one in told)
        assert summed(roots, "subtree_cost_usd") == row["cost_usd"] == summed(told, "cost_usd")


def span(name: str, parent: str | None, begins_ms: int, lasts_ms: int, **more: Any) -> Row:
    nano = NOON_NANO + begins_ms * 10**6
    ids = {"journal_id": "j", "trace_id": TRACE, "span_id": name * 16, "parent_span_id": parent and parent * 16}
    end = nano + lasts_ms * 10**6
    return ids | {"name": name, "start_unix_nano": nano, "end_unix_nano": end, "duration_ms": float(lasts_ms)} | more


def test_a_trace_is_told_in_the_order_of_its_tree_with_what_is_below_each_span(tmp_path: Path) -> None:
    spans = [span("a", None, 0, 100), span("c", "a", 60, 20), span("b", "a", 10, 40), span("b", "a", 10, 40)]
    ids = {"trace_id": TRACE, "model": "gpt-5"}
    told = call(**ids, source="span", span_id="b" * 16, cost_usd=2, journal_position=2, journal_item=0)
    event = call(**ids, source="log", span_id="c" * 16, cost_usd=3, journal_position=9, start_unix_nano=NOON_NANO + 7)
    answer = ask(landed(tmp_path, [told, event], spans=spans), "trace", trace_id=TRACE[:7].upper())
    assert [
        (one["depth"], one["name"], one["offset_ms"], one["self_ms"], one["subtree_calls"], one["subtree_cost_usd"])
        for one in answer.records()
    ] == [
        (0, "a", 0.0, 40.0, 2, 5),
        (1, "b", 10.0, 40.0, 1, 2),
        (1, "c", 60.0, 20.0, 1, 3),
        (2, "call gpt-5", 7e-06, None, 1, 3),
    ]
    assert answer.notes == ("1 of the records were sent again, and are left out",)


def test_a_span_that_was_billed_twice_is_in_its_trace_twice(tmp_path: Path) -> None:
    """As when two collectors were told of it: what is summed below the root is what was billed."""
    spans = [span("a", None, 0, 100), *(span("b", "a", 10, 40) | {"journal_id": one} for one in ("j", "other"))]
    for at, one in enumerate(spans):
        one |= {"journal_position": at, "journal_item": 0}
    billed = [
        call(trace_id=TRACE, source="span", span_id="b" * 16, cost_usd=2, journal_item=0)
        | {"journal_id": one["journal_id"], "journal_position": one["journal_position"]}
        for one in spans[1:]
    ]
    lake = landed(tmp_path, billed, spans=spans)
    told = ask(lake, "trace", trace_id=TRACE)
    assert [(one["subtree_calls"], one["subtree_cost_usd"]) for one in told.records()] == [(2, 4), (1, 2), (1, 2)]
    assert ask(lake, "traces").records()[0]["cost_usd"] == 4


def test_a_trace_of_five_thousand_spans_below_each_other_is_told(tmp_path: Path) -> None:
    deep = 5000
    spans = [
        span("a", None, at, 1) | {"span_id": f"{at + 1:016x}", "parent_span_id": f"{at:016x}" if at else None}
        for at in range(deep)
    ]
    answer = ask(landed(tmp_path, spans=spans, commits=1), "trace", trace_id=TRACE)
    assert [row[0] for row in answer.rows] == list(range(deep))


def test_what_is_no_trace_is_told(tmp_path: Path) -> None:
    lake = landed(tmp_path, [call(trace_id=TRACE), call(trace_id="ac" * 16)])
    with pytest.raises(NotFound, match=f"several traces begin with a: {TRACE}"):
        ask(lake, "trace", trace_id="a")
    with pytest.raises(NotFound, match="no trace has that id"):
        ask(lake, "trace", trace_id="ff")
    with pytest.raises(NotFound, match="no trace id"):
        ask(lake, "trace", trace_id="it's")
    with pytest.raises(NotFound, match="no conversation"):
        ask(lake, "conversation", conversation_id="it's")
    with pytest.raises(UnknownName, match="cannot be grouped"):
        ask(lake, "traces", by=["model"])


def test_what_was_said_is_with_its_call_wherever_it_was_told(tmp_path: Path) -> None:
    """In the record itself, by the response, or by itself before the call."""
    first = call(conversation_id="c", response_id="resp_1", journal_position=4, start_unix_nano=NOON_NANO + 10)
    second = call(conversation_id="c", response_id="resp_2", journal_position=6, start_unix_nano=NOON_NANO + 20)
    said = [
        _said("input", "prompt", "How much?", 1, source="log"),
        _said("output", "response", "42", 15, source="log", response_id="resp_1"),
        _said("input", "gen_ai.prompt", "And now?", 20, journal_position=6, journal_item=0, source="span"),
        _said("tool_input", "input", "kept apart", 29, source="log"),
        _said("tool_output", "output", "kept apart", 30, source="log"),
        _said("other", "body", "lost", 31, source="log"),
    ]
    answer = ask(landed(tmp_path, [first, second], content=said), "conversation", conversation_id="c")
    assert [(one["asked"], one["answered"], len(one["content"])) for one in answer.records()] == [
        ("How much?", "42", 2),
        ("And now?", None, 1),
    ]
    assert answer.notes == (
        "2 pieces of content are what tools were given and gave, and in no turn; the table content has them",
        "1 piece of content is of no call here, and in no turn; the table content has it",
    )


def _said(kind: str, key: str, value: str, after: int, **more: Any) -> Row:
    said = {
        "journal_id": "j",
        "conversation_id": "c",
        "kind": kind,
        "key": key,
        "value": value,
        "piece": 1,
        "journal_item": 5,
    }
    return said | {"time_unix_nano": NOON_NANO + after} | more
