"""Keys to values, several to a key: what is new in memory, the rest in files that are merged as they grow.

Values of one key come out in the order in which they went in. Entries are never changed and never taken back, but for
those since the last commit.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from taximeter_collector.bill.fingerprints import Keys
from taximeter_collector.bill.membership import Membership
from taximeter_collector.bill.runs import Run, merged, write_merged

__all__ = ["Index"]

_RATIO = 3
"""Each run is at least so many times as large as the next newer one: few runs to search, few moves of an entry."""
_MOST_IN_MEMORY = 1 << 20
_MOST_RUNS = 4
"""In memory."""

Rows = npt.NDArray[np.int64]
_NOTHING = (np.zeros(0, np.int64), np.zeros(0, np.uint64))


class Index:
    """Opened with the runs that are on disk, the oldest first."""

    def __init__(self, folder: Path, disk: list[Run]) -> None:
        self._folder = folder
        self.disk = disk
        self.checksums: dict[str, int] = {}
        self._memory: list[Run] = []
        self._pending: list[Run] = []
        self._known = self._filter(len(self))

    def __len__(self) -> int:
        return sum(len(run) for run in self._runs)

    @property
    def _runs(self) -> list[Run]:
        return [*self.disk, *self._memory, *self._pending]

    @property
    def resident_bytes(self) -> int:
        """In memory of its own: the filter and the newest entries; what is mapped from files is not counted."""
        return self._known.nbytes + sum(16 * len(run) for run in (*self._memory, *self._pending))

    def add(self, keys: Keys, values: Keys) -> None:
        """Entries, not remembered before they are committed."""
        if len(keys):
            run = Run.of(keys, values)
            self._make_room(len(run))
            self._known.add(run.keys)
            self._pending.append(run)

    def find(self, keys: Keys, limit: int | None = None) -> tuple[Rows, Keys]:
        """Each entry of each key: which of the keys, and the value. At most about `limit` for a key; key 0 has none."""
        may = np.flatnonzero(self._known.may_know(keys) & (keys != 0))
        if not len(may):
            return _NOTHING
        may = may[np.argsort(keys[may])]
        asked = keys[may]
        found, values = [_NOTHING[0]], [_NOTHING[1]]
        for run in self._runs:
            which, places = run.find(asked, limit)
            found.append(may[which])
            values.append(run.values[places])
        return np.concatenate(found), np.concatenate(values)

    def pending(self) -> tuple[Keys, Keys]:
        """What would be committed."""
        nothing = np.zeros(0, np.uint64)
        keys = np.concatenate([nothing, *(run.keys for run in self._pending)])
        return keys, np.concatenate([nothing, *(run.values for run in self._pending)])

    def commit(self) -> None:
        self._memory += self._pending
        self._pending = []
        while len(self._memory) > 1 and len(self._memory[-2]) < len(self._memory[-1]):
            self._memory[-2:] = [merged(self._memory[-2:])]
        if len(self._memory) > _MOST_RUNS:
            self._memory = [merged(self._memory)]

    def abandon(self) -> None:
        self._pending = []

    @property
    def in_memory(self) -> int:
        """Entries that are not on disk yet."""
        return sum(map(len, self._memory))

    @property
    def is_full(self) -> bool:
        """Whether what is in memory should go to disk."""
        return self.in_memory >= _MOST_IN_MEMORY

    def spill(self, number: int) -> list[Path]:
        """Write what is in memory to disk, merged with what is not much larger. Returns files of no more use."""
        size, kept = self.in_memory, list(self.disk)
        joining: list[Run] = []
        while kept and len(kept[-1]) < _RATIO * size:
            size += len(kept[-1])
            joining.insert(0, kept.pop())
        path = self._folder / f"run-{number:06}"
        run, checksum = write_merged([*joining, *self._memory], path)
        self.disk, self._memory = [*kept, run], []
        self.checksums[path.name] = checksum
        return [run.path for run in joining if run.path]

    def _make_room(self, more: int) -> None:
        """The filter grows by doubling."""
        if len(self) + more > self._known.room:
            self._known = self._filter(len(self) + more)

    def _filter(self, room: int) -> Membership:
        known = Membership(room)
        for run in self._runs:
            for start in range(0, len(run), _MOST_IN_MEMORY):
                known.add(run.keys[start : start + _MOST_IN_MEMORY])
                run.let_go()
        return known
