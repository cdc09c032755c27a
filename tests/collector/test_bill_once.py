"""One response is billed once: each rule with an example."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from taximeter_collector.bill import CALL_COLUMNS

from tests.collector.billing import DAY, NOON, Call, Ledger, Row

ANSWER = "chatcmpl-0123456789abcdef"
OTHER = "msg_0123456789abcdef"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "bill")


def told(*rows: Row) -> list[tuple[str | None, str | None]]:
    """Why each is not billed, and what is instead."""
    return [(row.because, row.billed_as) for row in rows]


BILLED = (None, None)


def test_a_call_that_nothing_else_tells_of_is_billed(ledger: Ledger) -> None:
    assert told(*ledger.land(Call())) == [BILLED]


def test_a_call_without_usage_is_billed_so_that_it_is_missed(ledger: Ledger) -> None:
    """Its cost is unknown, which reports say; a row that is not billed would be passed over."""
    assert told(*ledger.land(Call(tokens=None))) == [BILLED]


def test_a_failed_call_without_usage_is_not_billed(ledger: Ledger) -> None:
    """Providers do not charge for it. One with usage, or with a response id, is charged like any other."""
    rows = ledger.land(
        Call(span=1, tokens=None, failed=True),
        Call(span=2, failed=True),
        Call(span=3, tokens=None, failed=True, response=ANSWER),
    )
    assert told(*rows) == [("failed", None), BILLED, BILLED]


def test_a_verdict_of_the_dialect_is_final(ledger: Ledger) -> None:
    assert told(*ledger.land(Call(verdict="cached"))) == [("cached", None)]


def test_a_verdict_says_what_is_billed_instead(ledger: Ledger) -> None:
    """A coding agent tells of a call in a span and in an event, and the event has the cost."""
    rows = ledger.land(Call(response=ANSWER, verdict="told_by_event"), Call(response=ANSWER, log=True))
    assert told(*rows) == [("told_by_event", rows[1].name), BILLED]


def test_views_with_one_response_id_are_one_response(ledger: Ledger) -> None:
    """In two traces: a gateway that does not pass the context on."""
    first, second = ledger.land(Call(trace=1, response=ANSWER)) + ledger.land(Call(trace=2, response=ANSWER))
    assert told(first, second) == [BILLED, ("same_response", first.name)]


def test_short_response_ids_identify_nothing(ledger: Ledger) -> None:
    assert told(*ledger.land(Call(span=1, response="chatcmpl-1"), Call(span=2, response="chatcmpl-1"))) == [
        BILLED,
        BILLED,
    ]


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        (Call(cost=None), Call(tokens=50)),
        (Call(tokens=None), Call(tokens=50, cost=None)),
        (Call(total=True), Call(tokens=50)),
        (Call(log=True), Call(tokens=50)),
        (Call(rank=1), Call(rank=2, tokens=50)),
        (Call(), Call(tokens=50, more={"reasoning_tokens": 10})),
        (Call(output=10), Call(output=20)),
    ],
    ids=["a price", "usage", "no total", "a span", "rank", "details", "more output"],
)
@pytest.mark.parametrize("late", [False, True])
def test_the_better_view_is_billed_whenever_it_lands(ledger: Ledger, worse: Call, better: Call, late: bool) -> None:
    one, two = worse.but(trace=1, response=ANSWER), better.but(trace=2, response=ANSWER)
    rows = [ledger.land(call)[0] for call in ([one, two] if late else [two, one])]
    winner, loser = rows[::-1] if late else rows
    assert told(winner, loser) == [BILLED, ("same_response", winner.name)]
    assert ledger.corrections == int(late)


def test_what_makes_no_difference_to_the_bill_is_not_corrected(ledger: Ledger) -> None:
    ledger.land(Call(trace=1, response=ANSWER))
    ledger.land(Call(trace=2, response=ANSWER, day=DAY + dt.timedelta(days=1)))
    assert ledger.corrections == 0


def test_a_request_that_is_sent_again_is_not_billed_again(ledger: Ledger) -> None:
    first, log = ledger.land(Call(), Call(trace=None, span=None, log=True, tokens=7))
    ledger.land(Call(trace=9))
    assert told(*ledger.land(Call(), Call(trace=None, span=None, log=True, tokens=7))) == [
        ("retransmitted", first.name),
        ("retransmitted", log.name),
    ]


def test_a_span_that_is_sent_again_with_more_in_it_is_billed_as_it_is_now(ledger: Ledger) -> None:
    first, second = ledger.land(Call(tokens=None)) + ledger.land(Call())
    assert told(first, second) == [("retransmitted", second.name), BILLED]


def test_rows_that_were_sent_again_follow_the_one_that_they_repeat(ledger: Ledger) -> None:
    """What is billed instead is always a row that is billed."""
    first, again = ledger.land(Call(response=ANSWER)) + ledger.land(Call(response=ANSWER))
    assert again.billed_as == first.name
    (better,) = ledger.land(Call(trace=2, response=ANSWER, rank=5))
    assert told(first, again) == [("same_response", better.name), ("retransmitted", better.name)]


def test_two_events_within_one_span_are_two_calls(ledger: Ledger) -> None:
    rows = ledger.land(Call(log=True, tokens=10, at=NOON), Call(log=True, tokens=10, at=NOON + 1))
    assert told(*rows) == [BILLED, BILLED]


def test_an_event_of_a_call_that_has_a_span_is_the_same_call(ledger: Ledger) -> None:
    event, span = ledger.land(Call(log=True, rank=5)) + ledger.land(Call())
    assert told(event, span) == [("same_call", span.name), BILLED]


def test_an_event_stands_in_for_a_span_without_usage(ledger: Ledger) -> None:
    span, event = ledger.land(Call(tokens=None)) + ledger.land(Call(log=True))
    assert told(span, event) == [("same_call", event.name), BILLED]


def test_events_written_in_an_agents_span_are_below_it(ledger: Ledger) -> None:
    """The span speaks for all of them; each of them is a call."""
    one, two = ledger.land(Call(log=True, tokens=10), Call(log=True, tokens=20))
    (agent,) = ledger.land(Call(total=True, tokens=30))
    assert told(one, two) == [BILLED, BILLED]
    assert agent.because == "nested" and agent.billed_as in (one.name, two.name)


def test_a_span_around_another_with_usage_is_nested(ledger: Ledger) -> None:
    inner, outer = ledger.land(Call(span=2, parent=1), Call(span=1))
    assert told(inner, outer) == [BILLED, ("nested", inner.name)]


@pytest.mark.parametrize("order", ["together", "inner first", "outer first", "bridge last", "bridge first"])
def test_nesting_reaches_through_spans_that_are_no_calls(ledger: Ledger, order: str) -> None:
    """An SDK's call, the HTTP client's span below it, the gateway's server span, and the gateway's own call."""
    gateway = Call(span=4, parent=3, response=OTHER)
    sdk = Call(span=1, response=ANSWER)
    bridge = [(1, 3, 2), (1, 2, 1)]
    steps: dict[str, list[tuple[tuple[Call, ...], list[tuple[int, int, int]]]]] = {
        "together": [((gateway, sdk), bridge)],
        "inner first": [((gateway,), bridge), ((sdk,), [])],
        "outer first": [((sdk,), bridge), ((gateway,), [])],
        "bridge last": [((gateway,), []), ((sdk,), []), ((), bridge[:1]), ((), bridge[1:])],
        "bridge first": [((), bridge), ((gateway,), []), ((sdk,), [])],
    }
    for calls, others in steps[order]:
        ledger.land(*calls, others=others)
    rows = {row.call: row for row in ledger.rows.values()}
    assert told(rows[gateway], rows[sdk]) == [BILLED, ("nested", rows[gateway].name)]


def test_what_is_nested_takes_along_what_else_tells_of_its_response(ledger: Ledger) -> None:
    """The gateway answers for the SDK's span, and so for the event that carries the SDK's response id."""
    (event,) = ledger.land(Call(trace=None, span=None, log=True, response=ANSWER))
    assert told(event) == [BILLED]
    gateway, sdk = ledger.land(Call(span=2, parent=1, response=OTHER), Call(span=1, response=ANSWER))
    assert told(gateway, event) == [BILLED, ("same_response", gateway.name)]
    assert sdk.because == "nested"


def test_an_agent_that_carries_its_last_answers_id_does_not_take_that_answer_along(ledger: Ledger) -> None:
    first, last = Call(span=2, parent=1, response=OTHER, tokens=10), Call(span=3, parent=1, response=ANSWER, tokens=20)
    for agent in (Call(span=1, response=ANSWER, tokens=30), Call(span=1, response=ANSWER, tokens=30, total=True)):
        fresh = agent.but(trace=2 + agent.total)
        answers = [
            first.but(trace=fresh.trace, response=f"{OTHER}-{fresh.trace}"),
            last.but(trace=fresh.trace, response=f"{ANSWER}-{fresh.trace}"),
        ]
        one, two, whole = ledger.land(*answers, fresh.but(response=f"{ANSWER}-{fresh.trace}"))
        assert told(one, two) == [BILLED, BILLED]
        assert whole.because == "nested"


def test_of_three_layers_the_lowest_is_billed(ledger: Ledger) -> None:
    """Whatever they say: the same id above, another one below."""
    framework, sdk, gateway = (
        Call(span=1, response=ANSWER),
        Call(span=2, parent=1, response=ANSWER),
        Call(span=3, parent=2),
    )
    rows = [ledger.land(call)[0] for call in (framework, gateway, sdk)]
    assert [row.because for row in rows] == ["nested", None, "nested"]
    assert {row.billed_as for row in rows if row.because} == {rows[1].name}


def test_a_nested_span_that_is_sent_again_stays_unbilled(ledger: Ledger) -> None:
    inner, _ = ledger.land(Call(span=2, parent=1), Call(span=1))
    assert told(*ledger.land(Call(span=1))) == [("retransmitted", inner.name)]
    assert told(*ledger.land(Call(span=1, rank=3))) == [("nested", inner.name)]


def test_a_framework_that_knows_the_usage_is_billed_for_a_call_below_that_does_not(ledger: Ledger) -> None:
    inner, outer = ledger.land(Call(span=2, parent=1, tokens=None), Call(span=1))
    assert told(inner, outer) == [("same_call", outer.name), BILLED]


def test_a_failed_attempt_below_stays_failed(ledger: Ledger) -> None:
    attempt, outer = ledger.land(Call(span=2, parent=1, tokens=None, failed=True), Call(span=1))
    assert told(attempt, outer) == [("failed", None), BILLED]


def test_a_call_counts_again_once_what_covered_it_is_nested(ledger: Ledger) -> None:
    """The agent's total covered one call; then it turns out that another one tells for itself."""
    silent, agent = ledger.land(Call(span=2, parent=1, tokens=None), Call(span=1, total=True))
    assert told(silent, agent) == [("same_call", agent.name), BILLED]
    (telling,) = ledger.land(Call(span=3, parent=1, tokens=60))
    assert told(silent, agent, telling) == [BILLED, ("nested", telling.name), BILLED]


def test_a_total_counts_if_nothing_else_tells(ledger: Ledger) -> None:
    assert told(*ledger.land(Call(total=True))) == [BILLED]


def test_a_total_that_never_counts_takes_no_part(ledger: Ledger) -> None:
    inner, never, outer = ledger.land(
        Call(span=3, parent=2, tokens=None),
        Call(span=2, parent=1, total=True, verdict="aggregate"),
        Call(span=1, total=True),
    )
    assert told(inner, never, outer) == [("same_call", outer.name), ("aggregate", None), BILLED]


def test_nesting_reaches_through_calls_that_never_count(ledger: Ledger) -> None:
    """An agent's total that its dialect does not count is a span like any other."""
    ledger.land(Call(span=1), Call(span=2, parent=1, total=True, verdict="aggregate"))
    (event,) = ledger.land(Call(span=2, log=True))
    assert told(event, *ledger.rows.values())[:2] == [BILLED, ("nested", event.name)]


def test_what_a_gateway_served_from_its_cache_is_not_billed_for_the_span_above(ledger: Ledger) -> None:
    served, sdk = ledger.land(Call(span=2, parent=1, verdict="cached"), Call(span=1))
    assert told(served, sdk) == [("cached", None), ("nested", None)]


def test_a_span_that_is_its_own_parent_is_a_span_without_one(ledger: Ledger) -> None:
    assert told(*ledger.land(Call(span=1, parent=1))) == [BILLED]


def test_what_the_lake_did_not_take_is_forgotten(ledger: Ledger) -> None:
    ledger.fail_to_land(Call(span=2, parent=1), Call(span=3), others=[(1, 1, None)])
    assert told(*ledger.land(Call(span=3))) == [BILLED]


def test_rows_that_are_handed_over_again_after_a_crash_change_nothing(ledger: Ledger) -> None:
    first, second, nested = ledger.land(Call(span=2, parent=1), Call(span=5), Call(span=1), crash=True)
    assert told(first, second, nested) == [BILLED, BILLED, ("nested", first.name)]
    assert ledger.corrections == 0


def test_a_register_that_is_lost_is_read_from_the_lake(ledger: Ledger, tmp_path: Path) -> None:
    """Also what was nested through spans that are no calls, of which the ledger does not tell."""
    inner, outer = ledger.land(Call(span=3, parent=2), Call(span=1), others=[(1, 2, 1)])
    ledger.folder = tmp_path / "anew"
    ledger.reopen()
    (better,) = ledger.land(Call(span=3, parent=2, rank=1))
    assert told(inner, outer, better) == [("retransmitted", better.name), ("nested", better.name), BILLED]


@pytest.mark.parametrize("harm", ["truncate", "flip", "version", "remove"])
def test_a_damaged_register_is_read_from_the_lake(ledger: Ledger, harm: str) -> None:
    (first,) = ledger.land(Call(response=ANSWER))
    ledger.register.compact()
    run = next(ledger.folder.glob("run-*"))
    state = ledger.folder / "register.json"
    if harm == "truncate":
        run.write_bytes(run.read_bytes()[:-8])
    elif harm == "flip":
        run.write_bytes(run.read_bytes()[:-1] + b"\xff")
    elif harm == "version":
        state.write_text(state.read_text().replace('"version": 1', '"version": 0'))
    else:
        next(ledger.folder.glob("views-*")).unlink()
    ledger.reopen()
    assert told(*ledger.land(Call(response=ANSWER))) == [("retransmitted", first.name)]


def test_a_register_that_outlived_its_lake_begins_anew(ledger: Ledger) -> None:
    ledger.land(Call(response=ANSWER))
    ledger.rows.clear()
    ledger.options |= {"landed_to": {"j": 0}}
    ledger.reopen()
    assert told(*ledger.land(Call(response=ANSWER))) == [BILLED]


def test_calls_are_remembered_for_as_long_as_is_said(tmp_path: Path) -> None:
    long_ago = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=30)
    ledger = Ledger(tmp_path / "bill", remember_days=20)
    ledger.land(Call(response=ANSWER, day=long_ago))
    ledger.reopen()
    assert told(*ledger.land(Call(response=ANSWER, day=long_ago))) == [BILLED]


def test_the_lake_is_asked_for_columns_that_it_has() -> None:
    from taximeter_collector.lake.schema import CALLS

    assert set(CALL_COLUMNS) <= {column.name for column in CALLS.columns}
