"""Files that one process is writing into a table: one for each day that rows come for."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.journal.files import sync_folder
from taximeter_collector.lake.errors import LakeError
from taximeter_collector.lake.log import partition
from taximeter_collector.lake.parquet import DataFile, Written
from taximeter_collector.lake.schema import LakeTable

__all__ = ["DayFiles", "drop", "leftovers", "place"]

_WRITING = "_writing"  # with an ending of its own: neither Delta nor a pattern for Parquet files finds it
_MOST_OPEN = 32
_MOST_BUFFERED_BYTES = 32 << 20


class DayFiles:
    """Rows go in, in any order of days; whole files come out."""

    def __init__(self, folder: Path, table: LakeTable, author: str, level: int, target_bytes: int) -> None:
        self._folder, self._table, self._author = folder, table, author
        self._level, self._target_bytes = level, target_bytes
        self._open: OrderedDict[date, DataFile] = OrderedDict()
        self._finished: list[Written] = []

    @property
    def is_empty(self) -> bool:
        """Whether nothing was appended since the last `finish`."""
        return not self._open and not self._finished

    def append(self, rows: pa.Table) -> None:
        """Take rows of the table's columns."""
        for day, part in _by_day(_fitted(rows, self._table)):
            file = self._file(day)
            file.append(part)
            if file.size_bytes >= self._target_bytes:
                self._finish(day)
        while sum(file.buffered_bytes for file in self._open.values()) > _MOST_BUFFERED_BYTES:
            max(self._open.values(), key=lambda file: file.buffered_bytes).flush()

    def finish(self) -> list[Written]:
        """Close all; the files are durable, and still where nobody looks."""
        for day in list(self._open):
            self._finish(day)
        finished, self._finished = self._finished, []
        return finished

    def abandon(self) -> None:
        """Leave nothing of what is not yet given away."""
        for file in self._open.values():
            file.abandon()
        drop(self._finished)
        self._open.clear()
        self._finished = []

    def new_file(self, day: date) -> DataFile:
        """A file of this author beside the others."""
        name = f"{self._author}-{uuid.uuid4().hex}.parquet"
        path = self._folder / _WRITING / f"{name.removesuffix('.parquet')}.writing"
        return DataFile(path, name, day, self._table, self._level)

    def _file(self, day: date) -> DataFile:
        if day not in self._open:
            while len(self._open) >= _MOST_OPEN:
                self._finish(next(iter(self._open)))
            self._open[day] = self.new_file(day)
        self._open.move_to_end(day)
        return self._open[day]

    def _finish(self, day: date) -> None:
        self._finished.append(self._open[day].finish())
        del self._open[day]


def place(folder: Path, files: Iterable[Written]) -> None:
    """Move whole files to where they are read, durably. What is there already stays."""
    folders = set()
    for file in files:
        if not file.path.exists():
            continue
        day = folder / partition(file.date)
        if not day.is_dir():
            day.mkdir(parents=True, exist_ok=True)
            folders.add(folder)
        file.path.replace(day / file.name)
        folders.add(day)
    for one in folders:
        sync_folder(one)


def drop(files: Iterable[Written], folder: Path | None = None) -> None:
    """Delete files that were not committed; with a folder, those that were already moved to their places, too."""
    for file in files:
        with contextlib.suppress(OSError):
            file.path.unlink(missing_ok=True)
            if folder:
                (folder / partition(file.date) / file.name).unlink(missing_ok=True)


def leftovers(folder: Path, author: str) -> Iterator[Path]:
    """Files of an author in a table's folder: begun ones, and those in the folders of days."""
    name = re.compile(rf"{re.escape(author)}-[0-9a-f]{{32}}\.(parquet|writing)")
    for day in folder.iterdir():
        if day.name == _WRITING or day.name.startswith("date="):
            yield from (file for file in day.iterdir() if name.fullmatch(file.name))


def _fitted(rows: pa.Table, table: LakeTable) -> pa.Table:
    """The rows with all columns of the table, in its order; one that is not there is NULL."""
    given = dict(zip(rows.column_names, rows.columns, strict=True))
    fields, columns = [], []
    for column in table.columns:
        values = given.pop(column.name, None)
        if values is None:
            values = pa.chunked_array([pa.nulls(rows.num_rows, column.type)])
        values = _typed(values, column.type)
        if column.always and values.null_count:
            raise LakeError(f"{table.name}.{column.name} is NULL in {values.null_count} rows, and never may be")
        fields.append(pa.field(column.name, values.type, not column.always))
        columns.append(values)
    if given:
        raise LakeError(f"{table.name} has no column {', '.join(sorted(given))}")
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _typed(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    if column.type.equals(wanted):
        return column
    if pa.types.is_string(wanted) and pa.types.is_dictionary(column.type):
        return column.cast(pa.dictionary(pa.int32(), wanted))
    if pa.types.is_map(wanted) and pa.types.is_map(column.type):
        return column  # of texts, or of numbers of texts
    return column.cast(wanted)


def _by_day(rows: pa.Table) -> Sequence[tuple[date, pa.Table]]:
    days = pc.unique(rows["date"]).to_pylist()
    rest = rows.drop_columns(["date"])
    if len(days) <= 1:
        return [(day, rest) for day in days]
    return [(day, rest.filter(pc.equal(rows["date"], pa.scalar(day, pa.date32())))) for day in days]
