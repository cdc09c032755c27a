"""Answers as Arrow tables. What type a column has depends on what it means, never on the rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]

from taximeter_queries.columns import Column, Unit
from taximeter_queries.errors import TooMuch
from taximeter_queries.text import as_json, as_text
from taximeter_queries.window import Window

__all__ = ["table"]

_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
_DIGITS = Decimal("0.000000000001")
_WIDE = Context(prec=60)  # the usual one ends after 28 digits
_OF_UNIT = {
    Unit.TEXT: pa.string(),
    Unit.COUNT: pa.int64(),
    Unit.TOKENS: pa.int64(),
    Unit.USD: pa.decimal128(38, 12),
    Unit.MS: pa.float64(),
    Unit.PER_SECOND: pa.float64(),
    Unit.SHARE: pa.float64(),
    Unit.DAY: pa.date32(),
    Unit.FLAG: pa.bool_(),
    Unit.VALUE: pa.float64(),
    Unit.NESTED: pa.string(),
}
# By the engine's names, where it is the engine that says what a column is.
_OF_KIND = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"), pa.int64()),
    **dict.fromkeys(("HUGEINT", "UHUGEINT", "UBIGINT", "BIGNUM"), pa.decimal128(38, 0)),
    **dict.fromkeys(("FLOAT", "DOUBLE"), pa.float64()),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"),
    "BLOB": pa.binary(),
}


def table(columns: Sequence[Column], rows: Sequence[tuple[Any, ...]], window: Window) -> pa.Table:
    """Rows as an Arrow table. What is nested is JSON."""
    fields = [pa.field(column.name, _type(column, window)) for column in columns]
    arrays = [_array([row[place] for row in rows], field, columns[place]) for place, field in enumerate(fields)]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _type(column: Column, window: Window) -> pa.DataType:
    if column.unit is Unit.TIME:
        return pa.timestamp("us", tz=window.timezone.key)
    if not column.kind:
        return _OF_UNIT[column.unit]
    if found := _DECIMAL.fullmatch(column.kind):
        return pa.decimal128(int(found[1]), int(found[2]))
    return _OF_KIND.get(column.kind, pa.string())


def _array(values: list[Any], field: pa.Field, column: Column) -> pa.Array:
    convert = _converter(field.type, column)
    try:
        return pa.array([None if value is None else convert(value) for value in values], field.type)
    except (pa.ArrowInvalid, OverflowError) as error:
        raise TooMuch(f"{field.name} has a number that {field.type} cannot hold: ask for CSV or JSON") from error


def _converter(kind: pa.DataType, column: Column) -> Callable[[Any], Any]:
    if pa.types.is_string(kind):
        return as_json if column.unit is Unit.NESTED else as_text
    if pa.types.is_decimal(kind) and kind.scale == 12 and not column.kind:
        return lambda value: Decimal(value).quantize(_DIGITS, context=_WIDE)
    if pa.types.is_floating(kind):
        return float
    return lambda value: value
