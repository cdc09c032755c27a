"""The relations that reports read: tables of the lake, cut to a window and a condition, with dimensions as columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from taximeter_queries.dimensions import Dimension
from taximeter_queries.lake import Files
from taximeter_queries.report import filled, sql_of
from taximeter_queries.text import literal, quoted
from taximeter_queries.window import Window

__all__ = ["MADE", "attempts_rows", "calls_rows", "files_of", "sided", "table_rows", "view", "within"]

# Behind a call is the one span or log record that has the same identity.
_IDENTITY = "journal_id, journal_position, journal_item"
_ATTRIBUTES = ["attributes", "resource_attributes"]


def view(name: str, rows: str) -> str:
    """SQL that makes rows a view of this name."""
    return f"CREATE OR REPLACE TEMP VIEW {name} AS {rows}"


def table_rows(name: str, source: str, window: Window) -> str:
    """SQL for a table of the lake, from `source`, cut to a window."""
    return f"SELECT * FROM {source}{_where(within(name, window))}"


def calls_rows(source: str, window: Window, dimensions: Sequence[Dimension], where: str | None, reported: bool) -> str:
    """SQL for the ledger, likewise. `where` is the user's own condition, on columns, tags and dimensions.

    With `reported` it has `attributes` and `resource_attributes` of what reported the call, and reads much more.
    """
    source = f"({_with_attributes(source, dimensions)})" if reported else source
    added = _as_columns(one for one in dimensions if not one.reported)
    inner = f"SELECT {', '.join(['*', *added])} FROM {source}{_where(within('calls', window))}"
    return f"SELECT * FROM ({inner}) WHERE (\n{where}\n)" if where else inner


def _with_attributes(source: str, dimensions: Sequence[Dimension]) -> str:
    """A dimension is taken out of the attributes before the join, which has little to carry then: 13 seconds of CPU
    instead of 22 for 10 million calls (`python bench/reports.py 10 --only cost`)."""
    told = [one for one in dimensions if one.reported]
    columns = ", ".join([_IDENTITY, *_ATTRIBUTES, *_as_columns(told)])
    taken = ", ".join(f"reported.{name}" for name in (*_ATTRIBUTES, *(quoted(one.name) for one in told)))
    return (
        f"SELECT calls.*, {taken} FROM {source} AS calls "
        f"LEFT JOIN (SELECT {columns} FROM spans UNION ALL SELECT {columns} FROM logs) AS reported "
        f"USING ({_IDENTITY})"
    )


def _as_columns(dimensions: Iterable[Dimension]) -> list[str]:
    return [f"{one.expression} AS {quoted(one.name)}" for one in dimensions if one.expression != quoted(one.name)]


def sided(rows: str, sides: Sequence[tuple[str, str]]) -> str:
    """Rows with a column `side`, of two sides, each with its condition. A call that is on both is there twice.

    What is on either side is read once, and again only what is on both."""
    (first, on_first), (second, on_second) = sides
    side = f"CASE WHEN {on_first} THEN {literal(first)} ELSE {literal(second)} END"
    return (
        f"SELECT *, {side} AS side FROM ({rows}) WHERE ({on_first}) OR ({on_second})\n"
        f"UNION ALL\nSELECT *, {literal(second)} AS side FROM ({rows}) WHERE ({on_first}) AND ({on_second})"
    )


def failures_rows(sides: Sequence[str] = (), source: str = "calls") -> str:
    """SQL for the calls that failed and cost nothing, each once; of each side by itself."""
    return filled(sql_of("failures"), {"calls": source} | ({"side": "side, "} if sides else {}))


def attempts_rows(sides: Sequence[str] = (), source: str = "calls") -> str:
    """SQL for the calls that count and, each once, those that failed; of each side by itself."""
    failures = f"(\n{failures_rows(sides, source)}\n) AS failures"
    return filled(sql_of("attempts"), {"calls": source, "failures": failures})


# What is made of the calls of a report that reads it.
MADE = {"failures": failures_rows, "attempts": attempts_rows}


def files_of(name: str, files: Files) -> str:
    """A table's files, as SQL reads them."""
    if not files.paths:
        return f"empty.{name}"
    paths = ", ".join(literal(path) for path in files.paths)
    return f"read_parquet([{paths}], hive_partitioning = true, union_by_name = true)"


def within(name: str, window: Window) -> Iterable[str]:
    """Conditions on the table's own time."""
    time = "start_unix_nano" if name in ("calls", "spans") else "time_unix_nano"
    if window.start_unix_nano is not None:
        yield f"{time} >= {window.start_unix_nano}"
    if window.end_unix_nano is not None:
        yield f"{time} < {window.end_unix_nano}"


def _where(conditions: Iterable[str]) -> str:
    joined = " AND ".join(conditions)
    return f" WHERE {joined}" if joined else ""
