"""The column that a report is about: what a chart of it draws, and what a table keeps to the last."""

from __future__ import annotations

from taximeter_queries.answer import Answer
from taximeter_queries.columns import Column, Unit
from taximeter_queries.errors import UnknownName

__all__ = ["MAIN", "measure", "measures"]

MAIN = {
    "cost": "cost_usd",
    "tokens": "input_tokens",
    "latency": "p50_duration_ms",
    "errors": "errors",
    "top": "cost_usd",
    "models": "cost_usd",
    "services": "cost_usd",
    "users": "cost_usd",
    "conversations": "cost_usd",
    "conversation": "cost_usd",
    "sessions": "cost_usd",
    "traces": "cost_usd",
    "trace": "duration_ms",
    "calls": "cost_usd",
    "compare": "change_share",
    "coverage": "calls",
}
_NUMBERS = frozenset({Unit.COUNT, Unit.TOKENS, Unit.USD, Unit.MS, Unit.PER_SECOND, Unit.SHARE, Unit.VALUE})


def measures(answer: Answer) -> list[Column]:
    """The columns that are numbers, and not what the rows are grouped by."""
    return [column for column in answer.columns[answer.grouped_by :] if column.unit in _NUMBERS]


def measure(answer: Answer, name: str | None = None) -> int | None:
    """The place of the column of this name, or else of the report's main one; None if nothing in it is a number.

    UnknownName if there is no such column of numbers.
    """
    known = [column.name for column in measures(answer)]
    if name is not None and name not in known:
        raise UnknownName("column to draw", name, known)
    wanted = name or MAIN.get(answer.report)
    found = wanted if wanted in known else known[0] if known else None
    return None if found is None else answer.names.index(found)
