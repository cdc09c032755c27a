"""Files that are read where they are, on the disk: what was looked at does not have to stay in memory."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Mapped"]


class Mapped:
    """A file as rows or numbers. ValueError if there are no whole ones in it."""

    def __init__(self, path: Path, kind: npt.DTypeLike) -> None:
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.rows: npt.NDArray[Any] = np.frombuffer(self._bytes, kind)

    def let_go(self) -> None:
        """Give back the memory of what was read. Read again, most of it comes from the system's cache of files."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._bytes.madvise(mmap.MADV_DONTNEED)
