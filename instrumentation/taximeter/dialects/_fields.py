"""Careful readers of JSON that somebody else wrote: the value if it is of the kind, else None or empty."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["arguments", "integer", "items", "number", "obj", "strings", "text", "total"]


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
