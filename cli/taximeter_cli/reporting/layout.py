"""Which columns of a table are shown, and how wide: everything if there is room, and never half a number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from taximeter_queries.columns import Column, Unit

from taximeter_cli.reporting.words import folded, harmless, width

__all__ = ["GAP", "Content", "Layout", "laid_out", "titles"]

GAP = 2
_LEAST_TEXT = 8
_LITTLE_TEXT = 4
_MUCH_HEAD = 12
_LEAST_KEY = 14
_OF_ID = 9
_MUCH_TEXT = 40
_UNITS = ("_tokens_per_second", "_per_second", "_tokens", "_usd", "_ms")
_WORDS = {Unit.TOKENS: "tokens", Unit.USD: "cost", Unit.MS: "time", Unit.COUNT: "count", Unit.SHARE: "share"}


@dataclass(frozen=True, slots=True)
class Content:
    """A column as it might be shown."""

    column: Column
    cells: Sequence[str]
    rank: int = 0
    """How little a row is without it."""
    is_empty: bool = False
    """Whether it says nothing in any row."""

    @property
    def is_id(self) -> bool:
        """Whether a part of it does: it is there to be looked up, and not to be read."""
        return self.column.name.endswith("_id") and self.can_shrink

    @property
    def can_shrink(self) -> bool:
        """Whether its texts can be shortened."""
        return self.column.unit in (Unit.TEXT, Unit.NESTED) or bool(self.column.kind and self.column.unit is Unit.VALUE)


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns, how wide, and what is above them."""

    places: tuple[int, ...]
    widths: tuple[int, ...]
    heads: tuple[list[str], ...]


def titles(columns: Sequence[Column]) -> list[str]:
    """What stands above columns, each of them something else."""
    found = [_title(column) for column in columns]
    twice = {title for title in found if found.count(title) > 1}
    for at, column in enumerate(columns):
        word = _WORDS.get(column.unit, "")
        if found[at] in twice and word and not found[at].endswith(word):
            found[at] = f"{found[at]} {word}"
    return [columns[at].name if found.count(title) > 1 else title for at, title in enumerate(found)]


def _title(column: Column) -> str:
    if column.title or column.kind:
        return harmless(column.title or column.name)
    name = column.name
    if column.unit in (Unit.USD, Unit.MS, Unit.PER_SECOND, Unit.TOKENS):
        name = next((name.removesuffix(unit) for unit in _UNITS if name.endswith(unit)), name)
    return harmless(name if "." in name else name.replace("_", " "))


def laid_out(contents: Sequence[Content], room: int) -> Layout:
    """As much as fits into so many columns of a terminal. Details go first; then texts become shorter; then the columns
    on the right go."""
    places = list(range(len(contents)))
    natural = [max(map(width, one.cells), default=0) for one in contents]
    while True:
        columns = [contents[place] for place in places]
        widths = [natural[place] for place in places]
        heads = titles([one.column for one in columns])
        found = _fitted(columns, widths, heads, room, _least_text(columns))
        if found or len(places) == 1:
            widths = found or [room]
            return Layout(tuple(places), tuple(widths), tuple(map(folded, heads, widths)))
        places.remove(_least(contents, places))


def _least_text(columns: Sequence[Content]) -> int:
    """How much of a text is left before a column goes instead."""
    if any(one.column.detail for one in columns):
        return _MUCH_TEXT
    return 1 if len(columns) == 1 else _LITTLE_TEXT if all(one.rank for one in columns) else _LEAST_TEXT


def _least(contents: Sequence[Content], places: Sequence[int]) -> int:
    """What can best be done without."""

    def worth(place: int) -> tuple[int, bool, bool, int]:
        one = contents[place]
        return (one.rank, not one.column.detail, not one.is_empty, -place)

    return min(places, key=worth)


def _fitted(
    columns: Sequence[Content], widths: Sequence[int], heads: Sequence[str], room: int, least: int
) -> list[int] | None:
    """The columns' widths; None if there is too little room, with texts of `least` at least."""
    room -= GAP * (len(columns) - 1)
    one_line = [max(pair) for pair in zip(widths, map(width, heads), strict=True)]
    if sum(one_line) <= room:
        return one_line
    words = [max(map(width, head.split(" "))) for head in heads]
    narrow = [max(pair) for pair in zip(widths, words, strict=True)]
    floors = [
        min(one, _least_of(column, least, word)) if column.can_shrink else one
        for one, word, column in zip(narrow, words, columns, strict=True)
    ]
    if sum(floors) > room:
        return None
    ids = [min(one, max(_OF_ID, floor)) for one, floor in zip(narrow, floors, strict=True)]
    ids = [id_ if column.is_id else one for column, id_, one in zip(columns, ids, narrow, strict=True)]
    return _grown(_shrunk(_shrunk(narrow, ids, room), floors, room), one_line, room)


def _least_of(column: Content, least: int, word: int) -> int:
    """How much of a text there is at least. What the rows are grouped by is read first, and is worth a column more."""
    if least <= _LITTLE_TEXT:
        return least
    return max(least, _LEAST_KEY if column.rank else 0, min(word, _MUCH_HEAD))


def _shrunk(widths: Iterable[int], floors: Sequence[int], room: int) -> list[int]:
    """The widest gives way first, as far as there is anything to give."""
    shrunk = list(widths)
    while sum(shrunk) > room and any(one > floor for one, floor in zip(shrunk, floors, strict=True)):
        widest = max(range(len(shrunk)), key=lambda at: (shrunk[at] > floors[at], shrunk[at]))
        shrunk[widest] -= 1
    return shrunk


def _grown(widths: list[int], wanted: Sequence[int], room: int) -> list[int]:
    """What room is left lets heads stand in one line, from the left."""
    left = room - sum(widths)
    for at, want in enumerate(wanted):
        if widths[at] < want <= widths[at] + left:
            left -= want - widths[at]
            widths[at] = want
    return widths
