"""What calls are cut to: conditions in SQL, and the short form that people type first."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from taximeter_queries.clause import clause
from taximeter_queries.columns import Unit
from taximeter_queries.dimensions import ALIASES, DIMENSIONS, PREFIXES, TIMES, TOTAL, Dimension
from taximeter_queries.errors import BadFilter
from taximeter_queries.text import literal

__all__ = ["Condition", "compared", "condition", "equality"]

# An apostrophe is part of a value where it can be no quote of SQL: alone, and between letters.
_SHORT = re.compile(r"\s*([A-Za-z_][\w./\-]*)\s*(!?=|==)\s*([^'\"()<>=]*?(?:\w'\w[^'\"()<>=]*?)?)\s*")
# `model=request_model` compares the two; `status=error` does not, though `error` is short for a column.
_COLUMNS = set(DIMENSIONS) - {*ALIASES, *TIMES, TOTAL}
_WORDS_OF_SQL = re.compile(r"\b(and|or|not|is|in|like|between|case)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition in SQL."""

    sql: str
    reported: bool = False
    """Whether attributes of what reported the call are needed for it."""


def condition(where: str | Sequence[str] | None, dimension: Callable[[str], Dimension]) -> Condition | None:
    """A condition as people say it: SQL, or `NAME=VALUE` and `NAME!=VALUE` with any dimension and without quotes.
    Of several all have to hold. BadFilter if something is not one condition.

    >>> from zoneinfo import ZoneInfo
    >>> from taximeter_queries.dimensions import dimension
    >>> def said(*where: str) -> None:
    ...     found = condition(where, lambda name: dimension(name, ZoneInfo("UTC"), None))
    ...     print(found and found.sql)
    >>> said("model=gpt-5")
    "model" = 'gpt-5'
    >>> said("tag.team!=search")
    tags['team'] IS DISTINCT FROM 'search'
    >>> said("user=null")
    "user_id" IS NULL
    >>> said("user=o'brien")
    "user_id" = 'o''brien'
    >>> said("cost_usd > 0.01 AND stream")
    cost_usd > 0.01 AND stream
    >>> said("tag.team = 'search' AND stream")
    tags['team'] = 'search' AND stream
    >>> said("service=api", "stream")
    ("service_name" = 'api') AND (stream)
    """
    given = [where] if isinstance(where, str) else where or ()
    read = [_read(text, dimension) for text in given if text.strip()]
    if len(read) < 2:
        return read[0] if read else None
    return Condition(" AND ".join(f"({one.sql})" for one in read), any(one.reported for one in read))


def equality(text: str) -> tuple[str, str, str] | None:
    """Name, `=` or `!=`, and value, if it is as short as that; None if it is SQL.

    >>> equality("tag.team != search"), equality("cost_usd > 0.01")
    (('tag.team', '!=', 'search'), None)
    """
    found = _SHORT.fullmatch(text)
    if not found or not _is_dimension(found[1]) or found[3] in _COLUMNS or _WORDS_OF_SQL.search(found[3]):
        return None
    return found[1], found[2].replace("==", "="), found[3]


def _read(text: str, dimension: Callable[[str], Dimension]) -> Condition:
    if said := equality(text):
        name, sign, value = said
        return compared(dimension(name), sign, value)
    return Condition(*clause(text, dimension))


def compared(asked: Dimension, sign: str, value: str) -> Condition:
    """NAME=VALUE or NAME!=VALUE, as SQL; `null` and nothing are what nobody told. BadFilter if none is like that."""
    if value.lower() in ("null", ""):
        return Condition(f"{asked.expression} IS {'NOT ' if sign == '!=' else ''}NULL", asked.reported)
    read, expected = _READERS.get(asked.name) or _READERS.get(asked.unit.value) or (str, "")
    try:
        read(value)
    except ValueError as error:
        raise BadFilter(f"{asked.name}{sign}{value}: expected {expected}") from error
    compares = "=" if sign == "=" else "IS DISTINCT FROM"
    return Condition(f"{asked.expression} {compares} {literal(value)}", asked.reported)


def _flag(value: str) -> None:
    if value.lower() not in ("true", "false"):
        raise ValueError(value)


_DAY = (date.fromisoformat, "a date such as 2026-11-20")
# By the name or the unit of a dimension, of those that are no texts.
_READERS: dict[str, tuple[Callable[[str], object], str]] = {
    "attempt": (int, "a whole number: 1 for the first retry"),
    "date": _DAY,
    Unit.DAY.value: _DAY,
    Unit.TIME.value: (datetime.fromisoformat, "a time such as 2026-11-20T12:00"),
    Unit.FLAG.value: (_flag, "true or false"),
}


def _is_dimension(name: str) -> bool:
    return name in DIMENSIONS or name.startswith(tuple(PREFIXES))
