"""Texts that are looked at where they are, and copied once: Arrow's views, sixteen bytes each.

Arrow takes long texts one by one, and its memory grows as it does. Views are cast to texts in one go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]

__all__ = ["at_any", "bounds_of", "look", "repeated", "taken", "texts_of"]

Views = npt.NDArray[Any]

_LENGTH, _INLINE = 4, 12  # bytes of a view: how long a text is, and as much of it as can be in the view itself


def look(buffers: Sequence[pa.Buffer], begin: npt.NDArray[np.int32], length: npt.NDArray[np.int32]) -> Views:
    """Views: a length, and twelve bytes that are the text, or four of it and where it is in the last buffer."""
    data = np.frombuffer(buffers[-1] or b"", dtype=np.uint8)
    first, last = _LENGTH, len(data) - _INLINE
    found = np.zeros((len(length), 4), dtype="<u4")
    if last >= first:  # with the four bytes before it, which make room for the length
        found = at_any(data, np.clip(begin, first, last) - _LENGTH, "V16").view("<u4").reshape(-1, 4)
    found[:, 0] = length
    for at in np.flatnonzero(((begin < first) | (begin > last)) & (length > 0)).tolist():  # a few at either end
        rest = data[begin[at] : begin[at] + min(length[at], _INLINE)].tobytes()
        found[at, 1:] = np.frombuffer(rest.ljust(_INLINE, b"\0"), dtype="<u4")
    long = np.flatnonzero(length > _INLINE)
    found[long, 2] = len(buffers) - 1
    found[long, 3] = begin[long]
    views: Views = found.view("V16").reshape(-1)  # as wholes they are put elsewhere faster than by fours
    return views


def texts_of(views: Views, buffers: Sequence[pa.Buffer]) -> pa.StringArray:
    """A copy of what the views show."""
    return pa.Array.from_buffers(pa.string_view(), len(views), [None, pa.py_buffer(views), *buffers]).cast(pa.string())


def taken(texts: pa.StringArray, places: npt.NDArray[np.integer[Any]]) -> pa.StringArray:
    """The texts in these places, none of which is NULL. For long texts: `take` is faster for short ones.

    >>> taken(pa.array(["a", "that is it", "and a longer one"]), np.array([2, 0])).to_pylist()
    ['and a longer one', 'a']
    """
    if not len(places):
        return pa.array([], pa.string())
    bounds = bounds_of(texts)
    begin, buffers = bounds[places], [texts.buffers()[2]]
    return texts_of(look(buffers, begin, bounds[places + 1] - begin), buffers)


def repeated(texts: pa.StringArray, which: npt.NDArray[np.integer[Any]]) -> pa.StringArray:
    """Texts by their number, many of them often.

    >>> repeated(pa.array(["a", "that is it"]), np.array([1, 0, 1])).to_pylist()
    ['that is it', 'a', 'that is it']
    """
    bounds, buffers = bounds_of(texts), [texts.buffers()[2]]
    return texts_of(look(buffers, bounds[:-1], np.diff(bounds))[which], buffers)


def bounds_of(texts: pa.StringArray | pa.BinaryArray) -> npt.NDArray[np.int32]:
    """Where in their buffer they begin, and where the last one ends."""
    return np.frombuffer(texts.buffers()[1], dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]


def at_any(data: npt.NDArray[np.uint8], begin: npt.NDArray[np.integer[Any]], dtype: str) -> npt.NDArray[Any]:
    """Numbers that stand anywhere in bytes, aligned or not."""
    size = np.dtype(dtype).itemsize
    if len(data) < size:
        return np.zeros(0, dtype)
    everywhere = np.ndarray((len(data) - size + 1,), dtype, data, strides=(1,))
    found: npt.NDArray[Any] = everywhere[begin]
    return found
