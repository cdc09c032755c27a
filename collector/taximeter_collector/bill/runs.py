"""Sorted runs of keys, each with a value: in memory while they are small, in a mapped file when they are large."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from taximeter_collector.bill.fingerprints import Keys
from taximeter_collector.bill.mapping import Mapped

__all__ = ["Run", "merged", "read_run", "write_merged"]

_LARGE = 1 << 18
"""From here on a run has an index of places: a plain binary search goes through 20 cache misses a key."""
_KEYS_PER_PLACE = 16
_MERGED_AT_ONCE = 1 << 20
_MANY = 8
_EMPTY = np.zeros(0, np.int64)

Rows = npt.NDArray[np.int64]


class Run:
    """Keys in ascending order; of equal keys, what came first is first."""

    def __init__(self, keys: Keys, values: Keys, path: Path | None = None, mapped: Mapped | None = None) -> None:
        self.keys = keys
        self.values = values
        self.path = path
        self._mapped = mapped
        self._places: Rows | None = None
        if len(keys) >= _LARGE:
            bits = (len(keys) // _KEYS_PER_PLACE).bit_length()
            self._shift = np.uint64(64 - bits)
            edges = np.arange(1 << bits, dtype=np.uint64) << self._shift
            self._places = np.append(np.searchsorted(keys, edges), len(keys)).astype(np.int64)

    def __len__(self) -> int:
        return len(self.keys)

    @classmethod
    def of(cls, keys: Keys, values: Keys) -> Run:
        """From entries in any order, among which no key that is there twice cares for its order."""
        order = np.argsort(keys)
        return cls(keys[order], values[order])

    def let_go(self) -> None:
        """Keep nothing in memory of what is on the disk."""
        if self._mapped:
            self._mapped.let_go()

    def verified(self) -> int:
        """The checksum of what is there."""
        found = 0
        for start in range(0, len(self), _MERGED_AT_ONCE):
            part = slice(start, start + _MERGED_AT_ONCE)
            found ^= _checksum(self.keys[part]) ^ _checksum(self.values[part])
            self.let_go()
        return found

    def find(self, keys: Keys, limit: int | None) -> tuple[Rows, Rows]:
        """For ascending keys, each entry (at most `limit` for a key): which key, and the entry's place."""
        first = self._first(keys)
        inside = np.minimum(first, len(self.keys) - 1)
        which = np.flatnonzero((self.keys[inside] == keys) & (first < len(self.keys)))
        if not len(which):
            return _EMPTY, _EMPTY
        found, places = [which], [first[which]]
        at = first[which] + 1
        for step in range(1, min(limit, _MANY) if limit else _MANY):
            more = at < len(self.keys)
            more[more] = self.keys[at[more]] == keys[which[more]]
            which, at = which[more], at[more]
            if not len(which):
                break
            found.append(which)
            places.append(at)
            at = at + 1
            if step == _MANY - 1 and (limit is None or limit > _MANY):
                rest = self._rest(keys, which, at, limit)
                found += rest[0]
                places += rest[1]
        return np.concatenate(found), np.concatenate(places)

    def _rest(self, keys: Keys, which: Rows, at: Rows, limit: int | None) -> tuple[list[Rows], list[Rows]]:
        """For keys with many entries: from the next one to the last one."""
        found, places = [], []
        for each, start in zip(which.tolist(), at.tolist(), strict=True):
            end = int(np.searchsorted(self.keys[start:], keys[each], side="right")) + start
            end = end if limit is None else min(end, start + limit - _MANY)
            found.append(np.full(end - start, each, np.int64))
            places.append(np.arange(start, end, dtype=np.int64))
        return found, places

    def _first(self, keys: Keys) -> Rows:
        """The place of the first entry that is not below each key."""
        if self._places is None:
            return np.searchsorted(self.keys, keys)
        place = (keys >> self._shift).astype(np.int64)
        low, high = self._places[place], self._places[place + 1]
        while True:
            open_ = low < high
            if not open_.any():
                return low
            middle = (low + high) >> 1
            below = self.keys[np.minimum(middle, len(self.keys) - 1)] < keys
            low = np.where(open_ & below, middle + 1, low)
            high = np.where(open_ & ~below, middle, high)


def merged(runs: Sequence[Run]) -> Run:
    """Several as one, in memory; the oldest first."""
    return Run(*_sorted(runs, [slice(None)] * len(runs)))


def write_merged(runs: Sequence[Run], path: Path) -> tuple[Run, int]:
    """Several as one, in a file, a piece of memory at a time; with a checksum."""
    total, checksum, done = sum(map(len, runs)), 0, 0
    with path.open("wb") as file:
        for keys, values in _pieces(runs, total):
            for offset, part in ((done, keys), (total + done, values)):
                file.seek(offset * 8)
                file.write(part.data)
                checksum ^= _checksum(part)
            done += len(keys)
            for run in runs:
                run.let_go()
    return read_run(path, total), checksum


def read_run(path: Path, entries: int) -> Run:
    """A run from its file. ValueError if that is not as long as it should be."""
    if path.stat().st_size != entries * 16:
        raise ValueError(f"{path}: {path.stat().st_size} bytes, not {entries * 16}")
    mapped = Mapped(path, np.uint64)
    return Run(mapped.rows[:entries], mapped.rows[entries:], path, mapped)


def _checksum(words: Keys) -> int:
    return int(np.bitwise_xor.reduce(words)) if len(words) else 0


def _pieces(runs: Sequence[Run], total: int) -> Iterator[tuple[Keys, Keys]]:
    """By ranges of keys: they are evenly spread, so all pieces are about as large."""
    count = 1 << max(0, (total // _MERGED_AT_ONCE).bit_length())
    edges = np.array([2**64 // count * each for each in range(1, count)], np.uint64)
    bounds = [np.concatenate(([0], np.searchsorted(run.keys, edges), [len(run)])) for run in runs]
    for piece in range(count):
        yield _sorted(runs, [slice(int(each[piece]), int(each[piece + 1])) for each in bounds])


def _sorted(runs: Sequence[Run], parts: Sequence[slice]) -> tuple[Keys, Keys]:
    keys = np.concatenate([run.keys[part] for run, part in zip(runs, parts, strict=True)])
    values = np.concatenate([run.values[part] for run, part in zip(runs, parts, strict=True)])
    order = np.argsort(keys, kind="stable")
    return keys[order], values[order]
