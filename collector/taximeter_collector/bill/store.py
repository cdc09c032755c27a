"""The register's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taximeter_collector.bill.index import Index
from taximeter_collector.bill.rows import AGAIN, VIEW, Rows
from taximeter_collector.bill.views import Views

__all__ = ["Store"]


class Store:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index = Index(folder, [])
        self.views = Rows(folder, "views", VIEW)
        self.again = Rows(folder, "again", AGAIN)
        self.journals: dict[str, int] = {}
        self.verdicts: dict[str, int] = {}
        self._covered: dict[int, int] = {}
        self._covering: dict[int, int] = {}

    @classmethod
    def open(cls, folder: Path) -> Store:
        import shutil
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder)

    @property
    def resident_bytes(self) -> int:
        return self.index.resident_bytes

    def is_new(self, views: Views) -> npt.NDArray[np.bool_]:
        covered = np.array([self._covering.get(each, -1) for each in range(len(self.journals))], np.int64)
        return views.position > covered[views.journal] if len(views) else np.zeros(0, np.bool_)

    def cover(self, views: Views) -> None:
        for journal in np.unique(views.journal).tolist():
            most = int(views.position[views.journal == journal].max())
            self._covering[journal] = max(self._covering.get(journal, -1), most)

    def repeats(self, numbers: npt.NDArray[np.int64]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
        """The rows that repeat some views, and which of the views."""
        mark = np.zeros(len(self.views), np.bool_)
        mark[numbers] = True
        found = [self.again._in_memory()[mark[self.again._in_memory()["view"].astype(np.int64)]]]
        found += [part[mark[part["view"].astype(np.int64)]] for part in self.again.parts()]
        rows = np.concatenate(found)
        order = np.argsort(numbers)
        return rows, order[np.searchsorted(numbers[order], rows["view"].astype(np.int64))]

    def commit(self) -> None:
        self.views.commit()
        self.again.commit()
        self.index.commit()
        self._covered = dict(self._covering)

    def abandon(self) -> None:
        self.views.abandon()
        self.again.abandon()
        self.index.abandon()
        self._covering = dict(self._covered)
