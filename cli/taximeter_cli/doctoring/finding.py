"""What a check finds: how grave it is, what was seen, and what to do."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Finding", "Level", "counted", "error", "note", "ok", "warning"]


class Level(enum.StrEnum):
    """How grave. A note is worth knowing, and nothing is wrong."""

    ok = "ok"
    note = "note"
    warning = "warning"
    error = "error"

    @property
    def rank(self) -> int:
        """The graver, the higher."""
        return list(Level).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """One of them. `facts` are its figures, for programs."""

    level: Level
    seen: str
    do: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def counted(count: int, name: str) -> str:
    """How many of something.

    >>> counted(1, "file"), counted(1200, "file")
    ('1 file', '1,200 files')
    """
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def ok(seen: str, **facts: Any) -> Finding:
    """As it should be."""
    return Finding(Level.ok, seen, facts=facts)


def note(seen: str, do: str = "", **facts: Any) -> Finding:
    """Worth knowing."""
    return Finding(Level.note, seen, do, facts)


def warning(seen: str, do: str, **facts: Any) -> Finding:
    """Something will go wrong, or could be better."""
    return Finding(Level.warning, seen, do, facts)


def error(seen: str, do: str, **facts: Any) -> Finding:
    """Something is wrong."""
    return Finding(Level.error, seen, do, facts)
