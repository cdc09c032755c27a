"""The lake as its readers see it: tables, and the files that each of them consists of right now."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path

from taximeter_queries.errors import NoLake, UnknownName
from taximeter_queries.window import Window

__all__ = ["TABLES", "Files", "Lake", "schema"]

TABLES = ("calls", "spans", "logs", "metrics", "content")
_DATE = re.compile(r"/date=(\d{4}-\d{2}-\d{2})/")


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a table that can have rows of what is asked for."""

    paths: tuple[str, ...]
    first: datetime | None = None
    last: datetime | None = None
    """From when to when they can have rows; None if there are none."""


class Lake:
    """A lake in a folder. Each question takes the list of files anew, and so sees one state of each table."""

    def __init__(self, folder: Path | str) -> None:
        """NoLake if there is none."""
        self.folder = Path(folder)
        if not (self.folder / "calls/_delta_log").is_dir():
            raise NoLake(
                f"there is no lake in {self.folder}: run `taximeter collect` and send something to it, or name another "
                "folder with --lake"
            )

    def files(self, table: str, *windows: Window) -> Files:
        """A table's files; those that can have rows of one of the windows, if there are any. UnknownName if there is no
        such table."""
        if table not in TABLES:
            raise UnknownName("table", table, TABLES)
        days = _by_day(self._uris(table))
        if windows:
            days = {day: paths for day, paths in days.items() if any(window.has_day(day) for window in windows)}
        if not days:
            return Files(())
        first, last = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (min(days), max(days)))
        return Files(tuple(path for paths in days.values() for path in paths), first, last + timedelta(days=1))

    def _uris(self, table: str) -> list[str]:
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        try:
            return DeltaTable(self.folder / table).file_uris()
        except TableNotFoundError:
            return []  # a lake of an older version, or one that is being made


def _by_day(uris: Iterable[str]) -> dict[date, list[str]]:
    days: dict[date, list[str]] = {}
    for uri in uris:
        found = _DATE.search(uri.replace("\\", "/"))
        assert found, uri
        days.setdefault(date.fromisoformat(found[1]), []).append(uri)
    # The newest first: a query for the latest rows finds them at once, and need not read the others.
    return dict(sorted(days.items(), reverse=True))


@cache
def schema() -> str:
    """The tables with all their columns, as SQL that makes them, empty."""
    return (files("taximeter_queries") / "sql/schema.sql").read_text("utf-8")
