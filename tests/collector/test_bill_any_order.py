"""Whatever lands, in whatever order and cut into whatever commits: the ledger's sums are those of the plain rule."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from taximeter_collector.bill.semantics import Key, View, decide
from taximeter_collector.bill.views import LEAST_ID, incoming

from tests.collector.billing import Call, Ledger, Link, table

LONG = ["chatcmpl-aaaaaaaaaaaa", "chatcmpl-bbbbbbbbbbbb", "chatcmpl-cccccccccccc"]
TRACES = (1, 2)


@dataclass
class World:
    """Spans in trees, views of some of them, and in which commit each of both lands."""

    parents: dict[tuple[int, int], int | None]
    commits: list[tuple[list[Call], list[Link]]]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    parents: dict[tuple[int, int], int | None] = {}
    for trace in TRACES:
        for span in range(1, draw(st.integers(1, 6)) + 1):
            parents[trace, span] = draw(st.sampled_from([None, *range(1, span)])) if span > 1 else None
    spans = draw(st.lists(st.sampled_from(sorted(parents)), max_size=6, unique=True))
    calls: list[Call] = []
    for trace, span in spans:
        base = draw(_calls(trace, span, parents[trace, span]))
        calls.append(base)
        if draw(st.integers(0, 3)) == 0 and not mute(base):  # once more, with other details
            calls.append(draw(_calls(trace, span, parents[trace, span], like=base)))
    calls += draw(st.lists(_logs(sorted(parents)), max_size=4))
    calls += draw(st.lists(st.sampled_from(calls), max_size=3)) if calls else []
    others = [(trace, span, parent) for (trace, span), parent in parents.items() if (trace, span) not in spans]
    others += draw(st.lists(st.sampled_from(others), max_size=2)) if others else []
    commits: list[tuple[list[Call], list[Link]]] = [([], []) for _ in range(draw(st.integers(1, 5)))]
    for call in draw(st.permutations(calls)):
        draw(st.sampled_from(commits))[0].append(call)
    for other in others:
        draw(st.sampled_from(commits))[1].append(other)
    return World(parents, commits)


_USAGE = {
    "tokens": st.sampled_from([None, 10, 10, 20]),
    "response": st.sampled_from([None, None, "chatcmpl-1", *LONG]),
    "rank": st.integers(0, 1),
    "cost": st.sampled_from(["", "", None]),
}


def _calls(trace: int, span: int, parent: int | None, like: Call | None = None) -> st.SearchStrategy[Call]:
    if like is not None:
        return st.builds(replace, st.just(like), **{**_USAGE, "failed": st.just(False)})
    return st.builds(
        Call,
        trace=st.just(trace),
        span=st.just(span),
        parent=st.just(parent),
        failed=st.sampled_from([False, False, True]),
        total=st.sampled_from([False, False, True]),
        verdict=st.sampled_from([None, None, None, "cached", "aggregate"]),
        **_USAGE,
    )


def _logs(spans: Sequence[tuple[int, int]]) -> st.SearchStrategy[Call]:
    def call(where: tuple[int, int] | None, at: int, **more: Any) -> Call:
        trace, span = where or (None, None)
        return Call(trace=trace, span=span, log=True, at=at, **more)

    return st.builds(call, st.sampled_from([None, *spans]), st.integers(0, 1), **_USAGE)


def mute(call: Call) -> bool:
    return bool(call.verdict and call.total) or (
        call.failed and call.tokens is None and call.response is None and not call.verdict
    )


def plain_views(ledger: Ledger) -> list[View]:
    """What landed, in its order, as the rule has it."""
    rows = list(ledger.rows.values())
    got = incoming(table([row.call for row in rows], [row.identity for row in rows]), {}, {}).views if rows else None
    found = []
    for at, row in enumerate(rows):
        call = row.call
        assert got is not None
        tells = bool(call.tokens)
        found.append(
            View(
                identity=row.identity,
                span=(call.trace, call.span) if call.trace and call.span else None,
                response_id=call.response if call.response and len(call.response) >= LEAST_ID else None,
                log=call.log,
                tells=tells,
                total=call.total,
                failed=call.failed and not tells and call.response is None and call.verdict is None,
                verdict=call.verdict,
                quality=(int(got.quality[at]), int(got.cost[at]), int(got.bill[at])),
                likeness=str(call.row()),
            )
        )
    return found


def bills(ledger: Ledger, billable: Sequence[bool]) -> Counter[tuple[int | None, Decimal | None]]:
    """Usage and cost of what is billed."""
    rows = [row.call.row() for row, counts in zip(ledger.rows.values(), billable, strict=True) if counts]
    return Counter((row["input_tokens"], row["cost_usd"]) for row in rows)


def check(ledger: Ledger, world: World) -> None:
    parents: dict[Key, Key] = {}
    for trace, span in world.parents:
        parent = world.parents[trace, span]
        if parent is not None:
            parents[trace, span] = (trace, parent)
    outcomes = decide(plain_views(ledger), parents)
    rows = ledger.rows.values()
    told = [(row.name, row.call, row.because, row.billed_as) for row in rows]
    assert bills(ledger, [row.billable for row in rows]) == bills(ledger, [each.billable for each in outcomes]), told
    billed = {row.name for row in rows if row.billable}
    for row, outcome in zip(rows, outcomes, strict=True):
        assert row.billable == (row.because is None)
        assert row.billed_as is None or row.billed_as in billed, told
        if not any(each.call.verdict for each in rows) and not row.billable and not outcome.billable:
            assert (row.billed_as is None) == (outcome.billed_as is None), (row, told)
        assert row.because in (row.call.verdict, "failed") or not row.call.verdict


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
def test_order_and_commits_make_no_difference_to_the_bill(world: World) -> None:
    """Views, events, retransmissions, nesting and spans that are no calls, in any order."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder))
        for calls, others in world.commits:
            ledger.land(*calls, others=others)
        check(ledger, world)


class Mishap(StrEnum):
    """What happens with a commit."""

    NONE = "none"
    CRASH = "crash between the lake's commit and the register's"
    FAILURE = "the lake does not take it at first"
    RESTART = "the collector is started again after it"
    LOSS = "the register's folder is lost after it"
    TEAR = "the end of the register's newest file is lost after it"
    SPILL = "what is in memory goes to disk after it"


def suffer(ledger: Ledger, mishap: Mishap) -> None:
    """What happens after a commit."""
    if mishap is Mishap.LOSS:
        shutil.rmtree(ledger.folder)
    if mishap is Mishap.TEAR:
        for file in ledger.folder.glob("recent-*"):
            with file.open("r+b") as opened:
                opened.truncate(max(0, file.stat().st_size - 24))
    if mishap is Mishap.SPILL:
        ledger.register.compact()
    if mishap in (Mishap.LOSS, Mishap.TEAR, Mishap.RESTART):
        ledger.reopen()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds(), st.lists(st.sampled_from(Mishap), min_size=5, max_size=5))
def test_crashes_make_no_difference_to_the_bill(world: World, mishaps: list[Mishap]) -> None:
    """Whatever the register loses, it has again from the lake, but for spans that are no calls."""
    commits = [[call for call in some if not mute(call)] for some, _ in world.commits]
    seen = {(call.trace, call.span) for some in commits for call in some if not call.log}
    world.parents = {key: parent for key, parent in world.parents.items() if key in seen}
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "bill")
        for some, mishap in zip(commits, mishaps, strict=False):
            if mishap is Mishap.FAILURE:
                ledger.fail_to_land(*some)
            ledger.land(*some, crash=mishap is Mishap.CRASH)
            suffer(ledger, mishap)
        check(ledger, world)
