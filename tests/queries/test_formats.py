"""Answers for machines: what goes in comes out, whatever it is."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st
from taximeter_queries import Answer, Column, TooMuch, Unit, Window
from taximeter_queries.formats import MachineFormat, write

MONEY = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=12)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
COLUMNS = (
    Column('a "name", odd', Unit.TEXT),
    Column("calls", Unit.COUNT),
    Column("cost_usd", Unit.USD),
    Column("share", Unit.SHARE),
    Column("ok", Unit.FLAG),
)
ROWS = st.lists(
    st.tuples(
        st.none() | TEXT,
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | MONEY,
        st.none() | st.floats(allow_nan=False, allow_infinity=False),
        st.none() | st.booleans(),
    )
)


def answer(columns: tuple[Column, ...], *rows: tuple[Any, ...], zone: str = "UTC") -> Answer:
    return Answer("test", columns, list(rows), Window(timezone=ZoneInfo(zone)), "")


def said(told: Answer, form: str) -> bytes:
    file = io.BytesIO()
    write(told, MachineFormat(form), file)
    return file.getvalue()


@given(ROWS)
def test_json_gives_back_what_went_in(rows: list[tuple[Any, ...]]) -> None:
    told = answer(COLUMNS, *rows)
    read = json.loads(said(told, "json"), parse_float=Decimal)
    expected = [dict(zip(told.names, row, strict=True)) for row in rows]
    assert [{**row, "share": None if row["share"] is None else float(row["share"])} for row in read] == expected
    lines = said(told, "jsonl").decode().split("\n")
    assert [json.loads(line, parse_float=Decimal) for line in lines if line] == read


@given(ROWS)
def test_csv_gives_back_what_went_in(rows: list[tuple[Any, ...]]) -> None:
    names, *read = csv.reader(io.StringIO(said(answer(COLUMNS, *rows), "csv").decode(), newline=""))
    assert names == [column.name for column in COLUMNS]
    assert [row[0] for row in read] == [row[0] or "" for row in rows]
    assert [Decimal(row[2]) if row[2] else None for row in read] == [row[2] for row in rows]
    assert [float(row[3]) if row[3] else None for row in read] == [row[3] for row in rows]


@given(ROWS)
def test_parquet_gives_back_what_went_in(rows: list[tuple[Any, ...]]) -> None:
    read = pq.read_table(io.BytesIO(said(answer(COLUMNS, *rows), "parquet")))
    assert [tuple(row.values()) for row in read.to_pylist()] == rows


def test_nothing_is_told_from_an_empty_text_in_csv() -> None:
    told = answer((Column("a", Unit.TEXT), Column("b", Unit.TEXT)), ("", None), (None, ""))
    assert said(told, "csv") == b'a,b\r\n"",\r\n,""\r\n'


def test_times_have_the_offset_of_their_zone() -> None:
    zone = ZoneInfo("Asia/Kolkata")
    moment = datetime(2026, 11, 20, 23, 30, tzinfo=UTC).astimezone(zone)
    columns = (Column("hour", Unit.TIME), Column("day", Unit.DAY))
    told = answer(columns, (moment, date(2026, 11, 21)), zone="Asia/Kolkata")
    assert said(told, "jsonl") == b'{"hour": "2026-11-21T05:00:00+05:30", "day": "2026-11-21"}\n'
    (read,) = pq.read_table(io.BytesIO(said(told, "parquet"))).to_pylist()
    assert read == {"hour": moment, "day": date(2026, 11, 21)}


def test_what_is_nested_stays_so_in_json_and_is_json_elsewhere() -> None:
    told = answer((Column("models", Unit.NESTED),), (["a", 'b"'],), ({"usd": Decimal("0.10"), "x": None},), (None,))
    assert [row["models"] for row in json.loads(said(told, "json"))] == [["a", 'b"'], {"usd": 0.1, "x": None}, None]
    assert said(told, "csv").startswith(b'models\r\n"[""a"", ""b\\""""]"\r\n')
    assert pq.read_table(io.BytesIO(said(told, "parquet")))["models"].to_pylist()[0] == '["a", "b\\""]'


def test_no_rows_are_an_empty_array_no_lines_or_names_only() -> None:
    told = answer(COLUMNS[1:3])
    assert (said(told, "json"), said(told, "jsonl"), said(told, "csv")) == (b"[]\n", b"", b"calls,cost_usd\r\n")


def test_what_json_has_no_word_for_is_null() -> None:
    told = answer((Column("x", Unit.VALUE),), (float("nan"),), (float("inf"),))
    assert said(told, "jsonl") == b'{"x": null}\n{"x": null}\n'


def test_a_number_that_parquet_cannot_hold_is_told() -> None:
    with pytest.raises(TooMuch, match="calls has a number that int64 cannot hold: ask for CSV or JSON"):
        said(answer((Column("calls", Unit.COUNT),), (2**63,)), "parquet")
