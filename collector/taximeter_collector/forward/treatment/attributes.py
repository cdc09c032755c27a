"""Attributes as they stand in an item: many of them at once, for items that have most in common.

Items with the same texts, and numbers of the same lengths, differ in a few bytes at places that are known. So they are
rows of one matrix, filled column by column, and no Python runs for each attribute.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from struct import pack
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from taximeter_collector.forward.treatment.wire import LENGTHS, fields_of, varint
from taximeter_collector.journal import Signal

__all__ = [
    "Column",
    "Doubles",
    "Ints",
    "Texts",
    "encode_double",
    "encode_int",
    "encode_text",
    "encoded",
    "without_keys",
]

Mask: TypeAlias = npt.NDArray[np.bool_]

_TAGS = {Signal.TRACES: 0x4A, Signal.LOGS: 0x32}
_KEY, _VALUE = 0x0A, 0x12
_TEXT, _BOOL, _INT, _DOUBLE = 0x0A, 0x10, 0x18, 0x21
_WIDTHS = np.array([1 << 7 * width for width in range(1, 10)], dtype=np.uint64)
_LARGEST_CODE = 1 << 62


@dataclass(slots=True)
class Texts:
    """For each item one of few values, encoded already; -1 for none."""

    key: str
    codes: npt.NDArray[np.int64]
    values: Sequence[bytes]

    @classmethod
    def of(cls, key: str, codes: npt.NDArray[np.int64], texts: Iterable[str]) -> Texts:
        """Of texts."""
        return cls(key, codes, [_sized(bytes((_TEXT,)), text.encode()) for text in texts])

    @classmethod
    def flags(cls, key: str, values: Mask) -> Texts:
        """Of truth values."""
        return cls(key, values.astype(np.int64), [bytes((_BOOL, 0)), bytes((_BOOL, 1))])


@dataclass(slots=True)
class Ints:
    """For each item a whole number, where it is valid."""

    key: str
    values: npt.NDArray[np.int64]
    valid: Mask


@dataclass(slots=True)
class Doubles:
    """For each item a double, where it is valid."""

    key: str
    values: npt.NDArray[np.float64]
    valid: Mask


Column: TypeAlias = Texts | Ints | Doubles


def encoded(signal: Signal, columns: Sequence[Column], size: int) -> list[bytes]:
    """For each item its attributes, one behind the other."""
    if not columns or not size:
        return [b""] * size
    alike = [_alike(column) for column in columns]
    groups = _groups([code for code, _ in alike], [radix for _, radix in alike])
    found: list[bytes] = [b""] * size
    for rows in groups:
        first = int(rows[0])
        matrix, width = _matrix(_TAGS[signal], columns, [int(code[first]) for code, _ in alike], rows)
        data = matrix.tobytes()
        for place, row in enumerate(rows.tolist()):
            found[row] = data[place * width : (place + 1) * width]
    return found


def _alike(column: Column) -> tuple[npt.NDArray[np.int64], int]:
    """A number for each item, the same for those whose attribute has the same layout; and how many there can be."""
    if isinstance(column, Texts):
        return column.codes + 1, len(column.values) + 1
    if isinstance(column, Doubles):
        return column.valid.astype(np.int64), 2
    widths = np.searchsorted(_WIDTHS, column.values.view(np.uint64), side="right") + 1
    return np.where(column.valid, widths, 0), 11


def _groups(codes: Sequence[npt.NDArray[np.int64]], radices: Sequence[int]) -> list[npt.NDArray[np.int64]]:
    """The items that agree in all codes."""
    code, most = np.zeros(len(codes[0]), dtype=np.int64), 1
    for more, radix in zip(codes, radices, strict=True):
        if most * radix > _LARGEST_CODE:
            distinct, code = np.unique(code, return_inverse=True)
            most = len(distinct)
        code = code * radix + more
        most *= radix
    order = np.argsort(code, kind="stable")
    bounds = np.flatnonzero(np.diff(code[order])) + 1
    return np.split(order, bounds)


def _matrix(
    tag: int, columns: Sequence[Column], codes: Sequence[int], rows: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.uint8], int]:
    """The rows of items of one layout, and how wide it is."""
    template = bytearray()
    numbers: list[tuple[int, int, Ints | Doubles]] = []
    for column, code in zip(columns, codes, strict=True):
        if not code:
            continue
        if isinstance(column, Texts):
            template += _attribute(tag, column.key, column.values[code - 1])
            continue
        width = 8 if isinstance(column, Doubles) else code
        kind = _DOUBLE if isinstance(column, Doubles) else _INT
        template += _attribute(tag, column.key, bytes((kind,)) + bytes(width))
        numbers.append((len(template) - width, width, column))
    matrix = np.empty((len(rows), len(template)), dtype=np.uint8)
    matrix[:] = np.frombuffer(bytes(template), dtype=np.uint8)
    for at, width, column in numbers:
        if isinstance(column, Doubles):
            matrix[:, at : at + 8] = column.values[rows].astype("<f8").view(np.uint8).reshape(-1, 8)
        else:
            _fill_varints(matrix, at, width, column.values[rows].view(np.uint64))
    return matrix, len(template)


def _fill_varints(matrix: npt.NDArray[np.uint8], at: int, width: int, numbers: npt.NDArray[np.uint64]) -> None:
    for place in range(width):
        byte = (numbers >> np.uint64(7 * place)) & np.uint64(0x7F)
        matrix[:, at + place] = byte | np.uint64(0x80) if place < width - 1 else byte


def _attribute(tag: int, key: str, value: bytes) -> bytes:
    pair = _sized(bytes((_KEY,)), key.encode()) + _sized(bytes((_VALUE,)), value)
    return _sized(bytes((tag,)), pair)


def _sized(tag: bytes, content: bytes) -> bytes:
    return b"".join((tag, LENGTHS[len(content)], content))


def encode_int(signal: Signal, key: str, number: int) -> bytes:
    """One attribute with a whole number that is not negative."""
    return _attribute(_TAGS[signal], key, bytes((_INT,)) + varint(number))


def encode_double(signal: Signal, key: str, number: float) -> bytes:
    """One attribute with a double."""
    return _attribute(_TAGS[signal], key, bytes((_DOUBLE,)) + pack("<d", number))


def encode_text(signal: Signal, key: str, text: str) -> bytes:
    """One attribute with a text."""
    return _attribute(_TAGS[signal], key, _sized(bytes((_TEXT,)), text.encode()))


def without_keys(signal: Signal, content: bytes, keys: Collection[bytes]) -> bytes:
    """An item without its attributes of these names."""
    wanted = _TAGS[signal]
    kept, since = [], 0
    for tag, begin, inner, end in fields_of(content):
        if tag == wanted and _key_of(content, inner, end) in keys:
            kept.append(content[since:begin])
            since = end
    kept.append(content[since:])
    return b"".join(kept)


def _key_of(content: bytes, at: int, end: int) -> bytes:
    """The key of a pair; if it is there twice, the last counts."""
    key = b""
    for tag, _, inner, behind in fields_of(content, at, end):
        if tag == _KEY:
            key = content[inner:behind]
    return key
