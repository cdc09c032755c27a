"""Asking a lake: from a report's name and what somebody wants to know, to an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from taximeter_queries.answer import Answer, Coverage, Unpriced
from taximeter_queries.columns import Column, Unit
from taximeter_queries.dimensions import Dimension, dimension
from taximeter_queries.engine import Engine, Limits, Progress, Table
from taximeter_queries.errors import BadFilter, QueryError, UnknownName
from taximeter_queries.lake import TABLES, Files, Lake
from taximeter_queries.report import Report, filled, report, sql_of
from taximeter_queries.text import literal, quoted
from taximeter_queries.views import calls_view, table_view
from taximeter_queries.window import Window

__all__ = ["ask", "ask_sql"]

_TOTAL = "is_total"
_UNITS = {"BOOLEAN": Unit.FLAG, "DATE": Unit.DAY, "TIMESTAMP WITH TIME ZONE": Unit.TIME}


def ask(
    lake: Lake,
    name: str,
    *,
    by: Sequence[str] | None = None,
    window: Window | None = None,
    where: str | None = None,
    sort: Sequence[str] | None = None,
    limit: int | None = None,
    totals: bool = False,
    coverage: bool = False,
    limits: Limits | None = None,
    progress: Progress | None = None,
    **asked: str,
) -> Answer:
    """What a report says. `asked` is what it asks for by itself, such as `trace_id`.

    `totals` and `coverage` are for people, and cost a little; `limit` is for rows.
    """
    question = report(name)
    window = window or Window()
    scope = _Scope(lake, question, window, question.by if by is None else by)
    with Engine(scope.paths, window.timezone, limits) as engine:
        scope.define(engine, where)
        order = _order(_usual_sort(question, scope) if sort is None else sort, scope, question)
        sql = _sql(question, scope, asked, totals and question.totals)
        table = engine.run(_in_order(sql, order, limit, totals and question.totals), progress)
        answer = _answer(question, scope, table, limit, sql)
        if coverage:
            answer = replace(answer, coverage=_coverage(engine))
    return question.finish(answer) if question.finish else answer


def ask_sql(
    lake: Lake,
    sql: str,
    *,
    window: Window | None = None,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Answer:
    """What a query of one's own says. It can read the tables of the lake, and nothing else."""
    window = window or Window()
    files = {name: lake.files(name, window) for name in TABLES}
    with Engine((path for one in files.values() for path in one.paths), window.timezone, limits) as engine:
        engine.check(sql)
        for name, found in files.items():
            engine.define(table_view(name, found, window))
        table = engine.run(sql.strip().rstrip(";"), progress)
    columns = (Column(name, _UNITS.get(kind, Unit.VALUE)) for name, kind in zip(table.names, table.types, strict=True))
    return Answer("sql", tuple(columns), table.rows, window, sql, cut=table.cut)


class _Scope:
    """What is read, and what it is grouped by."""

    def __init__(self, lake: Lake, question: Report, window: Window, by: Sequence[str]) -> None:
        self.window = window
        self._files: dict[str, Files] = {table: lake.files(table, window) for table in question.reads}
        calls = self._files.get("calls", Files(()))
        days = None if calls.first is None or calls.last is None else (calls.first, calls.last)
        if by and not question.can_group:
            raise UnknownName("dimension", by[0], (), f"({question.name} cannot be grouped)")
        self.by: list[Dimension] = [dimension(one, window.timezone, days) for one in dict.fromkeys(by)]
        if any(one.reported for one in self.by):
            self._files |= {table: lake.files(table, window) for table in ("spans", "logs")}

    @property
    def paths(self) -> list[str]:
        """Everything that may be read."""
        return [path for files in self._files.values() for path in files.paths]

    def define(self, engine: Engine, where: str | None) -> None:
        """Make the views that the report reads."""
        for table, files in self._files.items():
            if table != "calls":
                engine.define(table_view(table, files, self.window))
        if "calls" in self._files:
            try:
                engine.define(calls_view(self._files["calls"], self.window, self.by, where))
                engine.run("SELECT 1 FROM calls LIMIT 0")
            except QueryError as error:
                raise (BadFilter(f"where {where}: {error}") if where else error) from error


def _sql(question: Report, scope: _Scope, asked: Mapping[str, str], totals: bool) -> str:
    missing = set(question.asks or ()) ^ set(asked)
    if missing:
        raise TypeError(f"{question.name} asks for {sorted(question.asks or ())}, got {sorted(asked)}")
    places = {name: literal(value) for name, value in asked.items()}
    if scope.by:
        names = ", ".join(quoted(one.name) for one in scope.by)
        first = quoted(scope.by[0].name)
        places |= {"by": names, "group": names}
        if totals:
            places |= {"by": f"grouping({first}) AS {_TOTAL}, {names}", "group": f"GROUPING SETS (({names}), ())"}
    return filled(sql_of(question.name), places)


def _usual_sort(question: Report, scope: _Scope) -> list[str]:
    """What has times is told in their order."""
    times = [one.name for one in scope.by if one.unit in (Unit.TIME, Unit.DAY)]
    return [*times, *question.sort]


def _order(sort: Sequence[str], scope: _Scope, question: Report) -> list[str]:
    known = [*(one.name for one in scope.by), *(column.name for column in question.columns)]
    order = []
    for one in sort:
        name = one.removeprefix("-")
        if name not in known:
            raise UnknownName("column to sort by", name, known)
        order.append(f"{quoted(name)} {'DESC' if one.startswith('-') else 'ASC'} NULLS LAST")
    # Whatever is equal then has an order of its own: the same question gives the same rows in the same order.
    return order + [f"{quoted(one.name)} ASC NULLS LAST" for one in scope.by]


def _in_order(sql: str, order: Sequence[str], limit: int | None, totals: bool) -> str:
    first = [f"{_TOTAL} DESC"] if totals else []
    ordered = f" ORDER BY {', '.join([*first, *order])}" if [*first, *order] else ""
    most = f" LIMIT {limit + 1 + totals}" if limit is not None else ""
    return f"SELECT * FROM (\n{sql}\n){ordered}{most}"


def _answer(question: Report, scope: _Scope, table: Table, limit: int | None, sql: str) -> Answer:
    by = tuple(Column(one.name, one.unit) for one in scope.by)
    rows, total = table.rows, None
    if table.names[0] == _TOTAL:
        total = rows[0][1:] if rows else None
        rows = [row[1:] for row in rows[1:]]
    cut = limit is not None and len(rows) > limit
    answer = Answer(question.name, (*by, *question.columns), rows[:limit], scope.window, sql, len(by), total, cut)
    told = table.names[table.names[0] == _TOTAL :]
    assert told == answer.names, (told, answer.names)
    return answer


def _coverage(engine: Engine) -> Coverage:
    """Of the calls that were asked for, those that count."""
    found = engine.run(sql_of("priced"))
    unpriced = [Unpriced(model, status, calls) for status, model, calls, priced, _ in found.rows if not priced]
    return Coverage(
        calls=sum(row[2] for row in found.rows),
        priced_calls=sum(row[3] for row in found.rows),
        cost_usd=sum((row[4] for row in found.rows if row[4] is not None), start=Coverage().cost_usd),
        unpriced=tuple(sorted(unpriced, key=lambda one: (-one.calls, one.model or ""))),
    )
