"""What the columns of an answer mean, so that whoever shows them knows how."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["Column", "Unit"]


class Unit(Enum):
    """What a number is a number of."""

    TEXT = "text"
    COUNT = "count"
    TOKENS = "tokens"
    USD = "usd"
    MS = "ms"
    PER_SECOND = "per_second"
    SHARE = "share"  # 0 to 1
    TIME = "time"  # a moment, with its time zone
    DAY = "day"
    FLAG = "flag"
    VALUE = "value"  # any other number
    NESTED = "nested"  # maps, lists


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an answer: its name, as machines get it, and what is in it."""

    name: str
    unit: Unit
    sentence: str = ""
    title: str = ""
    """As a table shows it, if not the name without its unit."""
    detail: bool = False
    """Left out of a table that is too narrow for everything; machines always get it."""
    kind: str = ""
    """Its type as the engine calls it, where nothing else is known of it."""
