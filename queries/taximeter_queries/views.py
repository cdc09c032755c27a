"""The relations that reports read: tables of the lake, cut to a window and a condition, with dimensions as columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from taximeter_queries.dimensions import Dimension
from taximeter_queries.lake import Files
from taximeter_queries.text import literal, quoted
from taximeter_queries.window import Window

__all__ = ["calls_view", "table_view"]

# Behind a call is the one span or log record that has the same identity.
_IDENTITY = "journal_id, journal_position, journal_item"


def table_view(name: str, files: Files, window: Window) -> str:
    """SQL that makes a table of the lake a view of its own name."""
    return f"CREATE TEMP VIEW {name} AS SELECT * FROM {_scan(name, files)}{_where(_within(name, window))}"


def calls_view(files: Files, window: Window, dimensions: Sequence[Dimension], where: str | None) -> str:
    """The ledger, likewise. `where` is the user's own condition, on columns, tags and dimensions."""
    reported = any(one.reported for one in dimensions)
    source = _scan("calls", files) if not reported else f"({_with_attributes(files, window)})"
    added = [f"{one.expression} AS {quoted(one.name)}" for one in dimensions if one.expression != quoted(one.name)]
    inner = f"SELECT {', '.join(['*', *added])} FROM {source}{_where(_within('calls', window))}"
    condition = f" WHERE (\n{where}\n)" if where else ""
    return f"CREATE TEMP VIEW calls AS SELECT * FROM ({inner}){condition}"


def _with_attributes(files: Files, window: Window) -> str:
    """Calls with `attributes` and `resource_attributes` of what reported them; reads much more."""
    columns = f"{_IDENTITY}, attributes, resource_attributes"
    return (
        f"SELECT calls.*, reported.attributes, reported.resource_attributes FROM {_scan('calls', files)} AS calls "
        f"LEFT JOIN (SELECT {columns} FROM spans UNION ALL SELECT {columns} FROM logs) AS reported "
        f"USING ({_IDENTITY})"
    )


def _scan(name: str, files: Files) -> str:
    if not files.paths:
        return f"empty.{name}"
    paths = ", ".join(literal(path) for path in files.paths)
    return f"read_parquet([{paths}], hive_partitioning = true, union_by_name = true)"


def _within(name: str, window: Window) -> Iterable[str]:
    """Conditions on the table's own time."""
    time = "start_unix_nano" if name in ("calls", "spans") else "time_unix_nano"
    if window.start_unix_nano is not None:
        yield f"{time} >= {window.start_unix_nano}"
    if window.end_unix_nano is not None:
        yield f"{time} < {window.end_unix_nano}"


def _where(conditions: Iterable[str]) -> str:
    joined = " AND ".join(conditions)
    return f" WHERE {joined}" if joined else ""
