"""Rows of data files, with the columns that were added after the file was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from taximeter_collector.lake.errors import LakeUnavailable
from taximeter_collector.lake.log import ActiveFile, DeltaLog
from taximeter_collector.lake.parquet import IDS
from taximeter_collector.lake.schema import TABLES, LakeTable

__all__ = ["open_file", "read_file", "read_row_group", "row_group_bounds", "steadily"]

T = TypeVar("T")

_BATCH_ROWS = 1 << 16
_TRIES = 3
_LONG = ("value", "body")  # texts that hardly ever repeat


def open_file(path: Path, table: LakeTable) -> Any:
    """A file whose texts are read as dictionaries, as they are in it."""
    texts = [column.name for column in table.columns if pa.types.is_string(column.type) and column.name not in IDS]
    return pq.ParquetFile(path, read_dictionary=[name for name in texts if name not in _LONG])


def row_group_bounds(source: Any, column: str) -> list[int]:
    """The smallest value of a column in each row group."""
    metadata = source.metadata
    (index,) = (n for n in range(metadata.num_columns) if metadata.schema.column(n).path == column)
    return [metadata.row_group(n).column(index).statistics.min for n in range(metadata.num_row_groups)]


def steadily(log: DeltaLog, read: Callable[[list[ActiveFile]], T]) -> T:
    """Read a table's files, however long it takes: with the newer ones, if some were replaced and deleted meanwhile."""
    for _ in range(_TRIES):
        log.refresh()
        with suppress(FileNotFoundError):
            return read(log.files())
    raise LakeUnavailable(f"{log.folder}: files go before they can be read; a longer lake.grace is needed")


def read_row_group(source: Any, table: str, group: int) -> pa.Table:
    """All columns of a table but `date`."""
    rows = source.read_row_group(group)
    columns = [column for column in TABLES[table].columns if column.name != "date"]
    filled = [
        rows[column.name] if column.name in rows.column_names else pa.nulls(rows.num_rows, column.type)
        for column in columns
    ]
    fields = [
        pa.field(column.name, values.type, not column.always) for column, values in zip(columns, filled, strict=True)
    ]
    return pa.Table.from_arrays(filled, schema=pa.schema(fields))


def read_file(folder: Path, file: ActiveFile, columns: Sequence[str], table: LakeTable) -> Iterator[pa.RecordBatch]:
    """Some columns of a file, `date` among them if it is asked for."""
    types = {column.name: column.type for column in table.columns}
    schema = pa.schema([(name, types[name]) for name in columns])
    with pq.ParquetFile(folder / file.path) as source:
        there = [name for name in columns if name in source.schema_arrow.names]
        for batch in source.iter_batches(_BATCH_ROWS, columns=there):
            values = [_column(batch, name, types[name], file) for name in columns]
            yield pa.RecordBatch.from_arrays(values, schema=schema)


def _column(batch: pa.RecordBatch, name: str, kind: pa.DataType, file: ActiveFile) -> pa.Array:
    if name == "date":
        return pa.repeat(pa.scalar(file.date, kind), batch.num_rows)
    if name in batch.schema.names:
        return batch.column(name).cast(kind)
    return pa.nulls(batch.num_rows, kind)
