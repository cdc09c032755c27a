"""Attribute values, from their bytes: most are a field number, a length, and a text, and thousands are read at once.

ptars would make a column for each kind of value, all but one of which are empty in any row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from taximeter_collector.decode.arrays import masked
from taximeter_collector.decode.json_texts import json_of, texts_of_doubles
from taximeter_collector.decode.pieces import Bytes, Pieces, varints
from taximeter_collector.decode.views import at_any, bounds_of, look, texts_of

__all__ = ["Values", "as_usual", "read_pieces", "read_values"]

Mask = npt.NDArray[np.bool_]

_TEXT, _BOOL, _INT, _DOUBLE = 0x0A, 0x10, 0x18, 0x21
_STRUCTURED = (0x2A, 0x32)
_BYTES = 0x3A
_SHORT_HEADER = 2  # the tag, and a length of one byte
_LONG = 1 << 7  # a length of more than one byte


def _of(*tags: int) -> Mask:
    """A table of 256 that says of each first byte whether it is one of these."""
    return np.isin(np.arange(256), tags)


_IS_MEASURED = _of(_TEXT, *_STRUCTURED, _BYTES)
_IS_STRUCTURED = _of(*_STRUCTURED)
_IS_COMMON = _of(0, _TEXT, _INT, _DOUBLE)
_SIZES = np.full(256, -1, dtype=np.int32)
_SIZES[[0, _BOOL, _DOUBLE]] = 0, 2, 9


@dataclass(slots=True)
class Values:
    """Values of attributes."""

    text: pa.StringArray  # text as it is, anything else as JSON, nothing at all as an empty text
    ints: pa.Int64Array  # where it was sent as an integer
    doubles: pa.DoubleArray  # where it was sent as a double
    structured: Mask | None  # where it was sent as a list or as pairs; None if nowhere

    @classmethod
    def of_texts(cls, text: pa.StringArray, structured: Mask | None = None) -> Values:
        """Values that are no numbers."""
        size = len(text)
        return cls(text, pa.nulls(size, pa.int64()), pa.nulls(size, pa.float64()), structured)

    def and_then(self, more: Values) -> Values:
        """These, and more behind them."""
        text, ints, doubles = (
            pa.concat_arrays([getattr(self, name), getattr(more, name)]) for name in ("text", "ints", "doubles")
        )
        structured = np.concatenate([part._structured() for part in (self, more)])
        return Values(text, ints, doubles, _if_any(structured))

    def _structured(self) -> Mask:
        return np.zeros(len(self.text), np.bool_) if self.structured is None else self.structured


def read_values(values: pa.BinaryArray) -> Values:
    """AnyValues that are still encoded. ValueError for what is none."""
    return read_pieces(Pieces.of(values))


def read_pieces(values: Pieces) -> Values:
    """The same, wherever they stand."""
    if not len(values):
        return Values(pa.array([], pa.string()), pa.array([], pa.int64()), pa.array([], pa.float64()), None)
    wire = _Wire.of(values)
    if wire.odd.any():
        values = _rewritten(values, wire.odd)
        wire = _Wire.of(values)
    text = _texts(values, wire)
    text.validate(full=True)  # what is no UTF-8 would break files that it is written to
    structured = _IS_STRUCTURED[wire.tag]
    return Values(text, wire.ints.spread(len(values)), wire.doubles.spread(len(values)), _if_any(structured))


@dataclass(slots=True)
class _Numbers:
    """Those of the values that are numbers of one kind, and where they are."""

    places: npt.NDArray[np.intp]
    values: npt.NDArray[Any]

    def spread(self, size: int) -> pa.Array:
        """Each in its place among all values, and NULL in between."""
        numbers, valid = np.zeros(size, dtype=self.values.dtype), np.zeros(size, dtype=np.bool_)
        numbers[self.places] = self.values
        valid[self.places] = True
        return masked(numbers, valid)


@dataclass(slots=True)
class _Wire:
    """The values' bytes, and what each begins with."""

    data: Bytes
    begin: npt.NDArray[np.int32]
    size: npt.NDArray[np.int32]
    tag: Bytes  # 0 where there is nothing
    header: npt.NDArray[np.int32]  # of what has a length: how much comes before it
    odd: Mask  # what is not written as everybody writes it: several fields, or unknown ones
    ints: _Numbers
    doubles: _Numbers

    @classmethod
    def of(cls, values: Pieces) -> _Wire:
        read, begin, size = values.data, values.begin, values.size
        tag = read[np.minimum(begin, len(read) - 1)]
        tag[size == 0] = 0
        header = np.full(len(values), _SHORT_HEADER, dtype=np.int32)
        none = _Numbers(np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.int64))
        wire = cls(read, begin, size, tag, header, np.zeros(len(values), np.bool_), none, none)
        wire._look()
        return wire

    def _look(self) -> None:
        tag, size = self.tag, self.size
        measured = _IS_MEASURED[tag]
        last = len(self.data) - 1
        length = self.data[np.minimum(self.begin + 1, last)].astype(np.int32)
        long = np.flatnonzero(measured & (length >= _LONG))
        if len(long):
            length[long], self.header[long] = varints(self.data, self.begin[long] + 1)
            self.header[long] += 1
        right = measured & (length == size - self.header) & (size >= 2)
        right |= size == _SIZES[tag]  # nothing, a flag, a double
        self.odd = ~right
        places = np.flatnonzero(tag == _INT)
        numbers, lengths = varints(self.data, self.begin[places] + 1)
        self.odd[places] = lengths != size[places] - 1
        self.ints = _Numbers(places, numbers)
        places = np.flatnonzero((tag == _DOUBLE) & right)
        self.doubles = _Numbers(places, at_any(self.data, self.begin[places] + 1, "<f8"))


def _texts(values: Pieces, wire: _Wire) -> pa.StringArray:
    """What is shown of each: where in the values' bytes it is, or in those of what was written anew, copied once."""
    buffers = [values.buffer]
    length = np.where(wire.tag == _TEXT, wire.size - wire.header, 0)
    views = look(buffers, wire.begin + wire.header, length)
    places, written = _written(values, wire)
    if len(places):
        bounds = bounds_of(written)
        buffers.append(written.buffers()[2])
        views[places] = look(buffers, bounds[:-1], np.diff(bounds))
    return texts_of(views, buffers)


def _written(values: Pieces, wire: _Wire) -> tuple[npt.NDArray[np.intp], pa.StringArray]:
    """What is no text, as JSON, and where it belongs."""
    places, found = [np.zeros(0, dtype=np.intp)], [pa.array([], pa.string())]
    for numbers, write in ((wire.ints, _digits), (wire.doubles, texts_of_doubles)):
        if len(numbers.places):
            places.append(numbers.places)
            found.append(write(pa.array(numbers.values)))
    at = np.flatnonzero(~_IS_COMMON[wire.tag])
    if len(at):
        places.append(at)
        found.append(_each(values.copied(at, pa.binary()), json_of))
    return np.concatenate(places), pa.concat_arrays(found)


def _rewritten(values: Pieces, odd: Mask) -> Pieces:
    """The same, with the odd ones as everybody writes them."""
    column = values.copied(np.arange(len(values)), pa.binary())
    told = [_parsed(data) for data in column.take(pa.array(np.flatnonzero(odd))).to_pylist()]
    usual = pa.array([as_usual(value).SerializeToString() for value in told], pa.binary())
    return Pieces.of(pc.replace_with_mask(column, pa.array(odd), usual))


def as_usual(value: AnyValue) -> AnyValue:
    """What everybody knows of a value: one field, the last that is told."""
    value.DiscardUnknownFields()
    value.ClearField("string_value_strindex")  # has a meaning in profiles only
    return value


def _parsed(data: bytes) -> AnyValue:
    try:
        return AnyValue.FromString(data)
    except DecodeError as error:
        raise ValueError(f"an attribute's value: {error}") from error


def _if_any(mask: Mask) -> Mask | None:
    return mask if mask.any() else None


def _digits(numbers: pa.Int64Array) -> pa.StringArray:
    return numbers.cast(pa.string())


def _each(column: pa.BinaryArray, read: Callable[[AnyValue], str]) -> pa.StringArray:
    """What is the same is read once: most are lists of one finish reason."""
    encoded = column.dictionary_encode()
    texts = [read(_parsed(data)) for data in encoded.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(encoded.indices)
