"""What there is to draw: an answer as categories, or as series over time, in no particular medium."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from taximeter_queries.answer import Answer
from taximeter_queries.columns import Column, Unit
from taximeter_queries.errors import UnknownName

from taximeter_cli.reporting import footer
from taximeter_cli.reporting.charts.axis import Moment, steps
from taximeter_cli.reporting.charts.measures import measure
from taximeter_cli.reporting.layout import titles
from taximeter_cli.reporting.numbers import shown
from taximeter_cli.reporting.words import line

__all__ = ["ADDITIVE", "MOST_SERIES", "OTHER", "UNITS", "Chart", "Series", "chart"]

ADDITIVE = frozenset({Unit.COUNT, Unit.TOKENS, Unit.USD})
"""What may be put on top of each other; a median may not."""
MOST_SERIES = 8
OTHER = "other"
UNITS = {
    Unit.USD: "US dollars",
    Unit.TOKENS: "tokens",
    Unit.MS: "duration",
    Unit.PER_SECOND: "per second",
    Unit.SHARE: "share",
    Unit.COUNT: "number",
}
_TIMES = ("hour", "day", "week", "month", "date")


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers with a name; None is where nothing is known."""

    name: str
    values: tuple[float | None, ...]

    @property
    def size(self) -> float:
        """What it is ranked by."""
        return math.fsum(abs(value) for value in self.values if value is not None)


@dataclass(frozen=True, slots=True)
class Chart:
    """Something to draw. Of categories there is one series; over time there may be several."""

    title: str
    column: Column
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    below: tuple[str, ...]
    times: tuple[Moment, ...] = ()
    """The moments of an axis of time, one for each label; empty for categories."""

    @property
    def is_additive(self) -> bool:
        """Whether the numbers may be put on top of each other."""
        return self.column.unit in ADDITIVE

    @property
    def most(self) -> float:
        """The largest number; never less than nothing."""
        return max((value for one in self.series for value in one.values if value is not None), default=0.0)

    @property
    def least(self) -> float:
        """The smallest; never more than nothing."""
        return min((0.0, *(value for one in self.series for value in one.values if value is not None)))

    def told(self, value: float | None) -> str:
        """A number with its unit."""
        return shown(value, self.column)


def chart(answer: Answer, name: str | None = None) -> Chart:
    """What to draw of an answer. UnknownName if it has no number, or no column of that name."""
    place = measure(answer, name)
    if place is None:
        raise UnknownName("column to draw", name or answer.report, (), "(nothing in this answer is a number)")
    column = answer.columns[place]
    keys = _keys(answer)
    time = next((key for key in keys if _is_time(answer.columns[key])), None) if answer.grouped_by else None
    of = [answer.columns[key].name for key in keys]
    title = titles(answer.columns)[place]
    title = f"{title} by {' and '.join(line(one) for one in of)}" if of else title
    if time is None:
        return _of_categories(answer, title, place, keys)
    return _over_time(answer, title, column, place, time, [key for key in keys if key != time])


def _keys(answer: Answer) -> list[int]:
    """What tells one row from another."""
    if answer.grouped_by:
        return list(range(answer.grouped_by))
    texts = (at for at, one in enumerate(answer.columns) if one.unit in (Unit.TEXT, Unit.TIME, Unit.DAY) or one.kind)
    return [next(texts, 0)]


def _is_time(column: Column) -> bool:
    return column.name in _TIMES


def _of_categories(answer: Answer, title: str, place: int, keys: Sequence[int]) -> Chart:
    labels = tuple(_label(answer, row, keys) for row in answer.rows)
    values = tuple(_number(row[place]) for row in answer.rows)
    below = tuple(footer.lines(answer))
    return Chart(title, answer.columns[place], labels, (Series(answer.columns[place].name, values),), below)


def _over_time(answer: Answer, title: str, column: Column, place: int, time: int, others: Sequence[int]) -> Chart:
    known = [row for row in answer.rows if isinstance(row[time], date)]
    moments = steps(answer.columns[time].name, {row[time] for row in known}, answer.window)
    at = {moment: index for index, moment in enumerate(moments)}
    series: dict[str, list[float | None]] = {}
    for row in known:
        values = series.setdefault(_label(answer, row, others), [None] * len(moments))
        values[at[row[time]]] = _sum(values[at[row[time]]], _number(row[place]))
    few, note = _few([Series(name, tuple(values)) for name, values in series.items()], column)
    labels = tuple(_moment(moment) for moment in moments)
    return Chart(title, column, labels, few, (*footer.lines(answer), *note), tuple(moments))


def _few(series: list[Series], column: Column) -> tuple[tuple[Series, ...], tuple[str, ...]]:
    """The largest first, and the others together, if there is such a thing."""
    ranked = sorted(series, key=lambda one: -one.size)
    if len(series) <= MOST_SERIES:
        return tuple(ranked), ()
    kept, rest = ranked[:MOST_SERIES], ranked[MOST_SERIES:]
    if column.unit not in ADDITIVE:
        return tuple(kept), (f"{len(rest):,} more are not drawn",)
    together = [_sum(*pieces) for pieces in zip(*(one.values for one in rest), strict=True)]
    return (*kept, Series(OTHER, tuple(together))), (f"{OTHER}: {len(rest):,} more together",)


def _sum(*values: float | None) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) if known else None


def _number(value: Any) -> float | None:
    if value is None or isinstance(value, str):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _label(answer: Answer, row: tuple[Any, ...], keys: Sequence[int]) -> str:
    zone = answer.window.timezone
    return " · ".join(line(shown(row[key], answer.columns[key], zone)) for key in keys)


def _moment(moment: Moment) -> str:
    return f"{moment:%m-%d %H:%M}" if isinstance(moment, datetime) else moment.isoformat()
