"""Questions to generated lakes, whose answers are worked out in plain Python from the same rows."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from taximeter_queries import Answer, Lake, Window, ask

from tests.queries.ledgers import ZONES, Row, billed, described, landed, ledger, local_time

__all__ = ["Between", "Near", "Question", "dearest", "failures", "held", "known", "questions", "value"]

_FOLDERS = TemporaryDirectory(prefix="taximeter-questions-")
_IDENTITY = ("journal_id", "journal_position", "journal_item")
_TIMES = ("hour", "day", "week", "month")
_ALIASES = {"user": "user_id", "service": "service_name", "conversation": "conversation_id"}
_BY = (
    *("model", "provider", "service", "user", "stream", "status", "environment", "cost_status", "region", "total"),
    *(
        "tag.team",
        "tag.it's",
        'tag.a "b"',
        "tag.größe",
        "attribute.it's",
        "resource.region",
        "tag.none",
        *_TIMES,
        *_TIMES,
    ),
)
_WHERE: dict[str | None, Callable[[Row], bool]] = {
    None: lambda row: True,
    "model = 'gpt-5'": lambda row: row.get("model") == "gpt-5",
    "user = 'o''brien'": lambda row: row.get("user_id") == "o'brien",
    "user=o'brien": lambda row: row.get("user_id") == "o'brien",
    "cost_usd > 0.01 OR cost_usd IS NULL": lambda row: row.get("cost_usd") is None or row["cost_usd"] > 0.01,
    "tags['it''s'] = 'checkout'": lambda row: dict(row.get("tags") or ()).get("it's") == "checkout",
    "tag.team!=checkout": lambda row: dict(row.get("tags") or ()).get("team") != "checkout",
    "false": lambda row: False,
}


@dataclass(frozen=True, slots=True)
class _Made:
    views: list[Row]
    told: dict[tuple[Any, ...], Row]
    """What reported a view, by the view's identity."""
    lake: Lake


@cache
def _made(seed: int) -> _Made:
    """Lake 0 is empty."""
    random = Random(seed)
    views = ledger(random, seed and 120, odd_times=True)
    spans, logs = described(random, views)
    told = {tuple(one[name] for name in _IDENTITY): one for one in (*spans, *logs)}
    return _Made(views, told, landed(Path(_FOLDERS.name) / str(seed), views, spans=spans, logs=logs))


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a lake, whatever the report."""

    seed: int
    by: tuple[str, ...]
    zone: str
    where: str | None
    hours: tuple[int, int] | None
    """The window, in hours after the first call."""

    @property
    def window(self) -> Window:
        """From when to when."""
        views = _made(self.seed).views
        if self.hours is None or not views:
            return Window(timezone=ZoneInfo(self.zone))
        first = min(view["start_unix_nano"] for view in views) // 10**9
        start, end = (datetime.fromtimestamp(first, UTC) + timedelta(hours=hours) for hours in self.hours)
        return Window(start, end, ZoneInfo(self.zone))

    @property
    def views(self) -> list[Row]:
        """The rows that are asked for."""
        window = self.window
        start, end = window.start_unix_nano or 0, window.end_unix_nano or 2**63
        return [
            view
            for view in _made(self.seed).views
            if start <= view["start_unix_nano"] < end and _WHERE[self.where](view)
        ]

    def groups(self, rows: Sequence[Row]) -> dict[tuple[Any, ...], list[Row]]:
        """Rows by what they are grouped by."""
        found = defaultdict(list)
        for row in rows:
            found[tuple(value(row, name, self.zone, _made(self.seed).told) for name in self.by)].append(row)
        return dict(found)

    def ask(self, report: str, **more: Any) -> Answer:
        """The report's answer."""
        asked = {"by": self.by, "window": self.window, "where": self.where, **more}
        answer = ask(_made(self.seed).lake, report, **asked)
        total = None if answer.total is None else _in_utc(answer.total)
        return replace(answer, rows=[_in_utc(row) for row in answer.rows], total=total)


def _in_utc(row: Sequence[Any]) -> tuple[Any, ...]:
    """Python has moments of an hour that comes twice differ from the same ones in another time zone."""
    return tuple(value.astimezone(UTC) if isinstance(value, datetime) else value for value in row)


def questions(by: Sequence[str] = _BY) -> st.SearchStrategy[Question]:
    """Up to three dimensions, each zone, and often a window or a condition."""
    hours = st.tuples(st.integers(0, 30), st.integers(31, 60))
    return st.builds(
        Question,
        st.sampled_from((1, 2, 3, 4, 5, 6, 7, 0)),
        st.lists(st.sampled_from(by), min_size=1, max_size=3, unique=True).map(tuple),
        st.sampled_from(ZONES),
        st.sampled_from((None, *_WHERE)),
        st.none() | hours,
    )


def value(row: Row, name: str, zone: str, told: dict[tuple[Any, ...], Row]) -> Any:
    """What a row has in a dimension."""
    kind, _, key = name.partition(".")
    if kind == "tag":
        return dict(row.get("tags") or ()).get(key)
    if kind in ("attribute", "resource"):
        behind = told.get(tuple(row[part] for part in _IDENTITY), {})
        return dict(behind.get("attributes" if kind == "attribute" else "resource_attributes") or ()).get(key)
    if name in _TIMES:
        return local_time(row, name, zone)
    return "all" if name == "total" else row.get(_ALIASES.get(name, name))


def held(question: Question, report: str, rows: Sequence[Row], expected: Callable[[list[Row]], Row]) -> None:
    """The answer has a row for each group, with what `expected` makes of its rows; and the total of all of them."""
    answer = question.ask(report, totals=True)
    groups = question.groups(rows)
    told = {row[: len(question.by)]: dict(zip(answer.names, row, strict=True)) for row in answer.rows}
    assert len(told) == len(answer.rows)
    assert set(told) == set(groups)
    for key, some in groups.items():
        for name, figure in expected(some).items():
            assert told[key][name] == figure, (key, name)
    if answer.total is not None:
        total = dict(zip(answer.names, answer.total, strict=True))
        for name, figure in expected(list(rows)).items():
            assert total[name] == figure, ("total", name)


@dataclass(frozen=True, slots=True)
class Near:
    """A number that is worked out with a last digit of its own."""

    value: Any
    of: Any = 0
    """What it was worked out from, if it is a difference of larger numbers."""

    def __eq__(self, other: object) -> bool:
        if self.value is None or other is None:
            return self.value is other
        assert isinstance(other, (int, float)) or hasattr(other, "as_tuple")
        room = 1e-11 + 1e-10 * max(abs(float(self.value)), abs(float(self.of)))
        return abs(float(other) - float(self.value)) <= room  # type: ignore[arg-type]

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Between:
    """A percentile as a sketch tells it: no further from the right place than a few values."""

    values: Sequence[float]
    share: float

    def __eq__(self, other: object) -> bool:
        if not self.values:
            return other is None
        assert isinstance(other, float)
        places, place = sorted(self.values), self.share * (len(self.values) - 1)
        low, high = max(0, math.floor(place) - 2), min(len(places) - 1, math.ceil(place) + 2)
        return places[low] - 1e-9 <= other <= places[high] + 1e-9

    __hash__ = None  # type: ignore[assignment]


def known(row: Row, name: str) -> float | None:
    """A time, if a clock can have given it."""
    time = row.get(name)
    return time if time is not None and 0 <= time < math.inf else None


def dearest(rows: Sequence[Row]) -> Row:
    """The most expensive call; of several the last, and of these the one with the largest trace id."""
    priced = [row for row in rows if row["cost_usd"] is not None]
    if not priced:
        return {}
    return max(priced, key=lambda row: (row["cost_usd"], row["start_unix_nano"], row.get("trace_id") or ""))


def failures(views: Sequence[Row]) -> list[Row]:
    """Calls that failed and cost nothing, each once."""
    failed: dict[tuple[Any, ...], Row] = {}
    for view in views:
        if view.get("not_billable_because") == "failed":
            same = ("source", "trace_id", "span_id", "start_unix_nano", "attempt", "error_type", "model")
            failed.setdefault(tuple(view.get(name) for name in same), view)
    below = {(view["trace_id"], view.get("parent_span_id")) for view in views if view["source"] == "span"}
    errors = [view for view in views if view["status"] == "error"]
    inside = {(view["trace_id"], view["span_id"]) for view in errors if view["source"] == "log"}
    broken = {(one["trace_id"], one["span_id"]) for one in billed(errors) if one["source"] == "span"}
    repeats = {"span": below | inside, "log": broken}
    return [one for one in failed.values() if (one["trace_id"], one["span_id"]) not in repeats[one["source"]]]
