"""A report: a question with a name, the SQL that answers it, and what its columns mean.

The SQL is a file of its own, `sql/<name>.sql`, that runs as it is on tables `calls`, `spans`, ... Where something can
be asked otherwise, the file has a place for it, around what it says by itself:

    SELECT /*by*/ model /*.*/, sum(cost_usd) AS cost_usd FROM calls GROUP BY /*by*/ model /*.*/

`by` and `group` are what it is grouped by; with a row for the total, `group` has grouping sets, and `by` says which row
that is. `dimensions` are the same columns without any of that, for a query inside the query. Where two queries inside
it, `used` and `seen`, are grouped alike and joined: `told` are these columns of the first, `same` is the condition.

It says nothing of windows, time zones and filters: what it reads are views that have them already. It has no order
either; the rows are put in order by whoever asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from taximeter_queries.columns import Column
from taximeter_queries.errors import UnknownName

if TYPE_CHECKING:
    from taximeter_queries.answer import Answer
    from taximeter_queries.sides import Side
    from taximeter_queries.window import Window

__all__ = ["NAMES", "Report", "filled", "report", "sql_of"]

# In the order in which people need them; each has a module of its name in `reports/` and a file in `sql/`.
NAMES = (
    "cost",
    "tokens",
    "latency",
    "errors",
    "top",
    "models",
    "services",
    "users",
    "conversations",
    "conversation",
    "sessions",
    "traces",
    "trace",
    "calls",
    "compare",
    "coverage",
)
_PLACE = re.compile(r"/\*(\w+)\*/.*?/\*\.\*/", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A question that can be asked of a lake."""

    name: str
    sentence: str
    """What it tells, for those who look for a report."""
    columns: tuple[Column, ...]
    """What it tells, after what it is grouped by."""
    by: tuple[str, ...] = ()
    """What it is grouped by, if nobody says otherwise. Of one that cannot be grouped: nothing."""
    can_group: bool = True
    sort: tuple[str, ...] = ()
    """Columns that its rows are ordered by, the first first; with `-` before it, the largest first."""
    reads: tuple[str, ...] = ("calls",)
    """Tables that it reads."""
    asks: Mapping[str, str] | None = None
    """What must be told besides, by name, with a sentence each: the id of a trace, ..."""
    outcomes: tuple[str, ...] = ()
    """Dimensions that tell how a call went. The place `/*whole*/` has those that it is grouped by without these: what a
    share of errors is a share of."""
    totals: bool = False
    """Whether there is a row for everything together."""
    finish: Callable[[Answer], Answer] | None = None
    """What is done with the rows that SQL cannot do in every engine. Then SQL may tell other columns."""
    whole: bool = False
    """Whether `finish` needs all rows, so that order and limit come after it."""
    first: tuple[str, ...] = ()
    """Columns that are known at the place `/*most*/`: by these, rows can be cut before more is looked up for them."""
    alone: bool = False
    """Whether a group is told by its own calls alone. Then, by trace, only the rows that are shown are told in full."""
    facts: Mapping[str, str] | None = None
    """What it can be grouped by besides times, and which of its own columns these are, if it is not of calls alone."""
    resolve: Callable[[Mapping[str, str], Callable[[str], list[tuple[Any, ...]]]], Mapping[str, str]] | None = None
    """From what somebody asked for to what the lake calls it, with the rows of a query where it has to look."""
    sides: Callable[[Mapping[str, str], Window], Sequence[Side]] | None = None
    """What is compared: then `calls` are those of each side, with a column `side`."""


def report(name: str) -> Report:
    """A report by its name. UnknownName if there is none."""
    if name not in NAMES:
        raise UnknownName("report", name, NAMES)
    found = import_module(f"taximeter_queries.reports.{name}").REPORT
    assert isinstance(found, Report)
    return found


@cache
def sql_of(name: str) -> str:
    """The SQL of a report, as its file has it."""
    return (files("taximeter_queries") / f"sql/{name}.sql").read_text("utf-8")


def filled(sql: str, places: Mapping[str, str]) -> str:
    """SQL with something else in some of its places; the others keep what the file says.

    >>> filled("SELECT /*by*/ model /*.*/ FROM calls LIMIT /*most*/ 7 /*.*/", {"by": "provider"})
    'SELECT provider FROM calls LIMIT /*most*/ 7 /*.*/'
    """
    return _PLACE.sub(lambda found: places.get(found[1], found[0]), sql)
