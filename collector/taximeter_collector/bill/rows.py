"""Rows of one size in files, numbered as they come: added at the end, read at random, never changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taximeter_collector.bill.mapping import Mapped
from taximeter_collector.bill.sets import distinct

__all__ = ["AGAIN", "VIEW", "Rows"]

VIEW = np.dtype(
    [
        *((name, "<u8") for name in ("response", "span", "parent", "likeness", "quality")),
        ("cost", "<i8"),
        ("bill", "<u8"),
        ("position", "<i8"),
        ("item", "<i4"),
        ("journal", "<i4"),
        ("day", "<i4"),
        ("flags", "u1"),
        ("verdict", "u1"),
        ("unused", "V2"),
    ]
)
"""A view, as it landed."""

AGAIN = np.dtype(
    [("view", "<u8"), ("position", "<i8"), ("item", "<i4"), ("journal", "<i4"), ("day", "<i4"), ("unused", "V4")]
)
"""A row that repeats a view, and which."""

Table = npt.NDArray[Any]


class Rows:
    """A file for each `per_file` rows; what is not committed is in memory."""

    def __init__(self, folder: Path, name: str, kind: np.dtype[Any], count: int = 0, per_file: int = 1 << 20) -> None:
        self._folder = folder
        self._name = name
        self._kind = kind
        self._per_file = per_file
        self._files: dict[int, Mapped] = {}
        self._pending: list[Table] = []
        self.committed = count
        self.checksum = 0

    def __len__(self) -> int:
        return self.committed + sum(map(len, self._pending))

    def add(self, rows: Table) -> int:
        """Their first number."""
        first = len(self)
        self._pending.append(rows)
        return first

    def take(self, numbers: npt.NDArray[np.int64]) -> Table:
        """Rows by number."""
        file = numbers // self._per_file
        file[numbers >= self.committed] = -1
        only = len(file) > 0 and bool((file == file[0]).all())
        if only:
            return self._of_file(int(file[0]), numbers)
        taken = np.zeros(len(numbers), self._kind)
        for each in distinct(file).tolist():
            where = np.flatnonzero(file == each)
            taken[where] = self._of_file(each, numbers[where])
        return taken

    def _of_file(self, file: int, numbers: npt.NDArray[np.int64]) -> Table:
        if file < 0:
            return self._in_memory()[numbers - self.committed]
        return self._mapped(file)[numbers - file * self._per_file]

    def commit(self) -> None:
        """Write what is pending. OSError if the disk does not take it."""
        rows = self._in_memory()
        done = 0
        while done < len(rows):
            file, place = divmod(self.committed + done, self._per_file)
            some = rows[done : done + self._per_file - place]
            self._write(file, place, some)
            done += len(some)
        self.checksum ^= _checksum(rows)
        self.committed += len(rows)
        self._pending = []

    def abandon(self) -> None:
        self._pending = []

    def let_go(self) -> None:
        """Keep nothing in memory of what is on the disk."""
        for mapped in self._files.values():
            mapped.let_go()

    def parts(self) -> list[Table]:
        """All rows, a file at a time."""
        count = -(-self.committed // self._per_file)
        parts = [self._mapped(file)[: self.committed - file * self._per_file] for file in range(count)]
        return [*parts, self._in_memory()]

    def verified(self) -> int:
        """The checksum of what is there."""
        whole = 0
        for part in self.parts():
            whole ^= _checksum(part)
            self.let_go()
        self.checksum = whole
        return whole

    def _in_memory(self) -> Table:
        if len(self._pending) != 1:
            self._pending = [np.concatenate([np.zeros(0, self._kind), *self._pending])]
        return self._pending[0]

    def _write(self, file: int, place: int, rows: Table) -> None:
        path = self._path(file)
        with path.open("r+b" if path.exists() else "w+b") as opened:
            if not place:
                opened.truncate(self._per_file * self._kind.itemsize)  # a hole; so that it is mapped once
            opened.seek(place * self._kind.itemsize)
            opened.write(np.ascontiguousarray(rows).data)

    def _mapped(self, file: int) -> Table:
        if file not in self._files:
            mapped = Mapped(self._path(file), self._kind)
            if len(mapped.rows) != self._per_file:
                raise ValueError(f"{self._path(file)}: {len(mapped.rows)} rows")
            self._files[file] = mapped
        return self._files[file].rows

    def _path(self, file: int) -> Path:
        return self._folder / f"{self._name}-{file:06}"


def _checksum(rows: Table) -> int:
    return int(np.bitwise_xor.reduce(np.ascontiguousarray(rows).view(np.uint64))) if len(rows) else 0
