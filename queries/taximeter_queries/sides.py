"""The two sides of a comparison: windows, values of dimensions, or both.

A side is said as `WINDOW`, `NAME=VALUE`, or several of these with commas between: `2026-11-01..2026-11-07`,
`last-week`, `model=gpt-5`, `version=1.2,environment=prod`, `tag.team=search,7d..now`. A window is a day, a month, a
duration up to now, `today`, `yesterday`, `this-week`, `last-week`, `this-month`, `last-month`, or two times with `..`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from taximeter_queries.conditions import Condition, compared
from taximeter_queries.dimensions import Dimension
from taximeter_queries.errors import BadFilter, BadWindow
from taximeter_queries.window import Window

__all__ = ["Side", "side", "spanning"]

_EQUALS = re.compile(r"\s*([A-Za-z_][^=!,]*?)\s*(!?=)\s*(.*?)\s*", re.DOTALL)
_PERIOD = re.compile(r"(this|last)-(day|week|month)")
_STARTS = re.compile(r"\s*([\d.]|today|yesterday|(this|last)-)")  # a window
_EXPECTED = "expected a window such as 2026-11-01..2026-11-07 or last-week, NAME=VALUE such as model=gpt-5, or several"


@dataclass(frozen=True, slots=True)
class Side:
    """One side: `a` or `b`, what was said, from when to when, and what has to hold."""

    name: str
    said: str
    window: Window
    equals: tuple[tuple[str, str, str], ...] = ()
    """Dimension, `=` or `!=`, value."""

    def condition(self, dimension: Callable[[str], Dimension]) -> Condition | None:
        """What has to hold, as SQL. UnknownName if something is no dimension."""
        parts = [compared(dimension(name), sign, value) for name, sign, value in self.equals]
        if not parts:
            return None
        return Condition(" AND ".join(one.sql for one in parts), any(one.reported for one in parts))


def side(name: str, said: str, around: Window, now: datetime | None = None) -> Side:
    """A side as somebody says it; without a window of its own, in the one around.

    >>> one = side("a", "model=gpt-5, 2026-11-01..2026-11-07", Window())
    >>> str(one.window), one.equals
    ('2026-11-01 00:00 to 2026-11-08 00:00, UTC', (('model', '=', 'gpt-5'),))
    """
    window, equals = None, []
    for part in _parts(said):
        if found := _EQUALS.fullmatch(part):
            equals.append((found[1], found[2], found[3]))
        elif window:
            raise BadFilter(f"{said!r} has two windows: {_EXPECTED} with commas between")
        else:
            window = _window(part.strip(), around, now or datetime.now(UTC))
    if not equals and not window:
        raise BadFilter(f"{said!r} says nothing: {_EXPECTED} with commas between")
    return Side(name, said, window or around, tuple(equals))


def spanning(windows: Sequence[Window]) -> Window:
    """From the first beginning to the last end of several windows."""
    starts, ends = [one.start for one in windows], [one.end for one in windows]
    start = None if None in starts else min(one for one in starts if one)
    return Window(start, None if None in ends else max(one for one in ends if one), windows[0].timezone)


def _parts(said: str) -> Iterable[str]:
    """Between commas; what follows one and is neither a window nor NAME=VALUE belongs to the value before it."""
    parts: list[str] = []
    for part in said.split(","):
        starts = _EQUALS.fullmatch(part) or _STARTS.match(part)
        if parts and "=" in parts[-1] and not starts:
            parts[-1] += f",{part}"
        elif part.strip():
            parts.append(part)
    return parts


def _window(text: str, around: Window, now: datetime) -> Window:
    zone = around.timezone.key
    try:
        if found := _PERIOD.fullmatch(text):
            return _period(found[1] == "last", found[2], around, now)
        if ".." in text:
            since, _, until = text.partition("..")
            return Window.of(since.strip() or None, until.strip() or None, timezone=zone, now=now)
        if re.fullmatch(r"\d+[mhdw]", text):
            return Window.of(last=text, until="now", timezone=zone, now=now)
        return Window.of(text, text, timezone=zone, now=now)
    except BadWindow as error:
        raise BadWindow(f"{error}; for a side of a comparison: {_EXPECTED} with commas between") from error


def _period(last: bool, unit: str, around: Window, now: datetime) -> Window:
    """This day, week or month up to now; or the whole one before it."""
    today = now.astimezone(around.timezone).date()
    first = today if unit == "day" else today - timedelta(days=today.weekday() if unit == "week" else today.day - 1)
    if not last:
        return Window.of(first.isoformat(), "now", timezone=around.timezone.key, now=now)
    end = first - timedelta(days=1)
    first = end if unit == "day" else end - timedelta(days=6) if unit == "week" else end.replace(day=1)
    return Window.of(first.isoformat(), end.isoformat(), timezone=around.timezone.key, now=now)
