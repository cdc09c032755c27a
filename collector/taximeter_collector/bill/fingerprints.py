"""Stable 64-bit fingerprints of texts, ids and numbers, a column at a time.

They are kept on disk, so they are the same in every process, on every machine and in every version. Two different
things share one with a probability of 2^-64: among 100 million calls there is such a pair once in 3,700 ledgers.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]

__all__ = [
    "Keys",
    "binary_ids",
    "dictionary_fingerprints",
    "hex_ids",
    "joined",
    "lengths_of",
    "span_keys",
    "text_fingerprints",
]

Keys: TypeAlias = npt.NDArray[np.uint64]
"""One 64-bit number for each row; 0 where there is nothing."""

_WORD = 8
_FIRST = np.uint64(0x9E3779B97F4A7C15)
_SECOND = np.uint64(0xFF51AFD7ED558CCD)
_THIRD = np.uint64(0xC4CEB9FE1A85EC53)
_SHIFT = np.uint64(32)
_LITTLE = np.dtype("<u8")


def joined(hashes: Keys, other: Any) -> Keys:
    """One fingerprint of what was fingerprinted so far, in order, and of one thing more."""
    mixed: Keys = (hashes ^ other) * _SECOND
    mixed ^= mixed >> _SHIFT
    mixed *= _THIRD
    mixed ^= mixed >> _SHIFT
    return mixed


def lengths_of(texts: pa.StringArray) -> npt.NDArray[np.int64]:
    """How many bytes each text has; 0 for null."""
    starts, ends, _ = _bounds(texts)
    return ends - starts


def text_fingerprints(texts: pa.StringArray) -> Keys:
    """Of each text; 0 for a text that is null or empty."""
    starts, ends, data = _bounds(texts)
    rows = len(starts)
    lengths = ends - starts
    hashes: Keys = lengths.astype(np.uint64) * _FIRST
    if not rows:
        return hashes
    most, least = int(lengths.max()), int(lengths.min())
    if most == least >= _WORD:
        return _of_one_length(hashes, data, most)
    words = _words(data)
    for offset in range(0, most - _WORD, _WORD):  # whole words; the last one overlaps the one before
        if offset < least - _WORD:
            hashes = joined(hashes, words[starts + offset])
        else:
            longer = np.flatnonzero(lengths - _WORD > offset)
            hashes[longer] = joined(hashes[longer], words[starts[longer] + offset])
    last = words[np.maximum(ends - _WORD, starts)]
    if least < _WORD:
        missing = (_WORD - np.minimum(lengths, _WORD)).astype(np.uint64) * np.uint64(8)
        last = np.where(lengths == 0, np.uint64(0), (last << missing))
    hashes = joined(hashes, last)
    hashes[hashes == 0] = 1
    if least == 0:
        hashes[lengths == 0] = 0
    return hashes


def _of_one_length(hashes: Keys, data: npt.NDArray[np.uint8], length: int) -> Keys:
    """As `text_fingerprints` has it, for texts that lie one behind the other at even distances."""
    offsets = [*range(0, length - _WORD, _WORD), length - _WORD]
    for offset in offsets:
        hashes = joined(hashes, np.ndarray(len(hashes), _LITTLE, data, offset, (length,)))
    hashes[hashes == 0] = 1
    return hashes


def dictionary_fingerprints(column: pa.Array) -> Keys:
    """As `text_fingerprints`, of texts that may be dictionary encoded: each distinct one is fingerprinted once."""
    if not pa.types.is_dictionary(column.type):
        return text_fingerprints(column)
    each = np.append(text_fingerprints(column.dictionary.cast(pa.string())), np.uint64(0))
    codes = column.indices.fill_null(len(each) - 1).to_numpy(zero_copy_only=False)
    fingerprints: Keys = each[codes]
    return fingerprints


def hex_ids(texts: pa.StringArray, digits: int) -> list[Keys]:
    """The bytes that the digits stand for, eight in a number as they lie in memory; 0 where there are no such digits.

    >>> [int(words[0]) for words in hex_ids(pa.array(["0100000000000000"]), 16)]
    [1]
    """
    starts, ends, data = _bounds(texts)
    uneven = np.flatnonzero(ends - starts != digits)
    if not len(uneven):
        parts = _half(data[: len(starts) * digits].view(_LITTLE)).reshape(len(starts), digits // _WORD)
        return [parts[:, at] | (parts[:, at + 1] << _SHIFT) for at in range(0, digits // _WORD, 2)]
    words = _words(data)
    starts = np.minimum(starts, max(len(words) - digits, 0))
    halves = [_half(words[starts + offset]) for offset in range(0, digits, _WORD)] if len(words) > digits else []
    if not halves:
        return [np.zeros(len(starts), np.uint64) for _ in range(digits // 16)]
    found = [low | (high << _SHIFT) for low, high in zip(halves[::2], halves[1::2], strict=True)]
    for each in found:
        each[uneven] = 0
    return found


def binary_ids(ids: pa.BinaryArray, size: int) -> list[Keys]:
    """Ids as they are sent, eight bytes in a number as they lie in memory; 0 where there is no id of this size."""
    starts, ends, data = _bounds(ids)
    words = _words(data)
    other = ends - starts != size
    uneven = bool(other.any())
    found = []
    for offset in range(0, size, _WORD):
        each = words[np.minimum(starts + offset, len(words) - 1) if uneven else starts + offset]
        if uneven:
            each[other] = 0
        found.append(each)
    return found


def span_keys(trace: list[Keys], span: Keys) -> Keys:
    """The fingerprint of a span: of its trace's sixteen bytes and its own eight. 0 where either id is zero."""
    key = joined(joined(joined(np.full(1, _FIRST), trace[0]), trace[1]), span)
    key[key == 0] = 1
    key[(span == 0) | ((trace[0] | trace[1]) == 0)] = 0
    return key


def _half(word: Keys) -> Keys:
    """Eight hexadecimal digits as the four bytes that they stand for."""
    digits = (word & np.uint64(0x0F0F0F0F0F0F0F0F)) + np.uint64(9) * (
        (word >> np.uint64(6)) & np.uint64(0x0101010101010101)
    )
    pairs = ((digits << np.uint64(4)) | (digits >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
    pairs = (pairs | (pairs >> np.uint64(8))) & np.uint64(0x0000FFFF0000FFFF)
    return (pairs | (pairs >> np.uint64(16))) & np.uint64(0xFFFFFFFF)


def _bounds(texts: pa.StringArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Where each text begins and ends, and the bytes. A null has no length."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    if not pa.types.is_string(texts.type) and not pa.types.is_binary(texts.type):
        texts = texts.cast(pa.binary() if pa.types.is_fixed_size_binary(texts.type) else pa.string())
    if texts.null_count:
        texts = texts.fill_null(b"" if pa.types.is_binary(texts.type) else "")
    _, offsets, data = texts.buffers()
    if offsets is None or not len(texts):
        nothing = np.zeros(len(texts), np.int64)
        return nothing, nothing, np.zeros(0, np.uint8)
    bounds = np.frombuffer(offsets, np.int32, len(texts) + 1, texts.offset * 4).astype(np.int64)
    content = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    used = content[bounds[0] : bounds[-1]]
    bounds -= bounds[0]
    return bounds[:-1], bounds[1:], used


def _words(data: npt.NDArray[np.uint8]) -> Keys:
    """The eight bytes from each place on, as a number; zeros behind the end."""
    padded = np.zeros(len(data) + _WORD * 2, np.uint8)
    padded[: len(data)] = data
    return np.ndarray((len(padded) - _WORD + 1,), _LITTLE, padded, strides=(1,))
