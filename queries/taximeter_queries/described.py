"""What can be asked of: the lake's tables and their columns, and what calls can be grouped by, each in a sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from taximeter_queries.answer import Answer
from taximeter_queries.columns import Column, Unit
from taximeter_queries.dimensions import ALIASES, DIMENSIONS
from taximeter_queries.errors import UnknownName
from taximeter_queries.lake import schema
from taximeter_queries.window import Window

__all__ = ["DIMENSIONS_TABLE", "TableDescription", "described", "dimensions", "tables"]

DIMENSIONS_TABLE = "dimensions"

_TABLE = re.compile(
    r"^-- (?P<sentence>[^\n]+)\nCREATE TABLE (?P<name>\w+) \(\n(?P<columns>.*?)\n\);", re.DOTALL | re.MULTILINE
)
_COLUMN = re.compile(r"^    (?P<name>\w+) (?P<type>.+?)(?P<never_null> NOT NULL)?,? -- (?P<sentence>.+)$", re.MULTILINE)
_SENTENCES = {
    "hour": "The hour in which it began.",
    "day": "The day on which it began, in the time zone of the report.",
    "week": "The Monday of its week, likewise.",
    "month": "The first day of its month, likewise.",
    "total": "Nothing: one row for all.",
    "tag.NAME": "A tag, such as tag.team: `taximeter.tag.*`, and what other dialects have for it.",
    "attribute.KEY": "An attribute of the span or log record behind the call; reads much more.",
    "resource.KEY": "An attribute of its resource, likewise.",
}


@dataclass(frozen=True, slots=True)
class TableDescription:
    """A table of the lake."""

    name: str
    sentence: str
    columns: tuple[tuple[str, str, bool, str], ...]
    """Name, type, whether it can be NULL, and what it is."""


@cache
def tables() -> dict[str, TableDescription]:
    """The lake's tables, as `sql/schema.sql` has them."""
    return {
        found["name"]: TableDescription(
            found["name"],
            found["sentence"],
            tuple(
                (column["name"], column["type"], not column["never_null"], column["sentence"])
                for column in _COLUMN.finditer(found["columns"])
            ),
        )
        for found in _TABLE.finditer(schema())
    }


def dimensions() -> dict[str, str]:
    """What calls can be grouped by, and what each is."""
    columns = {name: sentence for name, _, _, sentence in tables()["calls"].columns}
    known = {name: _SENTENCES.get(name) or _of_alias(name) or columns[name] for name in DIMENSIONS}
    return known | {name: sentence for name, sentence in _SENTENCES.items() if "." in name}


def described(name: str | None = None, tags: Mapping[str, int] | None = None) -> Answer:
    """All tables; or the columns of one; or the dimensions, with a lake's own tags and how many calls have each.

    UnknownName if there is no such table.
    """
    if name is None:
        return _answer(
            {"table": "The table.", "columns": "How many columns it has.", "sentence": "What its rows are."},
            [(table.name, len(table.columns), table.sentence) for table in tables().values()],
        )
    if name == DIMENSIONS_TABLE:
        known: list[tuple[object, ...]] = [*dimensions().items(), *(_of_tag(*one) for one in (tags or {}).items())]
        return _answer({"dimension": "Its name, for `by`.", "sentence": "What it is."}, known)
    if name not in tables():
        raise UnknownName("table", name, [*tables(), DIMENSIONS_TABLE])
    return _answer(
        {
            "column": "The column.",
            "type": "Its type.",
            "nullable": "Whether it can be NULL: not known.",
            "sentence": "What it is.",
        },
        list(tables()[name].columns),
    )


def _of_tag(name: str, calls: int) -> tuple[str, str]:
    return f"tag.{name}", f"A tag of {calls:,} call{'s'[: calls != 1]} in this lake."


def _of_alias(name: str) -> str | None:
    return f"Short for {ALIASES[name]}." if name in ALIASES else None


def _answer(columns: dict[str, str], rows: list[tuple[object, ...]]) -> Answer:
    units = {"columns": Unit.COUNT, "nullable": Unit.FLAG}
    told = tuple(Column(name, units.get(name, Unit.TEXT), sentence) for name, sentence in columns.items())
    return Answer("schema", told, list(rows), Window(), "")
