"""Charts of characters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from taximeter_queries.answer import Answer

from taximeter_cli.reporting import tables
from taximeter_cli.reporting.charts.blocks import bar, columns
from taximeter_cli.reporting.charts.chart import Chart, Series, chart
from taximeter_cli.reporting.words import ELLIPSIS, folded, padded, shortened, width

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderableType

__all__ = ["drawing"]

_MOST_ROOM = 160
_LEAST_BAR = 10
_HEIGHT = 10
_GAP = 2


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    style: str = ""


def drawing(answer: Answer, options: ConsoleOptions, column: str | None = None) -> RenderableType:
    """A chart for a terminal: bars for categories, columns over time."""
    from rich.console import Group
    from rich.text import Text

    room, encoding = tables.room_of(options, _MOST_ROOM)
    found = chart(answer, column)
    lines = [_Line(tables.plain(found.title, encoding), "bold")]
    if not found.labels:
        lines.append(_Line("nothing to draw"))
    elif found.times:
        lines += _over_time(found, room, encoding)
    else:
        lines += _bars(found, room, encoding)
    lines += [_Line(tables.plain(one, encoding), "dim") for one in found.below]
    folds = [replace(one, text=part) for one in lines for part in (folded(one.text, room) if one.style else [one.text])]
    return Group(*(Text(one.text, style=one.style, no_wrap=True, overflow="crop") for one in folds))


def _bars(found: Chart, room: int, encoding: str | None) -> Iterator[_Line]:
    """A line for each category: its name, its bar, its number."""
    values = found.series[0].values
    told = [tables.plain(found.told(value), encoding) for value in values]
    labels = [tables.plain(label, encoding) for label in found.labels]
    number = max(map(width, told))
    name = min(max(map(width, labels)), max(room - number - _LEAST_BAR - 2 * _GAP, room // 3))
    space = room - name - number - 2 * _GAP
    ellipsis = tables.plain(ELLIPSIS, encoding)
    for label, value, text in zip(labels, values, told, strict=True):
        label = padded(shortened(label, name, ellipsis), name)
        if space < 1:
            yield _Line(shortened(f"{label} {text}", room, ellipsis))
            continue
        drawn = _bar(value, found, space, ascii_only=encoding is not None)
        yield _Line(f"{label}  {drawn}  {padded(text, number, right=True)}")


def _bar(value: float | None, found: Chart, space: int, *, ascii_only: bool) -> str:
    """To the right of nothing, or to the left of it."""
    least, most = found.least, max(found.most, 0.0)
    if least >= 0:
        return bar((value or 0.0) / most if most else 0.0, space, ascii_only)
    left = min(max(1, round(-least / (most - least) * space)), space)
    right = space - left
    if (value or 0.0) >= 0:
        drawn = bar((value or 0.0) / most if most else 0.0, right, ascii_only) if right else ""
        return " " * left + drawn
    full = min(max(1, round((value or 0.0) / least * left)), left)
    return " " * (left - full) + ("#" if ascii_only else "█") * full + " " * right


def _over_time(found: Chart, room: int, encoding: str | None) -> Iterator[_Line]:
    """Columns with an axis; of several series each has a line, all to one scale."""
    several = len(found.series) > 1
    before, behind = _beside(found, room, encoding) if several else (0, 0)
    if not several:
        before = width(tables.plain(found.told(_Joined.of(found, room // 2).chart.most), encoding))
    space = room - before - 1 - behind
    if space < _LEAST_BAR:
        yield from _as_bars(found, room, encoding)
        return
    joined = _Joined.of(found, space)
    if joined.together > 1:
        how = "together" if found.is_additive else "the highest of them"
        yield _Line(f"each column: {joined.together} {_unit(found)}s, {how}", "dim")
    wide = max(1, min(8, space // len(joined.chart.labels)))
    if several:
        yield _Line(
            f"all to one scale: the highest column is {tables.plain(found.told(joined.chart.most), encoding)}", "dim"
        )
    draw = _lines if several else _columns
    yield from draw(joined.chart, before, wide, encoding)
    yield _Line(_axis(joined.chart, before, wide, room, encoding))


def _beside(found: Chart, room: int, encoding: str | None) -> tuple[int, int]:
    """How much the names and the sums of several series take."""
    names = max(width(tables.plain(one.name, encoding)) for one in found.series)
    sums = max(width(_sum(one, found, encoding)) for one in found.series)
    return min(names, room // 3), sums + _GAP


def _as_bars(found: Chart, room: int, encoding: str | None) -> Iterator[_Line]:
    """Where there is no room for an axis."""
    for one in found.series:
        if len(found.series) > 1:
            yield _Line(shortened(tables.plain(one.name, encoding), room, tables.plain(ELLIPSIS, encoding)), "bold")
        yield from _bars(replace(found, series=(one,)), room, encoding)


def _sum(one: Series, found: Chart, encoding: str | None) -> str:
    """What a series comes to."""
    known = [value for value in one.values if value is not None]
    if not known:
        return tables.plain(found.told(None), encoding)
    told = found.told(math.fsum(known)) if found.is_additive else f"up to {found.told(max(known))}"
    return tables.plain(told, encoding)


def _columns(found: Chart, before: int, wide: int, encoding: str | None) -> Iterator[_Line]:
    """One series, ten lines high, with its highest number at the top."""
    top = tables.plain(found.told(found.most), encoding)
    for at, line in enumerate(columns(found.series[0].values, found.most, _HEIGHT, wide, encoding is not None)):
        mark = ("+" if encoding else "┤") if at == 0 else ("|" if encoding else "│")
        yield _Line(f"{padded('' if at else top, before, right=True)}{mark}{line}".rstrip())


def _lines(found: Chart, before: int, wide: int, encoding: str | None) -> Iterator[_Line]:
    """A line for each series, with its name and its sum."""
    ellipsis = tables.plain(ELLIPSIS, encoding)
    sums = [_sum(one, found, encoding) for one in found.series]
    for one, told in zip(found.series, sums, strict=True):
        name = padded(shortened(tables.plain(one.name, encoding), before, ellipsis), before)
        line = columns(one.values, found.most, 1, wide, encoding is not None)[0]
        yield _Line(f"{name}{'|' if encoding else '│'}{line}  {padded(told, max(map(width, sums)), right=True)}")


def _axis(found: Chart, before: int, wide: int, room: int, encoding: str | None) -> str:
    """The first moment, and as many more as there is room for, each below the beginning of its column."""
    line = " " * before + ("+" if encoding else "└")
    for at, label in enumerate(found.labels):
        place = before + 1 + at * wide
        if (len(line) <= before + 1 or place > len(line)) and place + len(label) <= room:
            line = line.ljust(place) + label
    return line


def _unit(found: Chart) -> str:
    """What the axis has a place for each of."""
    if len(found.times) < 2:
        return "step"
    days = (found.times[1] - found.times[0]).days
    return "hour" if not days else "day" if days == 1 else "week" if days == 7 else "month"


@dataclass(frozen=True, slots=True)
class _Joined:
    """A chart of as few columns as there is room for: several moments in one, and how many."""

    chart: Chart
    together: int = 1

    @classmethod
    def of(cls, found: Chart, room: int) -> _Joined:
        together = math.ceil(len(found.labels) / max(room, 1))
        if together <= 1:
            return cls(found)
        series = tuple(replace(one, values=tuple(_pieces(one.values, together, found))) for one in found.series)
        fewer = replace(found, labels=found.labels[::together], times=found.times[::together], series=series)
        return cls(fewer, together)


def _pieces(values: Sequence[float | None], together: int, found: Chart) -> Iterator[float | None]:
    for at in range(0, len(values), together):
        known = [value for value in values[at : at + together] if value is not None]
        yield (math.fsum(known) if found.is_additive else max(known)) if known else None
