"""A table's columns as arrays, whichever of Arrow's encodings they come in, and whether they are there or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

__all__ = ["UNTOLD", "Columns", "numbered"]

Mask: TypeAlias = npt.NDArray[np.bool_]
Ints: TypeAlias = npt.NDArray[np.int64]

UNTOLD = -(2**63)
"""A number that nobody told."""


class Columns:
    """A table's columns, as they are needed here, whichever of Arrow's encodings they come in."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self._names = set(table.column_names)
        self.rows: int = table.num_rows

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def take(self, rows: Ints) -> Columns:
        """Some rows."""
        return Columns(self._table.take(pa.array(rows)))

    def select(self, names: Sequence[str]) -> Columns:
        """Some columns, of those that are here."""
        return Columns(self._table.select([name for name in names if name in self._names]))

    def column(self, name: str, otherwise: pa.DataType) -> pa.Array:
        """Whole; nulls if it is missing."""
        if name not in self._names:
            return pa.nulls(self.rows, otherwise)
        column = self._table[name]
        if column.num_chunks == 1:
            return column.chunk(0)
        whole = column.unify_dictionaries().combine_chunks()
        return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole

    def told(self, name: str) -> pa.Array | None:
        """None if nobody said it of any call."""
        if name not in self._names or self._table[name].null_count == self.rows:
            return None
        return self.column(name, pa.int64())

    def text(self, name: str) -> pa.StringArray:
        return _as(self.column(name, pa.string()), pa.string())

    def dictionary(self, name: str) -> pa.DictionaryArray:
        column = self.column(name, pa.string())
        return column if pa.types.is_dictionary(column.type) else column.cast(pa.string()).dictionary_encode()

    def equals(self, name: str, text: str) -> Mask:
        if name not in self._names or self._table[name].null_count == self.rows:
            return np.zeros(self.rows, np.bool_)
        column = self.column(name, pa.string())
        if not pa.types.is_dictionary(column.type):
            found = pc.equal(_as(column, pa.string()), text)
            return np.asarray(_filled(found, False).to_numpy(zero_copy_only=False))
        each = pc.equal(column.dictionary.cast(pa.string()), text).fill_null(False).to_numpy(zero_copy_only=False)
        if len(each) == 1 and not column.null_count:
            return np.full(self.rows, each[0])
        codes = _filled(column.indices, len(each)).to_numpy(zero_copy_only=False)
        return np.asarray(np.append(each, False)[codes])

    def truth(self, name: str) -> Mask:
        if name not in self._names:
            return np.zeros(self.rows, np.bool_)
        column = _as(self.column(name, pa.bool_()), pa.bool_())
        return np.asarray(_filled(column, False).to_numpy(zero_copy_only=False))

    def integers(self, name: str, otherwise: int) -> Ints:
        column = _as(self.column(name, pa.int64()), pa.int64())
        return np.asarray(_filled(column, otherwise).to_numpy(zero_copy_only=False))

    @staticmethod
    def picodollars(column: pa.Array) -> Ints:
        """DECIMAL(18,12) as the integer that it is: below a million dollars, the lower half of its 16 bytes."""
        filled = _as(column, pa.decimal128(18, 12))
        halves = np.frombuffer(filled.buffers()[1], np.int64)[filled.offset * 2 :][: len(filled) * 2 : 2]
        if not filled.null_count:
            return halves
        return np.where(filled.is_valid().to_numpy(zero_copy_only=False), halves, UNTOLD)

    def days(self) -> npt.NDArray[np.int32]:
        column = _as(self.column("date", pa.date32()), pa.date32())
        return np.asarray(column.view(pa.int32()).to_numpy(zero_copy_only=False))

    def journals(self, known: dict[str, int]) -> npt.NDArray[np.int32]:
        return numbered(self.dictionary("journal_id"), known)


def _as(column: pa.Array, kind: pa.DataType) -> pa.Array:
    return column if column.type == kind else column.cast(kind)


def _filled(column: pa.Array, value: int | bool) -> pa.Array:
    return column.fill_null(value) if column.null_count else column


def numbered(texts: pa.DictionaryArray, known: dict[str, int]) -> npt.NDArray[np.int32]:
    """The number of each text, 0 for null; texts that are new get the next ones."""
    indices = _filled(texts.indices, 0)
    codes = np.array([known.setdefault(text, len(known)) for text in texts.dictionary.to_pylist()] or [0], np.int32)
    return np.asarray(codes[indices.to_numpy(zero_copy_only=False)])
