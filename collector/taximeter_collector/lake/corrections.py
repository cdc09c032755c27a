"""Rows of which something else is true by now: found in the files that hold them, which are replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.lake.log import ActiveFile
from taximeter_collector.lake.parquet import DataFile, Written
from taximeter_collector.lake.reading import open_file, read_row_group
from taximeter_collector.lake.schema import CALLS

__all__ = ["Superseded", "concerned", "corrected"]

_SAID = ("billable", "not_billable_because", "billed_as")
_IDENTITY = ("journal_id", "journal_position", "journal_item")


@dataclass(frozen=True, slots=True)
class Superseded:
    """A row of `calls` that landed before, and what is true of it now. It counts after all if there is no `because`."""

    date: date
    journal_id: str
    journal_position: int
    journal_item: int
    because: str | None
    billed_as: str | None

    @property
    def identity(self) -> tuple[str, int, int]:
        """Which row it is."""
        return self.journal_id, self.journal_position, self.journal_item


Hits = dict[int, list[tuple[int, Superseded]]]  # by row group: which of its rows


def concerned(
    files: Iterable[ActiveFile], wanted: Sequence[Superseded]
) -> Iterator[tuple[ActiveFile, list[Superseded]]]:
    """The files that can hold some of them, by what the log says of each."""
    by_day: dict[date, list[Superseded]] = {}
    for one in wanted:
        by_day.setdefault(one.date, []).append(one)
    for file in files:
        lowest, highest = file.journals
        possible = [
            one
            for one in by_day.get(file.date, ())
            if file.first_position <= one.journal_position <= file.last_position and lowest <= one.journal_id <= highest
        ]
        if possible:
            yield file, possible


def corrected(
    path: Path, wanted: Sequence[Superseded], new_file: Callable[[], DataFile]
) -> tuple[Written | None, list[Superseded]]:
    """The file again with what is true now, and which of the rows were found in it.

    There is no new file if there was nothing to change: all of it may have been done before, and replayed.
    """
    with open_file(path, CALLS) as source:
        hits = _find(source, wanted)
        found = [one for rows in hits.values() for _, one in rows]
        if not any(_changes(source, group, rows) for group, rows in hits.items()):
            return None, found
        file = new_file()
        try:
            for group in range(source.num_row_groups):
                rows = read_row_group(source, "calls", group)
                file.append(_apply(rows, hits[group]) if group in hits else rows)
            return file.finish(), found
        except BaseException:
            file.abandon()
            raise


def _find(source: Any, wanted: Sequence[Superseded]) -> Hits:
    by_identity = {one.identity: one for one in wanted}
    positions = pa.array({one.journal_position for one in wanted}, pa.int64())
    hits: Hits = {}
    for group in range(source.num_row_groups):
        rows = source.read_row_group(group, columns=list(_IDENTITY))
        indices = pc.indices_nonzero(pc.is_in(rows["journal_position"], positions))
        near = rows.take(indices)
        identities = zip(*(near[name].to_pylist() for name in _IDENTITY), strict=True)
        found = [
            (index, by_identity[identity])
            for index, identity in zip(indices.to_pylist(), identities, strict=True)
            if identity in by_identity
        ]
        if found:
            hits[group] = found
    return hits


def _changes(source: Any, group: int, rows: list[tuple[int, Superseded]]) -> bool:
    said = source.read_row_group(group, columns=list(_SAID)).take([index for index, _ in rows])
    now = zip(*(said[name].to_pylist() for name in _SAID), strict=True)
    return any(
        is_so != (one.because is None, one.because, one.billed_as) for is_so, (_, one) in zip(now, rows, strict=True)
    )


def _apply(table: pa.Table, rows: list[tuple[int, Superseded]]) -> pa.Table:
    indices = [index for index, _ in rows]
    news: tuple[list[Any], ...] = (
        [one.because is None for _, one in rows],
        [one.because for _, one in rows],
        [one.billed_as for _, one in rows],
    )
    for name, values in zip(_SAID, news, strict=True):
        place = table.column_names.index(name)
        table = table.set_column(place, table.schema.field(name), _replaced(table[name], indices, values))
    return table


def _replaced(column: pa.ChunkedArray, indices: list[int], values: list[Any]) -> pa.Array:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    old = column.cast(kind).combine_chunks()
    order = np.arange(len(old))
    order[indices] = len(old) + np.arange(len(values))
    new = pa.concat_arrays([old, pa.array(values, kind)]).take(pa.array(order))
    return new.dictionary_encode() if pa.types.is_dictionary(column.type) else new
