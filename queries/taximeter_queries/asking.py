"""Asking a lake: from a report's name and what somebody wants to know, to an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from taximeter_queries.answer import Answer, Coverage, Unpriced
from taximeter_queries.columns import Column, Unit
from taximeter_queries.dimensions import ALIASES
from taximeter_queries.engine import Engine, Limits, Progress, Table
from taximeter_queries.errors import UnknownName
from taximeter_queries.lake import TABLES, Lake
from taximeter_queries.report import Report, filled, report, sql_of
from taximeter_queries.scope import Scope
from taximeter_queries.sides import Side
from taximeter_queries.text import literal, quoted
from taximeter_queries.views import attempts_rows, files_of, table_rows, view
from taximeter_queries.window import Window

__all__ = ["ask", "ask_sql", "sql_for"]

_TOTAL = "is_total"
_UNITS = {"BOOLEAN": Unit.FLAG, "DATE": Unit.DAY, "TIMESTAMP WITH TIME ZONE": Unit.TIME, "VARCHAR": Unit.TEXT}


def ask(
    lake: Lake,
    name: str,
    *,
    by: Sequence[str] | None = None,
    window: Window | None = None,
    where: str | Sequence[str] | None = None,
    sort: Sequence[str] | None = None,
    limit: int | None = None,
    totals: bool = False,
    coverage: bool = False,
    limits: Limits | None = None,
    progress: Progress | None = None,
    **asked: str,
) -> Answer:
    """What a report says. `asked` is what it asks for by itself, such as `trace_id`.

    `where` is a condition in SQL or NAME=VALUE; of several, all hold. `totals` and `coverage` are for people and cost
    a little; `limit` is for rows.
    """
    question = report(name)
    window = window or Window()
    scope = Scope(lake, question, window, by, where, _sides(question, asked, window))
    with Engine(scope.paths, window.timezone, limits) as engine:
        scope.define(engine)
        if question.resolve:
            asked = dict(question.resolve(asked, lambda sql: engine.run(sql, progress).rows))
        chosen = _usual_sort(question, scope) if sort is None or question.whole else sort
        order = _order(chosen, scope, question)
        more = None if limit is None or question.whole else limit + 1 + (totals and question.totals)
        sql = _sql(question, scope, asked, totals and question.totals, _most(question, chosen, order, more))
        if more is not None and question.alone and scope.trace:
            table, total = _chosen(engine, question, scope, asked, order, more, totals, progress)
            answer = replace(_answer(question, scope, table, limit, sql), total=total)
        else:
            table = engine.run(_in_order(sql, order, more, totals and question.totals), progress)
            answer = _answer(question, scope, table, None if question.whole else limit, sql)
        if coverage:
            answer = replace(answer, coverage=_coverage(engine, scope, asked))
    answer = question.finish(answer) if question.finish else answer
    return _arranged(answer, sort or (), limit) if question.whole else answer


def _chosen(
    engine: Engine,
    question: Report,
    scope: Scope,
    asked: Mapping[str, str],
    order: Sequence[str],
    most_rows: int,
    totals: bool,
    progress: Progress | None,
) -> tuple[Table, tuple[Any, ...] | None]:
    """The first rows by trace, and the total. What each trace is ordered by is worked out for all of them, the rest for
    those that are shown."""
    total = None
    if totals and question.totals:
        total = engine.run(_sql(question, scope, asked, True, "", groups=False), progress).rows[0][1:]
    sql = _in_order(_sql(question, scope, asked, False, ""), order, most_rows, False)
    assert scope.trace
    traces = engine.run(f"SELECT DISTINCT {quoted(scope.trace)} FROM (\n{sql}\n)", progress)
    scope.narrow(engine, [row[0] for row in traces.rows])
    return engine.run(sql, progress), total


def sql_for(
    lake: Lake,
    name: str,
    *,
    by: Sequence[str] | None = None,
    window: Window | None = None,
    where: str | Sequence[str] | None = None,
    sort: Sequence[str] | None = None,
    limit: int | None = None,
    **asked: str,
) -> str:
    """What `ask` would run, whole, as one query over the lake's tables: `ask_sql` runs it, and other engines may."""
    question = report(name)
    window = window or Window()
    scope = Scope(lake, question, window, by, where, _sides(question, asked, window))
    chosen = _usual_sort(question, scope) if sort is None or question.whole else sort
    order = _order(chosen, scope, question)
    tables = ",\n".join(f"{table} AS ({rows})" for table, rows in scope.tables(lambda table: table))
    sql = _sql(question, scope, asked, False, _most(question, chosen, order, limit))
    return f"WITH {tables}\n{_in_order(sql, order, None if question.whole else limit, False)}"


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
            engine.define(view(name, table_rows(name, files_of(name, found), window)))
        table = engine.run(sql.strip().rstrip(";"), progress)
    columns = tuple(Column(name, _unit(kind), kind=kind) for name, kind in zip(table.names, table.types, strict=True))
    return Answer("sql", columns, table.rows, window, sql, cut=table.cut)


def _unit(kind: str) -> Unit:
    """What a column is, by the engine's name for its type."""
    nested = kind.endswith("]") or kind.startswith(("MAP", "STRUCT", "UNION", "VARIANT"))
    return Unit.NESTED if nested else _UNITS.get(kind, Unit.VALUE)


def _sides(question: Report, asked: Mapping[str, str], window: Window) -> Sequence[Side]:
    return question.sides(asked, window) if question.sides else ()


def _most(question: Report, sort: Sequence[str], order: Sequence[str], most_rows: int | None) -> str:
    """What cuts a query inside the query, if it has all that is needed for that."""
    known = all(one.removeprefix("-") in question.first for one in (*sort, *question.sort))
    return f"ORDER BY {', '.join(order)} LIMIT {most_rows}" if known and order and most_rows is not None else ""


def _arranged(answer: Answer, sort: Sequence[str], limit: int | None) -> Answer:
    """Rows in another order, and not more than so many. What is not known comes last."""
    rows = list(answer.rows)
    for one in reversed(sort):
        name = one.removeprefix("-")
        if name not in answer.names:
            raise UnknownName("column to sort by", name, answer.names)
        place = answer.names.index(name)
        known = [row for row in rows if row[place] is not None]
        known.sort(key=lambda row: row[place], reverse=one.startswith("-"))
        rows = known + [row for row in rows if row[place] is None]
    cut = limit is not None and len(rows) > limit
    return replace(answer, rows=rows[:limit], cut=answer.cut or cut)


def _sql(question: Report, scope: Scope, asked: Mapping[str, str], totals: bool, most: str, groups: bool = True) -> str:
    """The report's SQL with its places filled; with `totals` and without `groups`, for the total alone."""
    missing = set(question.asks or ()) ^ set(asked)
    if missing:
        raise TypeError(f"{question.name} asks for {sorted(question.asks or ())}, got {sorted(asked)}")
    places = {name: literal(value) for name, value in asked.items()} | {"most": most, "cut": scope.cut}
    places |= {"since": str(scope.window.start_unix_nano or 0), "attempts": attempts_rows(source="views")}
    if question.facts:
        facts = ", ".join(one.expression for one in scope.by)
        places |= {"by": ", ".join(f"{one.expression} AS {quoted(one.name)}" for one in scope.by), "group": facts}
    elif scope.by:
        names = ", ".join(quoted(one.name) for one in scope.by)
        first = quoted(scope.by[0].name)
        places |= {"by": names, "group": names, "dimensions": names, "whole": _whole(question, scope)}
        places |= _joined([one.name for one in scope.by], totals)
        if totals:
            places |= {"by": f"grouping({first}) AS {_TOTAL}, {names}", "group": f"GROUPING SETS (({names}), ())"}
            if not groups:
                nothing = ", ".join(f"NULL AS {quoted(one.name)}" for one in scope.by)
                places |= {"by": f"1 AS {_TOTAL}, {nothing}", "group": "GROUPING SETS (())"}
    return filled(sql_of(question.name), places)


def _joined(by: Sequence[str], totals: bool) -> dict[str, str]:
    """For a query that joins `used` and `seen`, of which each is grouped: the groups, and when they are the same."""
    names = [_TOTAL] * totals + [quoted(name) for name in by]
    same = " AND ".join(f"used.{name} IS NOT DISTINCT FROM seen.{name}" for name in names)
    return {"told": ", ".join(f"used.{name}" for name in names), "same": same}


def _whole(question: Report, scope: Scope) -> str:
    """What a share is a share of: the dimensions without those that tell how a call went."""
    asked = (one.name for one in scope.by)
    return ", ".join(quoted(name) for name in asked if ALIASES.get(name, name) not in question.outcomes) or "1"


def _usual_sort(question: Report, scope: Scope) -> list[str]:
    """What has times is told in their order."""
    times = [one.name for one in scope.by if one.unit in (Unit.TIME, Unit.DAY)]
    return [*times, *question.sort]


def _order(sort: Sequence[str], scope: Scope, question: Report) -> list[str]:
    known = [*(one.name for one in scope.by), *(column.name for column in question.columns)]
    order: dict[str, str] = {}
    # What is equal by what was asked for is in the report's own order: the same question gives the same rows.
    for one in (*sort, *question.sort, *(one.name for one in scope.by)):
        name = one.removeprefix("-")
        if name not in known:
            raise UnknownName("column to sort by", name, known)
        order.setdefault(name, f"{quoted(name)} {'DESC' if one.startswith('-') else 'ASC'} NULLS LAST")
    return list(order.values())


def _in_order(sql: str, order: Sequence[str], most_rows: int | None, totals: bool) -> str:
    first = [f"{_TOTAL} DESC"] if totals else []
    ordered = f" ORDER BY {', '.join([*first, *order])}" if [*first, *order] else ""
    most = f" LIMIT {most_rows}" if most_rows is not None else ""
    return f"SELECT * FROM (\n{sql}\n){ordered}{most}"


def _answer(question: Report, scope: Scope, table: Table, limit: int | None, sql: str) -> Answer:
    by = tuple(Column(one.name, one.unit) for one in scope.by)
    rows, total = table.rows, None
    if table.names[0] == _TOTAL:
        total = rows[0][1:] if rows else None
        rows = [row[1:] for row in rows[1:]]
    cut = limit is not None and len(rows) > limit
    told = table.names[table.names[0] == _TOTAL :]
    known = {column.name: column for column in question.columns}
    columns = tuple(known.get(name, Column(name, Unit.VALUE)) for name in told[len(by) :])
    assert question.finish or columns == question.columns, (told, question.columns)
    whole = (*by, *columns)
    return Answer(question.name, whole, rows[:limit], scope.window, sql, len(by), total, cut, sides=tuple(scope.sides))


def _coverage(engine: Engine, scope: Scope, asked: Mapping[str, str]) -> Coverage:
    """Of the calls that were asked for, those that count; of one trace or conversation, those in it."""
    within = [f"{name} = {literal(value)}" for name, value in asked.items() if name in ("trace_id", "conversation_id")]
    places = {"calls": f"({scope.counted()}) AS calls"} | ({"within": " AND ".join(within)} if within else {})
    found = engine.run(filled(sql_of("priced"), places))
    unpriced = [Unpriced(model, status, calls) for status, model, calls, priced, _ in found.rows if not priced]
    return Coverage(
        calls=sum(row[2] for row in found.rows),
        priced_calls=sum(row[3] for row in found.rows),
        cost_usd=sum((row[4] for row in found.rows if row[4] is not None), start=Coverage().cost_usd),
        unpriced=tuple(sorted(unpriced, key=lambda one: (-one.calls, one.model or ""))),
    )
