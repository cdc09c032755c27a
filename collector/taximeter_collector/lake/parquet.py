"""How a data file is written: encodings, row groups, and what the log is told of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from taximeter_collector.journal.files import sync
from taximeter_collector.lake.errors import UnfitRows
from taximeter_collector.lake.schema import MONEY, TABLES, TIME, LakeTable

__all__ = ["IDS", "DataFile", "Written", "statistics_columns", "without_unused_texts"]

ROW_GROUP_BYTES = 16 << 20  # in Arrow: about 35,000 spans, 5 MB of file
ROW_GROUP_ROWS = 1 << 17

IDS = ("trace_id", "span_id", "parent_span_id", "response_id", "billed_as")
# Of what is looked up by id: 0.4 bytes a row, and nothing measurable while writing.
_LOOKED_UP = ("trace_id", "response_id")
# What the writer says of rows, and not of the disk.
_OF_ROWS = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, pa.ArrowCapacityError)
_FALSE_POSITIVES = 0.01


@dataclass(frozen=True, slots=True)
class Written:
    """A file that is whole and durable, and not yet in its place."""

    path: Path
    name: str
    date: date
    rows: int
    bytes: int
    statistics: str


def statistics_columns(table: LakeTable) -> list[str]:
    """The columns that a reader may prune files by: when, and whence. None of them is ever NULL."""
    wanted = ("start_time", "time", "start_unix_nano", "time_unix_nano", "journal_id", "journal_position")
    always = {column.name for column in table.columns if column.always}
    return [name for name in wanted if name in always]


class DataFile:
    """A file that is being written, at a path where no reader looks. What it is handed is gathered to row groups."""

    def __init__(self, path: Path, name: str, day: date, table: LakeTable, level: int) -> None:
        self.path, self.name, self.day, self._table, self._level = path, name, day, table, level
        self.buffered_bytes = 0
        self._buffered: list[pa.Table] = []
        self._buffered_rows = 0
        self._sink: Any = None
        self._writer: Any = None

    @property
    def size_bytes(self) -> int:
        """What is in the file; without what is still gathered."""
        return int(self._sink.tell()) if self._sink else 0

    def append(self, rows: pa.Table) -> None:
        """Take rows of the table's columns, but for `date`."""
        rows = without_unused_texts(rows)
        self._buffered.append(rows)
        self._buffered_rows += rows.num_rows
        self.buffered_bytes += rows.nbytes
        if self.buffered_bytes >= ROW_GROUP_BYTES or self._buffered_rows >= ROW_GROUP_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered, as a row group."""
        if not self._buffered:
            return
        rows = _joined(self._buffered)
        if self._writer is None:
            self._open(rows)
        try:
            self._writer.write_table(_as(rows, self._writer.schema), row_group_size=ROW_GROUP_ROWS)
        except _OF_ROWS as error:
            raise UnfitRows(f"{self._table.name}: {error}") from error
        self._buffered, self._buffered_rows, self.buffered_bytes = [], 0, 0

    def finish(self) -> Written:
        """Write the end, and return when the file is durable."""
        self.flush()
        collected: list[Any] = []
        self._writer._metadata_collector = collected
        self._writer.close()
        self._sink.close()
        descriptor = os.open(self.path, os.O_RDWR)
        try:
            sync(descriptor)
            size = os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
        (metadata,) = collected
        return Written(self.path, self.name, self.day, metadata.num_rows, size, statistics(metadata, self._table))

    def abandon(self) -> None:
        """Leave nothing behind."""
        for part in (self._writer, self._sink):
            try:
                if part:
                    part.close()
            except (OSError, pa.ArrowException):
                pass  # it may be the very reason
        self.path.unlink(missing_ok=True)

    def _open(self, rows: pa.Table) -> None:
        self.path.parent.mkdir(exist_ok=True)
        self._sink = pa.OSFile(str(self.path), "wb")
        self._writer = pq.ParquetWriter(
            self._sink,
            rows.schema,
            compression="zstd",
            compression_level=self._level,
            use_dictionary=_repeating(self._table.name),
            column_encoding=_encodings(self._table.name),
            store_decimal_as_integer=True,
            write_statistics=[*statistics_columns(self._table), "received_unix_nano", "journal_item"],
            bloom_filter_options={
                name: {"ndv": rows.num_rows, "fpp": _FALSE_POSITIVES} for name in _present(self._table, _LOOKED_UP)
            },
            write_page_index=True,
            store_schema=False,  # dictionaries are ours; a reader sees plain text
        )


def without_unused_texts(rows: pa.Table) -> pa.Table:
    """The rows with small dictionaries: one that has more texts than there are rows would be written as a whole."""
    for place, column in enumerate(rows.columns):
        if pa.types.is_dictionary(column.type):
            if sum(len(chunk.dictionary) for chunk in column.chunks) > rows.num_rows:
                used = column.cast(column.type.value_type).combine_chunks().dictionary_encode()
                rows = rows.set_column(place, rows.schema.field(place).with_type(used.type), used)
    return rows


def _joined(tables: list[pa.Table]) -> pa.Table:
    if len(tables) == 1:
        return tables[0].unify_dictionaries()
    schema = tables[0].schema
    return pa.concat_tables([_as(table, schema) for table in tables]).unify_dictionaries()


def _as(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The same rows with text as dictionaries where the file has begun so, and plain where it has not."""
    if rows.schema.equals(schema):
        return rows
    columns = [_cast(rows.column(field.name), field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _cast(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    if column.type.equals(wanted):
        return column
    if pa.types.is_dictionary(wanted) and not pa.types.is_dictionary(column.type):
        return column.dictionary_encode()
    return column.cast(wanted)


def _present(table: LakeTable, names: Sequence[str]) -> list[str]:
    there = {column.name for column in table.columns}
    return [name for name in names if name in there]


@cache
def _repeating(table: str) -> list[str]:
    """Leaves that are written with a dictionary: text, but not what is different in every row.

    A dictionary of all values of `attributes` outgrows its page, and is given up: a tenth of the time, for nothing.
    """
    found: list[str] = []
    for column in TABLES[table].columns:
        if pa.types.is_map(column.type):
            found.append(f"{column.name}.key_value.key")
            if column.name != "attributes":
                found.append(f"{column.name}.key_value.value")
        elif pa.types.is_string(column.type) and column.name not in IDS:
            found.append(column.name)
    return found


@cache
def _encodings(table: str) -> dict[str, str]:
    """Whole numbers are written in as few bits as they need, and money is whole numbers: a quarter to a half of the
    time to read them, less to write them, and 3 % more bytes, as there is less left to compress.
    """
    names = [column.name for column in TABLES[table].columns if column.name != "date" and _is_whole(column.type)]
    return dict.fromkeys(names, "DELTA_BINARY_PACKED")


def _is_whole(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or kind in (TIME, MONEY)


def statistics(metadata: Any, table: LakeTable) -> str:
    """What the log has of a file: how many rows, and the bounds of some columns."""
    indices = {metadata.row_group(0).column(i).path_in_schema: i for i in range(metadata.num_columns)}
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    found = {
        name: _bounds(group.column(indices[name]).statistics for group in groups) for name in statistics_columns(table)
    }
    return json.dumps(
        {
            "numRecords": metadata.num_rows,
            "minValues": {name: _in_json(low) for name, (low, _) in found.items()},
            "maxValues": {name: _in_json(high) for name, (_, high) in found.items()},
            "nullCount": dict.fromkeys(found, 0),
        }
    )


def _bounds(groups: Iterable[Any]) -> tuple[Any, Any]:
    found = [(group.min, group.max) for group in groups]
    return min(low for low, _ in found), max(high for _, high in found)


def _in_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return value
