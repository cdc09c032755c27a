"""Calls of the last week that have no price, why, and what to write so that the next ones have."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from taximeter_cli.doctoring.finding import Finding, note, ok, warning
from taximeter_cli.doctoring.subject import Subject

__all__ = ["TITLE", "check"]

TITLE = "Prices of the last week"

_MOST = 5
_APART = 0.05
_REASONS = {
    "missing_usage": (
        "did not tell how many tokens they took",
        "if they are streams: ask the SDK for usage, such as stream_options={'include_usage': True}",
    ),
    "inconsistent_usage": (
        "tell counts of tokens that cannot be true",
        "taximeter calls --where cost_status=inconsistent_usage shows them; update what reports them",
    ),
}


def check(subject: Subject) -> Iterator[Finding]:
    """Asked of the lake."""
    from taximeter_queries import Lake, NoLake, Window, ask

    window = Window.of(last="7d", timezone="UTC")
    try:
        lake = Lake(subject.config.lake.dir)
        (total, *_) = ask(lake, "coverage", by=["billable"], window=window, where="billable").records() or [{}]
    except NoLake:
        yield note("there is no lake yet, so no call", "taximeter run -- COMMAND, or taximeter collect")
        return
    calls, unpriced = total.get("calls") or 0, total.get("unpriced_calls") or 0
    if not calls:
        yield note("no call has landed in the last 7 days", "docs/run.md; does an app send to this collector?")
        return
    if not unpriced:
        yield ok(f"all {calls:,} calls have a price", calls=calls, unpriced=0)
    else:
        by = ["provider", "model", "cost_status"]
        found = ask(lake, "cost", by=by, window=window, where="cost_usd IS NULL", sort=["-calls"]).records()
        yield from _unpriced(found, calls, str(subject.config.data / "prices.toml"))
    yield from _apart(total)
    yield from _disputed(subject, {row["model"] for row in ask(lake, "cost", by=["model"], window=window).records()})


def _unpriced(found: list[dict[str, Any]], calls: int, file: str) -> Iterator[Finding]:
    by_status: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in found:
        by_status[row["cost_status"]].append(row)
    for status, rows in by_status.items():
        count = sum(row["calls"] for row in rows)
        listed = ", ".join(f"{row['model'] or 'no model'} ({row['calls']:,})" for row in rows[:_MOST])
        more = f" and {len(rows) - _MOST} more" if len(rows) > _MOST else ""
        facts = {"calls": calls, "unpriced": count, "cost_status": status, "models": [row["model"] for row in rows]}
        if status in _REASONS:
            what, do = _REASONS[status]
            yield warning(f"{count:,} of {calls:,} calls {what}: {listed}{more}", do, **facts)
        else:
            do = f"taximeter prices update; or say in {file} what they are:\n\n" + "\n\n".join(
                _snippet(row) for row in rows[:_MOST]
            )
            yield warning(
                f"{count:,} of {calls:,} calls have no price, their model is not known: {listed}{more}",
                do,
                **facts,
            )


def _snippet(row: Mapping[str, Any]) -> str:
    """What can be copied; the meaning is for the user to fill in."""
    provider = f"provider = {json.dumps(row['provider'])}\n" if row["provider"] else ""
    model = json.dumps(row["model"] or "*", ensure_ascii=False)
    return f'[[alias]]\n{provider}model = {model}\nmeans = "THE MODEL THAT IT IS"'


def _apart(total: Mapping[str, Any]) -> Iterator[Finding]:
    """What senders say that it cost, beside what we say."""
    ours, theirs = total.get("compared_cost_usd"), total.get("compared_reported_cost_usd")
    if not ours or not theirs:
        return
    share = abs(float(theirs - ours)) / float(ours)
    told = (
        f"{total['compared_calls']:,} calls tell their own cost, {theirs:.6f} USD; by the price book it is {ours:.6f}"
    )
    if share > _APART:
        yield warning(told, "taximeter coverage --by model shows where; taximeter prices show MODEL, which rate")
    else:
        yield ok(told)


def _disputed(subject: Subject, models: set[str | None]) -> Iterator[Finding]:
    """Models in use on whose price the sources disagree."""
    from taximeter_collector.price import Book
    from taximeter_collector.price.comparison import differences
    from taximeter_collector.price.genai import GenaiPrices
    from taximeter_collector.price.litellm import LiteLLMSnapshot

    sources = Book.load(subject.config.data).sources
    first = next(one for one in sources if isinstance(one, GenaiPrices))
    second = next(one for one in sources if isinstance(one, LiteLLMSnapshot))
    found = {one.model for one in differences(first, second, datetime.now(UTC)) if one.model in models}
    if found:
        yield note(
            f"the sources of prices disagree on {', '.join(sorted(found))}; the first one is used",
            "taximeter prices diff shows both; an override in prices.toml decides",
            models=sorted(found),
        )
