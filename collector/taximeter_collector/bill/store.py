"""The register's folder: what is there at the start, what each commit adds, and when all of it is worth nothing.

`register.json` names the runs of the index and says how many rows there are; `recent-N` has what each commit since then
has added. A commit that was not written whole is as if it had not been. Whatever is damaged, of another version, or
ahead of the lake, is thrown away as a whole: it can be read from the lake again. So nothing is synced to the disk.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taximeter_collector.bill.fingerprints import Keys
from taximeter_collector.bill.index import Index
from taximeter_collector.bill.rows import AGAIN, VIEW, Rows
from taximeter_collector.bill.runs import Run, read_run
from taximeter_collector.bill.views import Views

__all__ = ["Damaged", "Store"]

_VERSION = 1
_STATE = "register.json"
_SINCE = "since"
_RECOVERING = "recovering"
_MAGIC = 0x5245474953544552
_HEAD = np.dtype([(name, "<u8") for name in ("magic", "state_words", "entries", "checksum")])
_SPACE = b" "


class Damaged(Exception):
    """What is in the folder cannot be used."""


class Store:
    """Open it with `Store.open`."""

    def __init__(self, folder: Path, state: Mapping[str, Any]) -> None:
        self.folder = folder
        self._generation: int = state["generation"]
        checksums: dict[str, int] = {}
        self.index = Index(folder, self._runs(state, checksums))
        self.index.checksums = checksums
        self.views = Rows(folder, "views", VIEW)
        self.again = Rows(folder, "again", AGAIN)
        self.journals: dict[str, int] = {}
        self.verdicts: dict[str, int] = {}
        self.has_logs = False
        """Whether any log record ever landed: most installations have none, and nothing has to be looked for."""
        self.since: int | None = None
        """The earliest day of what may be missing here; None for any."""
        self._covered: dict[str, int] = {}
        self._covering: dict[int, int] = {}
        self._recovering: dict[int, int] = {}
        self._settling: int | None = None
        self._checksums = (0, 0)
        self._take(state)

    @classmethod
    def open(cls, folder: Path, landed_to: Mapping[str, int] | None = None) -> Store:
        """What is there, or an empty one. `landed_to` is how far the lake has come, by journal."""
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return cls._existing(folder, landed_to)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, Damaged):
            return cls.empty(folder)

    @classmethod
    def empty(cls, folder: Path) -> Store:
        """A folder in which there is nothing yet, whatever there was."""
        shutil.rmtree(folder)
        folder.mkdir(parents=True)
        nothing = {"version": _VERSION, "generation": 0, "runs": [], "journals": [], "verdicts": []}
        rows = {name: [0, 0] for name in ("views", "again")}
        return cls(folder, {**nothing, **rows, "covered": {}, "has_logs": False})

    @classmethod
    def _existing(cls, folder: Path, landed_to: Mapping[str, int] | None) -> Store:
        if (folder / _RECOVERING).exists():
            raise Damaged("stopped while it was read from the lake")
        state = json.loads((folder / _STATE).read_bytes())
        if state["version"] != _VERSION:
            raise Damaged(f"version {state['version']}")
        store = cls(folder, state)
        store._read_recent()
        store._tidy()
        if (store.views.verified(), store.again.verified()) != store._checksums:
            raise Damaged("rows do not have their checksum")
        if landed_to is not None:
            for journal, position in store._covered.items():
                if position > landed_to.get(journal, -1):
                    raise Damaged(f"ahead of the lake in {journal}")
        store.since = store._settling = int((folder / _SINCE).read_text())
        return store

    @property
    def resident_bytes(self) -> int:
        return self.index.resident_bytes

    def is_new(self, views: Views) -> npt.NDArray[np.bool_]:
        """Where a row has not landed before."""
        covered = np.array([self._covering.get(each, -1) for each in range(len(self.journals))], np.int64)
        return views.position > covered[views.journal] if len(views) else np.zeros(0, np.bool_)

    def cover(self, views: Views, *, at_once: bool = True) -> None:
        """These rows are settled: should they come again, they are the same. While rows come from the lake, which has
        an order of its own, they are not known by their place until `recovered`.
        """
        if not len(views):
            return
        covering = self._covering if at_once else self._recovering
        one = bool((views.journal == views.journal[0]).all())
        for journal in [int(views.journal[0])] if one else np.unique(views.journal).tolist():
            most = int((views.position if one else views.position[views.journal == journal]).max())
            covering[journal] = max(covering.get(journal, -1), most)
        earliest = int(views.day.min())
        if self._settling is None or earliest < self._settling:
            self._settling = earliest
            (self.folder / _SINCE).write_text(str(earliest))

    def recovering(self) -> None:
        """Rows of the lake come in. Whoever stops now has to begin anew."""
        (self.folder / _RECOVERING).touch()

    def recovered(self) -> None:
        """All that the lake has is here."""
        for journal, position in self._recovering.items():
            self._covering[journal] = max(self._covering.get(journal, -1), position)
        self._recovering = {}
        self.commit()
        self.forget_since()
        (self.folder / _RECOVERING).unlink(missing_ok=True)

    def older_than(self, day: int) -> int:
        """How many calls are."""
        return sum(int((part["day"] < day).sum()) for part in self.views.parts())

    def repeats(self, numbers: npt.NDArray[np.int64]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
        """The rows that repeat some views, and which of the views."""
        if not len(self.again):
            return np.zeros(0, AGAIN), np.zeros(0, np.int64)
        mark = np.zeros(len(self.views), np.bool_)
        mark[numbers] = True
        rows = np.concatenate([part[mark[part["view"].astype(np.int64)]] for part in self.again.parts()])
        order = np.argsort(numbers)
        return rows, order[np.searchsorted(numbers[order], rows["view"].astype(np.int64))]

    def commit(self) -> None:
        """Write what was added. OSError if the disk does not take it; then it is tried again with the next commit."""
        keys, values = self.index.pending()
        self.views.commit()
        self.again.commit()
        names = list(self.journals)
        self._covered = {names[journal]: position for journal, position in self._covering.items()}
        if not (self.folder / _STATE).exists():
            self._write_state()
        self._append(keys, values)
        self.index.commit()
        if self.index.is_full:
            self.spill()
        self.views.let_go()
        self.again.let_go()
        for run in self.index.disk:
            run.let_go()

    def spill(self) -> None:
        """Bring what is in memory to disk, and begin anew."""
        if self.index.in_memory == 0:
            return
        old = self._recent
        self._generation += 1
        obsolete = self.index.spill(self._generation)
        self._write_state()
        for path in (old, *obsolete):
            path.unlink(missing_ok=True)
        self.forget_since()

    def forget_since(self) -> None:
        """All that has landed is here."""
        yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
        self._settling = (yesterday - dt.date(1970, 1, 1)).days
        (self.folder / _SINCE).write_text(str(self._settling))

    def abandon(self) -> None:
        self.views.abandon()
        self.again.abandon()
        self.index.abandon()
        self._covering = {self.journals[name]: position for name, position in self._covered.items()}

    @property
    def _recent(self) -> Path:
        return self.folder / f"recent-{self._generation}"

    def _tidy(self) -> None:
        """Remove what was written or replaced just before a crash."""
        needed = {self._recent, *(run.path for run in self.index.disk)}
        for path in (*self.folder.glob("recent-*"), *self.folder.glob("run-*")):
            if path not in needed:
                path.unlink()

    def _runs(self, state: Mapping[str, Any], checksums: dict[str, int]) -> list[Run]:
        runs = []
        for name, entries, checksum in state["runs"]:
            run = read_run(self.folder / name, entries)
            if run.verified() != checksum:
                raise Damaged(f"{name} does not have its checksum")
            runs.append(run)
            checksums[name] = checksum
        return runs

    def _take(self, state: Mapping[str, Any]) -> None:
        """Go on from what a commit left."""
        self.views.committed, self.again.committed = state["views"][0], state["again"][0]
        self.journals = {name: at for at, name in enumerate(state["journals"])}
        self.verdicts = {name: at for at, name in enumerate(state["verdicts"])}
        self.has_logs = state["has_logs"]
        self._covered = dict(state["covered"])
        self._covering = {self.journals[name]: position for name, position in self._covered.items()}
        self._checksums = state["views"][1], state["again"][1]

    def _state(self) -> dict[str, Any]:
        return {
            "views": [self.views.committed, self.views.checksum],
            "again": [self.again.committed, self.again.checksum],
            "journals": list(self.journals),
            "verdicts": list(self.verdicts),
            "has_logs": self.has_logs,
            "covered": self._covered,
        }

    def _write_state(self) -> None:
        runs = [[run.path.name, len(run), self.index.checksums[run.path.name]] for run in self.index.disk if run.path]
        state = {"version": _VERSION, "generation": self._generation, "runs": runs, **self._state()}
        beside = self.folder / f".{_STATE}"
        beside.write_text(json.dumps(state))
        beside.replace(self.folder / _STATE)

    def _append(self, keys: Keys, values: Keys) -> None:
        text = json.dumps(self._state()).encode()
        text += _SPACE * (-len(text) % 8)
        head = np.zeros(1, _HEAD)
        checksum = _sum(np.frombuffer(text, np.uint64)) ^ _sum(keys) ^ _sum(values)
        head[0] = (_MAGIC, len(text) // 8, len(keys), checksum)
        with self._recent.open("ab") as file:
            file.write(b"".join((head.tobytes(), text, keys.tobytes(), values.tobytes())))

    def _read_recent(self) -> None:
        """Take up what each commit since then has added, as far as it was written whole."""
        if not self._recent.exists():
            return
        words = np.fromfile(self._recent, np.uint64)
        end = 0
        for state, keys, values, after in _frames(words):
            self.index.add(keys, values)
            self.index.commit()
            self._take(state)
            end = after
        with self._recent.open("r+b") as file:
            file.truncate(end * 8)


def _frames(words: Keys) -> Iterator[tuple[dict[str, Any], Keys, Keys, int]]:
    at, head_words = 0, _HEAD.itemsize // 8
    while at + head_words <= len(words):
        magic, state_words, entries, checksum = (int(each) for each in words[at : at + head_words])
        begin = at + head_words
        end = begin + state_words + 2 * entries
        if magic != _MAGIC or end > len(words) or _sum(words[begin:end]) != checksum:
            return
        state = json.loads(words[begin : begin + state_words].tobytes())
        keys = words[begin + state_words : end - entries]
        yield state, keys, words[end - entries : end], end
        at = end


def _sum(words: Keys) -> int:
    return int(np.bitwise_xor.reduce(words)) if len(words) else 0
