"""The tables as docs/lake.md shows them: `python -m taximeter_collector.lake.page docs/lake.md` writes them there."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]

from taximeter_collector.lake.schema import SCHEMA_VERSION, TABLES, LakeTable

__all__ = ["brought_up_to_date", "type_name"]

_BEGIN, _END = "<!-- tables: begin -->\n", "<!-- tables: end -->"
_NAMES = {
    pa.string(): "STRING",
    pa.int64(): "BIGINT",
    pa.int32(): "INT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP",
}


def brought_up_to_date(page: str) -> str:
    """The page with the tables as they are."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{''.join(_lines())}\n{_END}{after}"


def _lines() -> Iterator[str]:
    yield f"Schema version {SCHEMA_VERSION}.\n"
    for table in TABLES.values():
        yield from _table(table)


def _table(table: LakeTable) -> Iterator[str]:
    yield f"\n### `{table.name}`\n\n{table.sentence}\n\n| column | type | |\n|---|---|---|\n"
    for column in table.columns:
        kind = type_name(column.type) + (", never NULL" if column.always else "")
        yield f"| `{column.name}` | {kind} | {column.sentence} |\n"


def type_name(kind: pa.DataType) -> str:
    """A type as SQL has it.

    >>> type_name(pa.map_(pa.string(), pa.string()))
    'MAP<STRING, STRING>'
    """
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    if pa.types.is_map(kind):
        return f"MAP<{type_name(kind.key_type)}, {type_name(kind.item_type)}>"
    if pa.types.is_list(kind):
        return f"ARRAY<{type_name(kind.value_type)}>"
    if pa.types.is_struct(kind):
        return f"STRUCT<{', '.join(f'{field.name}: {type_name(field.type)}' for field in kind)}>"
    return _NAMES[kind]


def main() -> int:
    """Rewrite the page that the command line names."""
    path = Path(sys.argv[1])
    page = path.read_text("utf-8")
    if not re.search(f"{_BEGIN}.*{_END}", page, re.DOTALL):
        print(f"{path} has no place for the tables", file=sys.stderr)  # noqa: T201 - a command
        return 1
    path.write_text(brought_up_to_date(page), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
