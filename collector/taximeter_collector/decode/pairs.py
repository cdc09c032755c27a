"""KeyValues, from their bytes: a key, and a value that values.py reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from taximeter_collector.decode.pieces import Ints, Pieces, varints
from taximeter_collector.decode.values import Values, as_usual, read_pieces

__all__ = ["Pairs", "read_pairs"]

_KEY, _VALUE = 0x0A, 0x12
_LONG = 1 << 7  # a length of more than one byte


@dataclass(slots=True)
class Pairs:
    """Keys, and their values."""

    keys: pa.StringArray
    values: Values


def read_pairs(pairs: pa.BinaryArray) -> Pairs:
    """KeyValues that are still encoded. ValueError for what is none."""
    keys, values, odd = _split(pairs)
    if odd.any():
        pairs = _rewritten(pairs, odd)
        keys, values, _ = _split(pairs)
    texts = keys.copied(np.arange(len(keys)), pa.string())
    texts.validate(full=True)
    return Pairs(texts, read_pieces(values))


def _split(pairs: pa.BinaryArray) -> tuple[Pieces, Pieces, npt.NDArray[np.bool_]]:
    """Keys and values; and which pairs are not a key and a value, as everybody writes them."""
    whole = Pieces.of(pairs)
    end = whole.begin.astype(np.int64) + whole.size
    key, key_size = _field(whole, _KEY, whole.begin.astype(np.int64), end)
    value, value_size = _field(whole, _VALUE, key + key_size, end)
    odd = value + value_size != end
    for column in (key, key_size, value, value_size):
        column[odd] = 0
    return _pieces(whole, key, key_size), _pieces(whole, value, value_size), odd


def _pieces(whole: Pieces, begin: Ints, size: Ints) -> Pieces:
    return Pieces(whole.buffer, begin.astype(np.int32), size.astype(np.int32))


def _field(whole: Pieces, tag: int, at: Ints, end: Ints) -> tuple[Ints, Ints]:
    """Where the bytes of a field begin, and how many there are. Where another field stands, it has none."""
    data, last = whole.data, len(whole.data) - 1
    there = (at < end) & (data[np.clip(at, 0, last)] == tag)
    size = np.where(there, data[np.clip(at + 1, 0, last)], 0).astype(np.int64)
    begin = np.where(there, at + 2, at)
    long = np.flatnonzero(size >= _LONG)
    if len(long):
        size[long], header = varints(data, at[long] + 1)
        begin[long] = at[long] + 1 + header
    return begin, size


def _rewritten(pairs: pa.BinaryArray, odd: npt.NDArray[np.bool_]) -> pa.BinaryArray:
    """The same, with the odd ones as everybody writes them."""
    usual = []
    for data in pairs.take(pa.array(np.flatnonzero(odd))).to_pylist():
        try:
            told = KeyValue.FromString(data)
        except DecodeError as error:
            raise ValueError(f"an attribute: {error}") from error
        usual.append(KeyValue(key=told.key, value=as_usual(told.value)).SerializeToString())
    return pc.replace_with_mask(pairs, pa.array(odd), pa.array(usual, pa.binary()))
