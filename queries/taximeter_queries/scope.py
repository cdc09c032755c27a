"""What a question is about: the tables that are read, cut to a window and conditions, and what it is grouped by."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence

from taximeter_queries.conditions import condition
from taximeter_queries.dimensions import ALIASES, TIMES, TOTAL, Dimension, dimension
from taximeter_queries.engine import Engine
from taximeter_queries.errors import BadFilter, QueryError, UnknownName
from taximeter_queries.lake import TABLES, Files, Lake
from taximeter_queries.report import Report
from taximeter_queries.sides import Side, spanning
from taximeter_queries.text import literal, quoted
from taximeter_queries.views import MADE, calls_rows, files_of, sided, table_rows, view, within
from taximeter_queries.window import Window

__all__ = ["Scope"]


class Scope:
    """What is read, and what it is grouped by."""

    def __init__(
        self,
        lake: Lake,
        question: Report,
        window: Window,
        by: Sequence[str] | None,
        where: str | Sequence[str] | None = None,
        sides: Sequence[Side] = (),
    ) -> None:
        self.sides = sides
        self.window = window = spanning([side.window for side in sides]) if sides else window
        self._facts = question.facts
        self._made = [(name, rows) for name, rows in MADE.items() if name in question.reads]
        windows = {side.window for side in sides} or {window}
        self._files: dict[str, Files] = {
            table: lake.files(table, *windows) for table in question.reads if table in TABLES
        }
        calls = self._files.get("calls", Files(()))
        self._days = None if calls.first is None or calls.last is None else (calls.first, calls.last)
        if by and not question.can_group:
            raise UnknownName("dimension", by[0], (), f"({question.name} cannot be grouped)")
        by = question.by if by is None else by or ((TOTAL,) if question.can_group else ())
        self.by: list[Dimension] = [
            self._fact(one) if self._facts else self._dimension(one) for one in dict.fromkeys(by)
        ]
        self._where = condition(where, self._dimension)
        self._conditions = [side.condition(self._dimension) for side in sides]
        self._reported = any(one.reported for one in self.by) or any(
            one.reported for one in (self._where, *self._conditions) if one
        )
        if self._reported:
            self._files |= {table: lake.files(table, *windows) for table in ("spans", "logs")}

    @property
    def cut(self) -> str:
        """Which conversations are asked for, as a condition on rows of other tables."""
        return "conversation_id IN (SELECT conversation_id FROM calls)" if self._where else "TRUE"

    @property
    def paths(self) -> list[str]:
        """Everything that may be read."""
        return [path for files in self._files.values() for path in files.paths]

    def define(self, engine: Engine) -> None:
        """Make the views that the report reads."""
        for table, rows in self.tables(lambda table: files_of(table, self._files[table])):
            try:
                engine.define(view(table, rows))
                if table == "calls":
                    engine.run(f"SELECT 1 FROM {table} LIMIT 0")
            except QueryError as error:
                raise (self._mistaken(error) if self._where and table == "calls" else error) from error

    @property
    def trace(self) -> str | None:
        """What the column is called that has the trace, if it is grouped by traces: these are very many."""
        return next((one.name for one in self.by if one.expression == quoted("trace_id")), None)

    def narrow(self, engine: Engine, traces: Collection[str | None]) -> None:
        """Leave all calls out but those of some traces."""
        known = ", ".join(literal(one) for one in traces if one is not None)
        conditions = [f"trace_id IN ({known})"] * bool(known) + ["trace_id IS NULL"] * (None in traces)
        rows = self._calls(files_of("calls", self._files["calls"]))
        engine.define(view("calls", f"SELECT * FROM ({rows}) WHERE {' OR '.join(conditions) or 'FALSE'}"))

    def tables(self, source: Callable[[str], str]) -> Iterator[tuple[str, str]]:
        """The rows of each table that the report reads, as SQL, from wherever `source` says that the table is."""
        for table in self._files:
            if table != "calls":
                yield table, table_rows(table, source(table), self.window)
        if "calls" in self._files:
            yield "calls", self._calls(source("calls"))
        for name, rows in self._made:
            yield name, rows([side.name for side in self.sides])

    def counted(self) -> str:
        """The calls that are asked for, each once, with no more than the conditions need."""
        named = [] if self._facts else [one for one in self.by if self._where and one.name in self._where.sql]
        reported = any(one.reported for one in (*named, self._where, *self._conditions) if one)
        rows = self._rows(files_of("calls", self._files["calls"]), named, reported)
        either = " OR ".join(f"({condition})" for _, condition in self._on_sides())
        return f"SELECT * FROM ({rows}) WHERE {either}" if either else rows

    def _calls(self, source: str) -> str:
        rows = self._rows(source, [] if self._facts else self.by, self._reported)
        return sided(rows, self._on_sides()) if self.sides else rows

    def _rows(self, source: str, by: Sequence[Dimension], reported: bool) -> str:
        return calls_rows(source, self.window, self._columns(by), self._where.sql if self._where else None, reported)

    def _on_sides(self) -> list[tuple[str, str]]:
        """The sides by their names, and what has to hold for a call to be on each."""
        return [
            (side.name, " AND ".join([*within("calls", side.window), *([own.sql] if own else [])]) or "TRUE")
            for side, own in zip(self.sides, self._conditions, strict=True)
        ]

    def _columns(self, by: Sequence[Dimension]) -> list[Dimension]:
        """What the ledger is given besides its columns: what it is grouped by, and what the condition may mean.

        Without them `user = 'anna'` would compare with the name of the engine's own user.
        """
        said = [one.sql for one in (self._where, *self._conditions) if one]
        added = set(re.findall(r"\w+", " ".join(said))).intersection((*ALIASES, *TIMES)) - {one.name for one in by}
        return [*by, *(self._dimension(name) for name in sorted(added))]

    def _fact(self, name: str) -> Dimension:
        assert self._facts
        if name not in (*self._facts, *TIMES, TOTAL):
            raise UnknownName("dimension", name, (*self._facts, *TIMES, TOTAL))
        return Dimension(name, quoted(self._facts[name])) if name in self._facts else self._dimension(name)

    def _dimension(self, name: str) -> Dimension:
        return dimension(name, self.window.timezone, self._days)

    def _mistaken(self, error: QueryError) -> BadFilter:
        assert self._where
        return BadFilter(
            f"where {self._where.sql}: {error}; expected NAME=VALUE, such as model=gpt-5, or a condition in SQL with "
            "quotes around text, such as \"model = 'gpt-5' AND cost_usd > 0.01\""
        )
