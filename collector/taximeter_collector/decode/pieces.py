"""Stretches of a buffer, thousands at once, and the numbers that stand in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]

from taximeter_collector.decode.views import bounds_of, look

__all__ = ["Bytes", "Ints", "Pieces", "varints"]

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

_LONGEST_VARINT = 10


@dataclass(slots=True)
class Pieces:
    """Where each begins, and how many bytes it has."""

    buffer: pa.Buffer | None
    begin: npt.NDArray[np.int32]
    size: npt.NDArray[np.int32]

    @classmethod
    def of(cls, column: pa.BinaryArray) -> Pieces:
        """All of a column."""
        bounds = bounds_of(column)
        return cls(column.buffers()[2], bounds[:-1], np.diff(bounds))

    def __len__(self) -> int:
        return len(self.begin)

    @property
    def data(self) -> Bytes:
        """The whole buffer; it is never empty, so that there is something to look at."""
        return np.frombuffer(self.buffer or b"\0", dtype=np.uint8)

    def copied(self, places: npt.NDArray[np.integer[Any]], type_: pa.DataType) -> pa.Array:
        """Some of them, as a column of bytes or of text."""
        buffers = [self.buffer]
        views = look(buffers, self.begin[places], self.size[places])
        of_views = pa.string_view() if pa.types.is_string(type_) else pa.binary_view()
        return pa.Array.from_buffers(of_views, len(views), [None, pa.py_buffer(views), *buffers]).cast(type_)


def varints(data: Bytes, begin: npt.NDArray[np.integer[Any]]) -> tuple[Ints, Ints]:
    """The varints that begin there, and how many bytes each has; 11 for what does not end."""
    value = np.zeros(len(begin), dtype=np.uint64)
    length = np.full(len(begin), _LONGEST_VARINT + 1, dtype=np.int64)
    live = np.arange(len(begin))
    for at in range(_LONGEST_VARINT):
        byte = data[np.minimum(begin[live] + at, len(data) - 1)]
        value[live] |= (byte & np.uint8(0x7F)).astype(np.uint64) << np.uint64(7 * at)
        ended = byte < 0x80
        length[live[ended]] = at + 1
        live = live[~ended]
        if not len(live):
            break
    return value.view(np.int64), length
