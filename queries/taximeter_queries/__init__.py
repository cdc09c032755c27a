"""Answers over the lake: what it cost, why, and what was slow.

>>> from taximeter_queries import Window
>>> str(Window.of(since="2026-11-01", until="2026-11-30", timezone="UTC"))
'2026-11-01 00:00 to 2026-12-01 00:00, UTC'

    from taximeter_queries import Lake, Window, ask

    answer = ask(Lake("lake"), "cost", by=["model", "day"], window=Window.of(last="7d"))
    answer.records()    # a dict for each row
    answer.table()      # an Arrow table
"""

from typing import TYPE_CHECKING, Any

from taximeter_queries.answer import Answer, Coverage, Unpriced
from taximeter_queries.columns import Column, Unit
from taximeter_queries.errors import (
    BadFilter,
    BadQuery,
    BadWindow,
    NoLake,
    NotAllowed,
    NotFound,
    QueryError,
    TooMuch,
    UnknownName,
)
from taximeter_queries.lake import Lake
from taximeter_queries.report import NAMES, Report, report
from taximeter_queries.window import Window

if TYPE_CHECKING:
    from taximeter_queries.asking import ask, ask_sql
    from taximeter_queries.engine import Limits

__all__ = [
    "NAMES",
    "Answer",
    "BadFilter",
    "BadQuery",
    "BadWindow",
    "Column",
    "Coverage",
    "Lake",
    "Limits",
    "NoLake",
    "NotAllowed",
    "NotFound",
    "QueryError",
    "Report",
    "TooMuch",
    "Unit",
    "UnknownName",
    "Unpriced",
    "Window",
    "ask",
    "ask_sql",
    "report",
]


def __getattr__(name: str) -> Any:
    """What needs the engine is imported with it: it takes longer than all the rest, and a help text does without."""
    if name in ("ask", "ask_sql"):
        from taximeter_queries import asking

        return getattr(asking, name)
    if name == "Limits":
        from taximeter_queries.engine import Limits

        return Limits
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
