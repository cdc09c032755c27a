"""Every report says the same on another engine: its SQL, rewritten by sqlglot, on ClickHouse over the same files.

Where ClickHouse understands SQL otherwise than the standard, `SETTINGS` say so; two rules are what sqlglot lacks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from taximeter_queries import NAMES, Lake, Window, ask, report
from taximeter_queries.dimensions import dimension
from taximeter_queries.engine import Engine
from taximeter_queries.lake import TABLES, Files
from taximeter_queries.report import sql_of
from taximeter_queries.views import MADE, files_of, sided, view

from tests.queries.ledgers import Row, described, landed, ledger

chdb_session = pytest.importorskip("chdb.session")
sqlglot = pytest.importorskip("sqlglot")
exp = sqlglot.exp

ZONE = "Europe/Zurich"
TWO_SIDES = "two sides"
SIDES = {"a": "stream=true", "b": "stream=false"}
# By what, and of when.
QUESTIONS: dict[str, tuple[tuple[str, ...] | None, str]] = {
    "as it is": (None, "all"),
    "by two": (("service_name", "status"), "a day"),
    "by three": (("day", "tag.team", "model"), "all"),
}
SETTINGS = {
    "prefer_column_name_to_alias": 1,  # sum(x) AS x, and x means the column
    "group_by_use_nulls": 1,  # in the row of a total
    "join_use_nulls": 1,
    "aggregate_functions_null_for_empty": 0,  # columns that can be NULL are anyway
}
_CLICKHOUSE_DIMENSIONS = {
    "day": f"toDate(start_time, '{ZONE}')",
    "total": "'all'",
    "tag.team": "if(mapContains(tags, 'team'), tags['team'], NULL)",
}
_PERCENTILE = re.compile(r"p\d+_")
# Money that is no sum: engines round and truncate, and may differ by as much for each row that they add.
_BY_DIVISION = re.compile(r"p\d+_|cost_per_|cache_.*(saved|extra)_usd")
_LAST_DIGIT = Decimal("1e-9")
_ENOUGH = 100  # values, for a percentile of a sketch to be one
_SKETCH_ERROR = 0.05  # of the rank


class Engines:
    """One lake, cut to a window or not, its own engine, and another."""

    def __init__(self, lake: Lake, calls: list[Row], session: Any) -> None:
        self.lake, self.calls, self._session = lake, calls, session
        self.windows = {"all": Window.of(timezone=ZONE), "a day": _day(calls), TWO_SIDES: Window.of(timezone=ZONE)}
        files = {table: lake.files(table) for table in TABLES}
        paths = [path for one in files.values() for path in one.paths]
        self._engines = {name: Engine(paths, ZoneInfo(ZONE)) for name in self.windows}
        session.query("SET schema_inference_make_columns_nullable = 1")  # the smallest of nothing is NULL
        for name, window in self.windows.items():
            session.query(f'CREATE DATABASE "{name}"')
            session.query(f'USE "{name}"')
            for table in TABLES:
                pattern = f"file('{lake.folder / table}/date=*/*.parquet', 'Parquet')"
                native = _rows(table, files_of(table, files[table]), _native_dimensions(files[table]), window)
                other = _rows(table, pattern, _CLICKHOUSE_DIMENSIONS, window)
                if name == TWO_SIDES and table == "calls":
                    native, other = _sided(native), _sided(other)
                self._engines[name].define(view(table, native))
                session.query(f"CREATE VIEW {table} AS {other}")
            for made, rows in MADE.items():
                told = rows(list(SIDES) if name == TWO_SIDES else ())
                self._engines[name].define(view(made, told))
                session.query(f"CREATE VIEW {made} AS {for_clickhouse(told)}")

    def native(self, sql: str, window: str) -> list[Row]:
        """What DuckDB says."""
        found = self._engines[window].run(sql)
        return [dict(zip(found.names, row, strict=True)) for row in found.rows]

    def other(self, sql: str, window: str) -> list[Row]:
        """What ClickHouse says to the same text, rewritten."""
        settings = ", ".join(f"{name} = {value}" for name, value in SETTINGS.items())
        self._session.query(f'USE "{window}"')
        answer = self._session.query(f"{for_clickhouse(sql)} SETTINGS {settings}", "ArrowStream")
        rows = pa.ipc.open_stream(answer.bytes()).read_all().to_pylist()
        # The variance of one value is not a number there.
        return [{name: None if value != value else value for name, value in row.items()} for row in rows]

    def close(self) -> None:
        """Let both go."""
        self._session.close()
        for engine in self._engines.values():
            engine.close()


def _day(calls: list[Row]) -> Window:
    """Twenty-four hours that have half of the calls, or so."""
    nanos = sorted(one["start_unix_nano"] for one in calls)
    start = datetime.fromtimestamp(nanos[len(nanos) // 4] // 10**9, ZoneInfo(ZONE))
    return Window(start, start + timedelta(days=1), ZoneInfo(ZONE))


def _rows(table: str, source: str, dimensions: dict[str, str], window: Window) -> str:
    added = [f', {one} AS "{name}"' for name, one in dimensions.items()] if table == "calls" else []
    return f"SELECT *{''.join(added)} FROM {source}{_cut(table, window)}"


def _sided(rows: str) -> str:
    return sided(rows, [(name, said.replace("=", " = ")) for name, said in SIDES.items()])


def _native_dimensions(calls: Files) -> dict[str, str]:
    days = (calls.first, calls.last) if calls.first and calls.last else None
    return {name: dimension(name, ZoneInfo(ZONE), days).expression for name in _CLICKHOUSE_DIMENSIONS}


def _cut(table: str, window: Window) -> str:
    time = "start_unix_nano" if table in ("calls", "spans") else "time_unix_nano"
    if window.start is None:
        return ""
    return f" WHERE {time} >= {window.start_unix_nano} AND {time} < {window.end_unix_nano}"


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """A ledger that is large enough for percentiles, and whatever reported it."""
    random = Random(11)
    calls = ledger(random, 1500, huge=False)
    spans, logs = described(random, calls)
    said = {"kind": "input", "key": "gen_ai.input.messages", "value": "[]", "piece": 1, "source": "span"}
    points = [{"name": "tokens", "type": "sum", "time_unix_nano": one["start_unix_nano"]} for one in calls[:50]]
    content = [{**said, "time_unix_nano": one["start_unix_nano"], "trace_id": one["trace_id"]} for one in calls[:50]]
    lake = landed(tmp_path_factory.mktemp("lake"), calls, spans=spans, logs=logs, content=content, metrics=points)
    made = Engines(lake, calls, chdb_session.Session())
    yield made
    made.close()


def for_clickhouse(sql: str) -> str:
    """Rewritten by sqlglot, and by the rules that it lacks."""
    return str(_parsed(sql).transform(_rewritten).sql(dialect="clickhouse", comments=False))


def _parsed(sql: str) -> Any:
    return sqlglot.parse_one(sql, read="duckdb")


def _rewritten(node: Any) -> Any:
    node = _percentile(node)
    if isinstance(node, exp.ApproxQuantile):
        values = node.this.transform(_rewritten)
        return exp.ParameterizedAgg(this="quantileTDigestOrNull", expressions=[node.args["quantile"]], params=[values])
    if isinstance(node, exp.Cast) and node.to.is_type("decimal") and not isinstance(node.this, exp.Literal):
        # A quotient that is NULL may be infinite below that; the usual cast looks at it, and fails.
        kind = exp.Literal.string(node.to.sql(dialect="clickhouse"))
        return exp.Anonymous(this="accurateCastOrNull", expressions=[node.this.transform(_rewritten), kind])
    return node


def _percentile(node: Any) -> Any:
    """One percentile of several, by itself."""
    if not isinstance(node, exp.Bracket) or not isinstance(node.this, exp.ApproxQuantile):
        return node
    place = int(node.expressions[0].this) - 1
    return exp.ApproxQuantile(this=node.this.this, quantile=node.this.args["quantile"].expressions[place])


def asked(engines: Engines, name: str) -> dict[str, str]:
    """What a report asks for, of some call in the middle."""
    known = SIDES | next(one for one in engines.calls if one.get("conversation_id") and one.get("trace_id"))
    return {key: known[key] for key in report(name).asks or ()}


def sql_for(engines: Engines, name: str, by: tuple[str, ...] | None, window: str) -> str:
    """The report's SQL with its places filled, as it is asked."""
    more = asked(engines, name)
    return ask(engines.lake, name, by=by, window=engines.windows[window], totals=True, **more).sql


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("name", NAMES)
def test_another_engine_gives_the_same_answer(engines: Engines, name: str, question: str) -> None:
    by, window = QUESTIONS[question]
    if by and not report(name).can_group:
        by = None
    if by and report(name).facts:
        by = ("service_name", "model")
    if name == "compare":
        window = TWO_SIDES
    same(engines, sql_for(engines, name, by, window), window)


def test_so_does_what_stands_below_every_report(engines: Engines) -> None:
    same(engines, sql_of("priced"), "all")


@pytest.mark.parametrize("dialect", ["spark", "trino"])
@pytest.mark.parametrize("name", NAMES)
def test_other_dialects_can_say_it(name: str, dialect: str) -> None:
    """As far as a parser can tell: nothing in it is unknown there, and what is written can be read."""
    written = _parsed(sql_of(name)).sql(dialect=dialect, unsupported_level=sqlglot.ErrorLevel.RAISE)
    sqlglot.parse_one(written, read=dialect)


def same(engines: Engines, sql: str, window: str) -> None:
    """Both engines give the same rows, in whatever order; percentiles are near the exact ones."""
    ours, theirs = _in_order(engines.native(sql, window)), _in_order(engines.other(sql, window))
    assert [_exact(row) for row in theirs] == [_exact(row) for row in ours]
    low, high = (_in_order(engines.native(_exactly(sql, off), window)) for off in (-_SKETCH_ERROR, _SKETCH_ERROR))
    for our, their, least, most in zip(ours, theirs, low, high, strict=True):
        for name in our.keys() - _exact(our).keys():
            assert (our[name] is None) == (their[name] is None), name
            if our[name] is None:
                continue
            if isinstance(our[name], Decimal):
                assert abs(our[name] - their[name]) <= _LAST_DIGIT, name
            elif not _PERCENTILE.match(name):
                assert math.isclose(our[name], their[name], rel_tol=1e-9), name
            elif our.get("calls", 0) >= _ENOUGH:
                assert least[name] * (1 - 1e-6) <= their[name] <= most[name] * (1 + 1e-6), name


def _exactly(sql: str, off: float) -> str:
    """With exact percentiles instead of sketches, so much beside those that were asked for."""

    def exactly(node: Any) -> Any:
        node = _percentile(node)
        if not isinstance(node, exp.ApproxQuantile):
            return node
        quantile = exp.Literal.number(min(1, max(0, float(node.args["quantile"].this) + off)))
        return exp.Anonymous(this="quantile_disc", expressions=[node.this, quantile])

    return str(_parsed(sql).transform(exactly).sql(dialect="duckdb"))


def _in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: repr(list(_exact(row).items())))


def _exact(row: Row) -> Row:
    """What has to be the same to the last digit."""
    told = {name: _plain(value) for name, value in row.items() if not _BY_DIVISION.match(name)}
    return {name: value for name, value in told.items() if not isinstance(value, float)}


def _plain(value: Any) -> Any:
    """The same for what is the same."""
    if isinstance(value, (int, Decimal)):
        return f"{Decimal(value).normalize():f}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, dict):
        value = list(value.items())
    # ClickHouse's maps and lists are never NULL, and its lists have no NULL in them.
    return sorted(one for one in value if one is not None) or None if isinstance(value, list) else value
