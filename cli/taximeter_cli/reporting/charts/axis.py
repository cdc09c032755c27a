"""An axis of time without holes: where nothing was, there is a place in which nothing is drawn."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, date, datetime, timedelta

from taximeter_queries.window import Window

__all__ = ["Moment", "steps"]

Moment = date
"""A day, or the beginning of an hour, which is a day as well, as Python has it."""
_MOST = 20_000


def steps(name: str, told: Collection[Moment], window: Window) -> list[Moment]:
    """All hours, days, weeks or months (by the dimension's name) from the first to the last that is told; those of the
    whole window, if it has an end on that side.

    >>> [str(day) for day in steps("day", {date(2026, 11, 1), date(2026, 11, 3)}, Window())]
    ['2026-11-01', '2026-11-02', '2026-11-03']
    """
    if not told:
        return []
    if isinstance(next(iter(told)), datetime):
        return _hours({one for one in told if isinstance(one, datetime)}, window)
    after = _AFTER.get(name, _next_day)
    first, last = min(told), max(told)
    if window.start and after is _next_day:
        first = min(first, window.start.astimezone(window.timezone).date())
    if window.end and after is _next_day:
        last = max(last, (window.end - timedelta(microseconds=1)).astimezone(window.timezone).date())
    found, at = set(told), first
    while at <= last and len(found) < _MOST:
        found.add(at)
        at = after(at)
    return sorted(found)


def _hours(told: Collection[datetime], window: Window) -> list[Moment]:
    """By the clock of UTC, in which no hour is there twice; what is between them in a zone of half hours stays."""
    zone = window.timezone
    at, last = min(told).astimezone(UTC), max(told).astimezone(UTC)
    hour = timedelta(hours=1)
    if window.start:
        at -= max(0, (at - window.start) // hour) * hour
    if window.end:
        last += max(0, -((last - window.end) // hour) - 1) * hour
    found = {one.astimezone(UTC) for one in told}
    while at <= last and len(found) < _MOST:
        found.add(at)
        at += hour
    ordered = sorted(found)
    as_told = {one.astimezone(UTC): one for one in told}
    return [as_told.get(one) or one.astimezone(zone) for one in ordered]


def _next_day(day: date) -> date:
    return day + timedelta(days=1)


def _next_week(day: date) -> date:
    return day + timedelta(days=7)


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


_AFTER: dict[str, Callable[[date], date]] = {"week": _next_week, "month": _next_month}
