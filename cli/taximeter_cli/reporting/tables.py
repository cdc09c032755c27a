"""An answer as a table, which fits the terminal; and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from taximeter_queries.answer import Answer
from taximeter_queries.columns import Column, Unit

from taximeter_cli.reporting import footer
from taximeter_cli.reporting.charts.measures import measure
from taximeter_cli.reporting.layout import GAP, Content, laid_out, titles
from taximeter_cli.reporting.numbers import NULL, RIGHT, shown
from taximeter_cli.reporting.words import ELLIPSIS, folded, line, padded, shortened

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.text import Text

__all__ = ["cells_of", "markdown", "on_the_point", "plain", "render", "room_of", "rows_of"]

_TOTAL = "total"
_AS_ASCII = str.maketrans({NULL: "-", ELLIPSIS: "...", "·": "-", "∞": "inf", "─": "-"})
_BAD = ("error", "failed")
_COMPARED = ("a", "b", "change", "a_per_day", "b_per_day")
_UNITS = {unit.value: unit for unit in Unit}


def render(answer: Answer, width: int | None = None, *, full: bool = False) -> RenderableType:
    """An answer as people read it: a trace as a tree, a conversation turn by turn, a model by its facts, all others as
    tables.

    It is as wide as the console, or as `width` if that is less. `full` does not shorten what was said.
    """
    from taximeter_cli.reporting import model_sheet, talk, tree

    if answer.rows and tree.is_trace(answer):
        return tree.render(answer, width, full=full)
    if answer.rows and talk.is_conversation(answer):
        return talk.render(answer, width, full=full)
    if answer.rows and model_sheet.is_model(answer):
        return model_sheet.render(answer, width)
    return rows_of(answer, width)


def rows_of(answer: Answer, width: int | None = None) -> RenderableType:
    """Any answer as a table."""
    return _Rows(answer, width)


def room_of(options: ConsoleOptions, width: int | None) -> tuple[int, str | None]:
    """How wide it may be, and the encoding, if that has not all characters."""
    room = options.max_width if width is None else min(width, options.max_width)
    return max(room, 1), options.encoding if options.ascii_only else None


def plain(text: str, encoding: str | None) -> str:
    """Our own text in an encoding that may lack our characters."""
    return line(text.translate(_AS_ASCII), encoding) if encoding else text


@dataclass(frozen=True, slots=True)
class _Rows:
    """A table that knows how wide it may be only when it is printed."""

    answer: Answer
    width: int | None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        room, encoding = room_of(options, self.width)
        left_out = 0
        if self.answer.rows:
            drawn, left_out = _drawn(self.answer, room, encoding)
            yield from drawn
        below = footer.lines(self.answer, left_out)
        if not self.answer.rows and not self.answer.notes and not self.answer.coverage:
            below = ["nothing to show", *below]
        for one in below:
            for part in folded(plain(one, encoding), room):
                yield Text(part, style="dim", no_wrap=True, overflow="crop", end="\n")


def _drawn(answer: Answer, room: int, encoding: str | None) -> tuple[list[Text], int]:
    """The lines of a table, and how many columns had no room."""
    contents = _contents(answer, encoding)
    layout = laid_out(contents, room)
    rule = plain("─", encoding) * min(room, sum(layout.widths) + GAP * (len(layout.widths) - 1))
    drawn = [_styled([head], "bold") for head in _heads(layout.heads, layout.widths, layout.places, contents)]
    drawn.append(_styled([rule], "dim"))
    cells = [
        _fitted(contents[place], columns, encoding) for place, columns in zip(layout.places, layout.widths, strict=True)
    ]
    rows = list(zip(*cells, strict=True))
    drawn += [_row(row, encoding) for row in rows[: len(answer.rows)]]
    if answer.total is not None:
        drawn += [_styled([rule], "dim"), *(_styled([(" " * GAP).join(row)], "bold") for row in rows[-1:])]
    return drawn, len(contents) - len(layout.places)


def _contents(answer: Answer, encoding: str | None) -> list[Content]:
    main = measure(answer)
    contents = []
    for place, column in enumerate(answer.columns):
        values = [row[place] for row in answer.rows]
        cells = _cells(answer, place, encoding)
        if answer.total is not None:
            cells.append(_of_total(answer, place, encoding))
        if column.unit is Unit.USD:
            cells = on_the_point(cells)
        rank = 2 if place in (0, main) else 1 if place < answer.grouped_by else 0
        contents.append(Content(column, cells, rank, not any(values)))
    return contents


def _cells(answer: Answer, place: int, encoding: str | None = None) -> list[str]:
    """The cells of a column. Where a column says what its row is a number of, the others are told so."""
    column = answer.columns[place]
    if column.unit is not Unit.VALUE or column.name not in _COMPARED or "unit" not in answer.names:
        return cells_of([row[place] for row in answer.rows], column, answer, encoding)
    unit = answer.names.index("unit")
    return [
        cells_of([row[place]], replace(column, unit=_UNITS.get(row[unit], Unit.VALUE)), answer, encoding)[0]
        for row in answer.rows
    ]


def cells_of(values: Iterable[Any], column: Column, answer: Answer, encoding: str | None = None) -> list[str]:
    """A column's values, each as one harmless line."""
    values = list(values)
    if column.unit is Unit.TIME and all(isinstance(value, datetime) or value is None for value in values):
        cells = _moments(values, answer)
    else:
        cells = [shown(value, column, answer.window.timezone) for value in values]
    return [line(cell.translate(_AS_ASCII) if encoding else cell, encoding) for cell in cells]


def _moments(values: Sequence[datetime | None], answer: Answer) -> list[str]:
    """Times to the minute where that says all, and with their offsets where these differ."""
    told = [value.astimezone(answer.window.timezone) if value and value.tzinfo else value for value in values]
    known = [value for value in told if value is not None]
    form = "%Y-%m-%d %H:%M" if not any(one.second or one.microsecond for one in known) else "%Y-%m-%d %H:%M:%S"
    if len({one.utcoffset() for one in known}) > 1:
        form += "%z"
    return [NULL if one is None else one.strftime(form) for one in told]


def _of_total(answer: Answer, place: int, encoding: str | None) -> str:
    assert answer.total is not None
    if place < answer.grouped_by:
        return _TOTAL if place == 0 else ""
    return cells_of([answer.total[place]], answer.columns[place], answer, encoding)[0]


def on_the_point(cells: Sequence[str]) -> list[str]:
    """Amounts so that their points are below each other, when they are aligned to the right."""
    behind = [len(cell.partition(".")[2]) if cell[-1:].isdigit() else -1 for cell in cells]
    most = max(behind, default=0)
    return [cell + " " * (most - one) if one >= 0 else cell for cell, one in zip(cells, behind, strict=True)]


def _fitted(content: Content, columns: int, encoding: str | None) -> list[str]:
    right = content.column.unit in RIGHT
    ellipsis = plain(ELLIPSIS, encoding)
    return [padded(shortened(cell, columns, ellipsis), columns, right=right) for cell in content.cells]


def _heads(
    heads: Sequence[Sequence[str]], widths: Sequence[int], places: Sequence[int], contents: Sequence[Content]
) -> Iterator[str]:
    """The lines above, of which the last is full."""
    deep = max(map(len, heads))
    for at in range(deep):
        cells = []
        for head, columns, place in zip(heads, widths, places, strict=True):
            missing = deep - len(head)
            right = contents[place].column.unit in RIGHT
            cells.append(padded(head[at - missing] if at >= missing else "", columns, right=right))
        yield (" " * GAP).join(cells)


def _row(cells: Sequence[str], encoding: str | None) -> Text:
    null = plain(NULL, encoding)
    parts: list[str | tuple[str, str]] = []
    for at, cell in enumerate(cells):
        bare = cell.strip()
        parts.append(" " * GAP if at else "")
        parts.append((cell, "dim") if bare == null else (cell, "red") if bare in _BAD else cell)
    return _styled(parts)


def _styled(parts: Sequence[str | tuple[str, str]], style: str = "") -> Text:
    from rich.text import Text

    return Text.assemble(*parts, style=style, no_wrap=True, overflow="crop", end="\n")


def markdown(answer: Answer) -> str:
    """A table as GitHub shows it, with everything in it, and what stands below as text."""
    below = "\n".join(f"{_escaped(one)}  " for one in footer.lines(answer)).rstrip()
    if not answer.rows:
        return f"{below or 'nothing to show'}\n"
    heads = [_escaped(title) for title in titles(answer.columns)]
    marks = ["---:" if column.unit in RIGHT else "---" for column in answer.columns]
    columns = [[_escaped(cell) for cell in _cells(answer, place)] for place in range(len(answer.columns))]
    rows: list[Sequence[str]] = [heads, marks, *zip(*columns, strict=True)]
    if answer.total is not None:
        totals = [_of_total(answer, place, None) for place in range(len(answer.columns))]
        rows.append([f"**{_escaped(cell)}**" if cell else "" for cell in totals])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{table}\n\n{below}\n" if below else f"{table}\n"


def _escaped(text: str) -> str:
    """A text that Markdown takes for nothing else.

    >>> _escaped("a|b <i> *c*")
    'a\\\\|b \\\\<i> \\\\*c\\\\*'
    """
    return "".join(f"\\{one}" if one in "\\|*_`<[]~&#" else one for one in line(text))
