"""Rows of several files as one stream in the order of time, with a bounded part of them in memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from taximeter_collector.lake.log import ActiveFile
from taximeter_collector.lake.parquet import without_unused_texts
from taximeter_collector.lake.reading import open_file, read_row_group, row_group_bounds
from taximeter_collector.lake.schema import LakeTable

__all__ = ["in_order_of_time"]

_GATHERED_BYTES = 8 << 20  # is sorted at once
_MOST_BYTES = 32 << 20  # beyond it, files that overlap too much come out in nearly the order of time


class _Piece:
    """A row group that has not been read yet; or a file that has not been opened, as it begins with its earliest."""

    def __init__(self, begins: int, place: int, source: Any, group: int | None) -> None:
        self.begins, self.place, self.source, self.group = begins, place, source, group

    def __lt__(self, other: _Piece) -> bool:
        return (self.begins, self.place) < (other.begins, other.place)


def in_order_of_time(folder: Path, files: Sequence[ActiveFile], table: LakeTable) -> Iterator[pa.Table]:
    """All rows of the files, the earliest first."""
    key = table.columns[2].name
    heap = [_Piece(file.first_unix_nano, place, folder / file.path, None) for place, file in enumerate(files)]
    heapq.heapify(heap)
    gathered: list[pa.Table] = []
    limit = _GATHERED_BYTES
    while heap:
        piece = heapq.heappop(heap)
        if piece.group is None:
            source = open_file(piece.source, table)
            for group, begins in enumerate(row_group_bounds(source, key)):
                heapq.heappush(heap, _Piece(begins, piece.place, source, group))
            continue
        gathered.append(read_row_group(piece.source, table.name, piece.group))
        held = sum(rows.nbytes for rows in gathered)
        if held >= limit or not heap:
            early, late = _parted(gathered, key, heap[0].begins if heap else None, held >= _MOST_BYTES)
            del gathered[:]
            if early.num_rows:
                yield early
            del early
            if late.num_rows:
                gathered.append(without_unused_texts(late))
            limit = late.nbytes + _GATHERED_BYTES


def _parted(gathered: list[pa.Table], key: str, begins: int | None, is_full: bool) -> tuple[pa.Table, pa.Table]:
    """What is earlier than all that is yet to be read, in order; and the rest."""
    rows = pa.concat_tables(gathered).unify_dictionaries()
    times = rows[key].to_numpy()
    order = np.argsort(times, kind="stable")
    cut = rows.num_rows if begins is None else int(np.searchsorted(times, begins, side="left", sorter=order))
    if is_full:
        cut = max(cut, rows.num_rows // 2)
    # Copies of their own: a slice would keep all of it in memory.
    return rows.take(pa.array(order[:cut])), rows.take(pa.array(order[cut:]))
