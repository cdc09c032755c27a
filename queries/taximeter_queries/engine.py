"""DuckDB, locked in: it reads the files it was given, and nothing else on the machine or the network."""

from __future__ import annotations

import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self
from zoneinfo import ZoneInfo

import duckdb

from taximeter_queries.errors import BadQuery, NotAllowed, QueryError, TooMuch
from taximeter_queries.lake import schema
from taximeter_queries.text import literal, quoted

__all__ = ["Engine", "Limits", "Progress", "Table"]

Progress = Callable[[float], None]
"""Called now and then with how much is done, from 0 to 1; below 0 when nobody knows."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TELL_EVERY_S = 0.1
_MOMENT = "TIMESTAMP WITH TIME ZONE"
_OUTSIDE = re.compile(r"Permission Error|disabled by configuration|file system operations are disabled", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a query may take. None is no limit."""

    time_s: float | None = None
    memory: str = "2GiB"
    rows: int | None = None
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """What a query gives."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    cut: bool = False
    """Whether there are more rows than were allowed."""


class Engine:
    """A connection of its own, over `paths`. Days and hours of what it answers are those of `timezone`."""

    def __init__(self, paths: Iterable[str], timezone: ZoneInfo, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._timezone = timezone
        self._spill = tempfile.TemporaryDirectory(prefix="taximeter-", ignore_cleanup_errors=True)
        self._connection = duckdb.connect(config=self._config())
        self._execute("CREATE SCHEMA empty; USE empty;" + schema() + "USE main;")
        self._execute(f"SET TimeZone = {literal(timezone.key)}")
        self._lock_in(paths)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give memory and files back."""
        self._connection.close()
        self._spill.cleanup()

    def define(self, view: str) -> None:
        """Run SQL that makes a view, and does nothing else, whatever somebody's condition in it says."""
        try:
            if len(duckdb.extract_statements(view)) != 1:
                raise NotAllowed("expected one condition, got several statements")
            self._execute(view)
        except duckdb.Error as error:
            raise _mistake(error) from error

    def check(self, sql: str) -> None:
        """Whether this is one query that only reads. NotAllowed or BadQuery if not."""
        try:
            statements = duckdb.extract_statements(sql)
        except duckdb.Error as error:
            raise BadQuery(_sentence(error)) from error
        if len(statements) != 1:
            raise NotAllowed(f"expected one query, got {len(statements)}")
        if statements[0].type != duckdb.StatementType.SELECT:
            raise NotAllowed("only queries that read: SELECT, WITH, FROM, DESCRIBE, SUMMARIZE, SHOW")

    def run(self, sql: str, progress: Progress | None = None) -> Table:
        """All rows of one query, or as many as the limits allow. Ctrl-C ends it."""
        watched = _Watched(self._connection, lambda: self._fetch(sql))
        try:
            return watched.result(self._limits.time_s, progress)
        except duckdb.InterruptException as error:
            raise TooMuch(f"the query took longer than {self._limits.time_s:g} s and was ended") from error
        except duckdb.OutOfMemoryException as error:
            raise TooMuch(f"the query needs more memory than {self._limits.memory}") from error
        except duckdb.Error as error:
            raise _mistake(error) from error

    def explain(self, sql: str) -> str:
        """How a query would be run."""
        return str(self._execute(f"EXPLAIN {sql}").fetchall()[0][1])

    def _execute(self, sql: str) -> duckdb.DuckDBPyConnection:
        """A statement that takes no time, in the thread that asks. Of Ctrl-C the engine says only this."""
        try:
            return self._connection.execute(sql)
        except RuntimeError as error:
            if str(error) == "Query interrupted":
                raise KeyboardInterrupt from error
            raise

    def _fetch(self, sql: str) -> Table:
        described = self._connection.execute(f"SELECT * FROM (\n{sql}\n) LIMIT 0").description
        names = tuple(str(column[0]) for column in described)
        types = tuple(str(column[1]) for column in described)
        self._connection.execute(_without_moments(sql, names, types))
        most = self._limits.rows
        rows = self._connection.fetchall() if most is None else self._connection.fetchmany(most + 1)
        cut = most is not None and len(rows) > most
        return Table(names, types, self._moments(rows[:most], types), cut)

    def _moments(self, rows: list[tuple[Any, ...]], types: Sequence[str]) -> list[tuple[Any, ...]]:
        moments = {place for place, kind in enumerate(types) if kind == _MOMENT}
        if not moments:
            return rows
        return [
            tuple(self._moment(value) if place in moments else value for place, value in enumerate(row)) for row in rows
        ]

    def _moment(self, microseconds: int | None) -> datetime | None:
        if microseconds is None:
            return None
        return (_EPOCH + timedelta(microseconds=microseconds)).astimezone(self._timezone)

    def _config(self) -> dict[str, str | bool | int | float | list[str]]:
        config: dict[str, str | bool | int | float | list[str]] = {
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "memory_limit": self._limits.memory,
            "temp_directory": self._spill.name,
            # The newest 100 of 10 million calls, with all columns: 0.6 s of CPU; with the usual limit of 50, 5.8 s.
            "late_materialization_max_rows": 10_000,
            # So many ids are looked for in the files' own indexes. The dearest 50 of 3.3 million traces: 2.7 s of CPU;
            # with the usual limit of 50, which one more row than is shown is beyond, 4.4 s.
            "dynamic_or_filter_threshold": 256,
        }
        if self._limits.threads:
            config["threads"] = self._limits.threads
        return config

    def _lock_in(self, paths: Iterable[str]) -> None:
        allowed = ", ".join(literal(path) for path in paths)
        self._execute(f"SET allowed_paths = [{allowed}]")
        self._execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
        # A query is bound several times, and each time looks at the end of every file.
        self._execute("SET parquet_metadata_cache = true")
        self._execute("SET enable_external_access = false; SET lock_configuration = true")


class _Watched:
    """A query in a thread of its own. Who waits for it tells how far it is, and ends it when its time is over.

    In the waiting thread itself, the engine would look for Ctrl-C only as long as nobody asks it how far it is.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, fetch: Callable[[], Table]) -> None:
        self._connection = connection
        self._fetch = fetch
        self._table: Table | None = None
        self._error: BaseException | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def result(self, time_s: float | None, progress: Progress | None) -> Table:
        """What it gives, or the error that it ends with: InterruptException if its time was over."""
        self._thread.start()
        try:
            self._wait(time_s, progress)
        except BaseException:
            self._interrupt()
            raise
        if self._error:
            raise self._error
        if self._table is None:
            raise MemoryError("not even a thread had room")
        return self._table

    def _run(self) -> None:
        try:
            self._table = self._fetch()
        except BaseException as error:
            self._error = error
        finally:
            self._done.set()

    def _wait(self, time_s: float | None, progress: Progress | None) -> None:
        ends = None if time_s is None else time.monotonic() + time_s
        while not self._is_done():
            if progress:
                progress(self._connection.query_progress() / 100)
            if ends is not None and time.monotonic() >= ends:
                self._interrupt()
                return

    def _interrupt(self) -> None:
        """As often as it takes: between two of its statements, nothing is there to be interrupted."""
        while not self._is_done():
            self._connection.interrupt()

    def _is_done(self) -> bool:
        """Whether it is, after a moment in which it may be; also if its thread had no room to begin."""
        return self._done.wait(_TELL_EVERY_S) or not self._thread.is_alive()


def _without_moments(sql: str, names: Sequence[str], types: Sequence[str]) -> str:
    """Moments as numbers: the engine's own way to make datetimes of them needs a package for time zones."""
    if not any(_MOMENT in kind for kind in types):
        return sql
    columns = (f"{_moment_free(quoted(name), kind)} AS {quoted(name)}" for name, kind in zip(names, types, strict=True))
    return f"SELECT {', '.join(columns)} FROM (\n{sql}\n)"


def _moment_free(name: str, kind: str) -> str:
    if kind == _MOMENT:
        return f"epoch_us({name})"
    return f"CAST({name} AS VARCHAR)" if _MOMENT in kind else name


def _mistake(error: duckdb.Error) -> QueryError:
    if _OUTSIDE.search(str(error)):
        return NotAllowed("only the lake's tables can be read: no files, no network, no settings")
    return BadQuery(_sentence(error))


def _sentence(error: duckdb.Error) -> str:
    """The engine's message without what follows it, in one line."""
    message = str(error).split("\n\nLINE")[0]
    return " ".join(message.split())
