"""The lake's schema, as the reader has it: `python -m tests.queries.contract` writes sql/schema.sql anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
from taximeter_collector.lake.schema import SCHEMA_VERSION, TABLES, LakeTable

FILE = Path(__file__).parents[2] / "queries/taximeter_queries/sql/schema.sql"
_NAMES = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.int32(): "INTEGER",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP WITH TIME ZONE",
}


def written() -> str:
    """The file as it has to be."""
    head = f"-- The lake's tables, schema version {SCHEMA_VERSION}. docs/lake.md tells more of them.\n"
    return head + "".join(_table(table) for table in TABLES.values())


def _table(table: LakeTable) -> str:
    return f"\n-- {table.sentence}\nCREATE TABLE {table.name} (\n{''.join(_columns(table))});\n"


def _columns(table: LakeTable) -> Iterator[str]:
    for number, column in enumerate(table.columns, 1):
        comma = "" if number == len(table.columns) else ","
        rule = " NOT NULL" if column.always else ""
        yield f"    {column.name} {type_name(column.type)}{rule}{comma} -- {column.sentence}\n"


def type_name(kind: pa.DataType) -> str:
    """A type as DuckDB has it."""
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    if pa.types.is_map(kind):
        return f"MAP({type_name(kind.key_type)}, {type_name(kind.item_type)})"
    if pa.types.is_list(kind):
        return f"{type_name(kind.value_type)}[]"
    if pa.types.is_struct(kind):
        return f"STRUCT({', '.join(f'{field.name} {type_name(field.type)}' for field in kind)})"
    return _NAMES[kind]


if __name__ == "__main__":
    FILE.write_text(written(), "utf-8")
