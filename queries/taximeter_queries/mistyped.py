"""Values that nothing in the lake has: what was probably meant by them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from taximeter_queries.asking import ask
from taximeter_queries.dimensions import TIMES
from taximeter_queries.engine import Limits
from taximeter_queries.errors import meant
from taximeter_queries.lake import Lake
from taximeter_queries.text import as_json, as_text
from taximeter_queries.window import Window

__all__ = ["Mistyped", "mistyped", "views"]

# Nobody mistypes these by a letter: times are no names, and ids are pasted.
_NO_NAMES = (*TIMES, "date", "trace", "trace_id", "span_id", "response_id", "journal_id")
_MOST_VALUES = 5000
_MOST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Mistyped:
    """A value of a dimension that no call has, and what is near."""

    name: str
    value: str
    suggestions: tuple[str, ...]
    """What was probably meant, the likeliest first."""
    known: tuple[str, ...]
    """What there is instead, the most frequent first; not all of it."""
    elsewhere: bool = False
    """Whether calls outside of the window have it."""


def mistyped(
    lake: Lake, equalities: Iterable[tuple[str, str, str]], window: Window, limits: Limits | None = None
) -> Iterator[Mistyped]:
    """Which of the values that calls have to have, said as `NAME=VALUE`, none has. Each is looked for in the ledger."""
    for name, sign, value in equalities:
        if sign != "=" or name in _NO_NAMES or value.lower() in ("", "null"):
            continue
        known = _values(lake, name, window, limits)
        if value not in known:
            always = Window(timezone=window.timezone)
            elsewhere = window != always and value in _values(lake, name, always, limits)
            yield Mistyped(name, value, tuple(meant(value, known)), tuple(known[:_MOST_SHOWN]), elsewhere)


def views(
    lake: Lake, window: Window, where: str | Sequence[str] | None = None, limits: Limits | None = None
) -> tuple[int, int]:
    """How many tellings of calls there are, and how many calls that count."""
    found = ask(lake, "coverage", by=["total"], window=window, where=where, limits=limits).records()
    return (found[0]["views"], found[0]["calls"]) if found else (0, 0)


def _values(lake: Lake, name: str, window: Window, limits: Limits | None) -> list[str]:
    rows = ask(lake, "coverage", by=[name], window=window, limit=_MOST_VALUES, limits=limits).rows
    values = [row[0] for row in rows if row[0] is not None]
    return [as_json(one) if isinstance(one, bool) else as_text(one) for one in values]
