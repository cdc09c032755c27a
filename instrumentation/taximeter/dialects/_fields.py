"""Careful readers of JSON that somebody else wrote: the value if it is of the kind, else None or empty."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = [
    "Table",
    "arguments",
    "assign",
    "integer",
    "items",
    "more_than_one",
    "number",
    "obj",
    "strings",
    "text",
    "total",
]


def integer(value: object) -> int | None:
    """A count. Some APIs write theirs as 3.0, some as "3"; a bool is no count."""
    if type(value) is int:
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return None


def number(value: object) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def text(value: object) -> str | None:
    """A string that says something."""
    return value if isinstance(value, str) and value else None


def obj(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def items(value: object) -> Iterator[dict[str, Any]]:
    """The objects in a list."""
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def strings(value: object) -> list[str] | None:
    """One string or a list of them, as a list."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [item for item in value if isinstance(item, str)] or None
    return None


# A field of theirs: the field of ours, and how to read it.
Table = Mapping[str, tuple[str, Callable[[object], Any]]]


def assign(target: object, source: Mapping[str, Any], table: Table) -> None:
    """Read the fields that are there. It costs what the source has, not what the table knows."""
    for name, value in source.items():
        entry = table.get(name)
        if entry is not None and (read := entry[1](value)) is not None:
            setattr(target, entry[0], read)


def more_than_one(value: object) -> int | None:
    """How many answers were asked for, if not the one that everybody gets."""
    count = integer(value)
    return count if count != 1 else None


def total(*counts: int | None) -> int | None:
    """The sum of the counts that were given; None if none was."""
    given = [count for count in counts if count is not None]
    return sum(given) if given else None


def arguments(value: object) -> Any:
    """Tool arguments: APIs that send them as a string of JSON are read."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
