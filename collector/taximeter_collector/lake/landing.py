"""One table, as one journal's lander has it: files that are being written, and the commits that make them seen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.lake.config import LakeConfig
from taximeter_collector.lake.corrections import Superseded, concerned, corrected
from taximeter_collector.lake.errors import reaching
from taximeter_collector.lake.log import Actions, ActiveFile, DeltaLog
from taximeter_collector.lake.parquet import Written
from taximeter_collector.lake.writing import DayFiles, drop, leftovers, place

__all__ = ["TableLanding"]


class TableLanding:
    """How one journal's rows come into one table."""

    def __init__(self, log: DeltaLog, journal_id: str, config: LakeConfig) -> None:
        self.log, self.folder = log, log.folder
        self._journal_id = journal_id
        author = f"land-{journal_id}"
        target_bytes = config.target_bytes(log.table.name)
        self._files = DayFiles(log.folder, log.table, author, config.compression_level, target_bytes)
        self._ready: list[Written] = []  # whole, and not committed as far as we know
        self._placed: list[Written] = []  # moved to their places, likewise
        self.position = log.position(journal_id)
        self.appended = -1
        self.committed_at = time.monotonic()
        self.not_found = 0
        self._remove_leftovers(author)

    @property
    def has_something(self) -> bool:
        """Whether there is anything to commit."""
        return bool(self._ready) or not self._files.is_empty

    def append(self, rows: pa.Table) -> int:
        """Write rows, where nobody sees them yet."""
        if rows.num_rows:
            self._files.append(rows)
            self.appended = max(self.appended, pc.max(rows["journal_position"]).as_py())
        return int(rows.num_rows)

    def finish(self) -> None:
        """Make what was appended whole and durable."""
        with reaching(self.folder):
            self._ready += self._files.finish()

    def commit(self, position: int, superseded: Sequence[Superseded] = ()) -> None:
        """Make what was finished seen, with the corrections, in one version of the table."""
        elsewhere = self._correct_ready(superseded)
        rewritten: list[Written] = []
        missing: list[Superseded] = []

        def decide() -> Actions:
            self._drop_unlanded(rewritten)
            removed = self._correct(elsewhere, rewritten, missing) if elsewhere else []
            fresh = [*self._ready, *rewritten]
            self._placed += fresh
            with reaching(self.folder):
                place(self.folder, fresh)
            return Actions(fresh, removed)

        self.log.commit(decide, self._journal_id, position, self.position)
        self._ready, self._placed = [], []
        self.position = max(position, self.position)
        self.appended = -1
        self.committed_at = time.monotonic()
        self.not_found += len(missing)

    def abandon(self) -> None:
        """Drop what is not whole or not yet moved; what was moved is judged by `recover`."""
        self._files.abandon()
        placed = {file.name for file in self._placed}
        drop(file for file in self._ready if file.name not in placed)
        self._ready = []
        self.appended = -1

    def recover(self) -> None:
        """Learn whether a commit of which we heard nothing good has landed nevertheless; if not, drop its files."""
        self.abandon()
        self.log.refresh()
        self.position = self.log.position(self._journal_id)
        self._drop_unlanded(self._placed)

    def _drop_unlanded(self, files: list[Written]) -> None:
        if files:
            known = self._known()
            drop([file for file in files if file.name not in known], self.folder)
            files.clear()

    def _known(self) -> set[str]:
        """Names of all files that the log has, or had until lately."""
        return {Path(path).name for path in (*(file.path for file in self.log.files()), *self.log.removed())}

    def _correct(
        self, superseded: Sequence[Superseded], rewritten: list[Written], missing: list[Superseded]
    ) -> list[ActiveFile]:
        """Write files again in which rows are superseded; tell which files go for it."""
        self.log.refresh()
        sought = {one.identity: one for one in superseded}
        removed: list[ActiveFile] = []
        with reaching(self.folder):
            try:
                for file, wanted in concerned(self.log.files(), superseded):
                    new, found = corrected(self.folder / file.path, wanted, partial(self._files.new_file, file.date))
                    if new:
                        rewritten.append(new)
                        removed.append(file)
                    for one in found:
                        sought.pop(one.identity, None)
            except BaseException:
                drop(rewritten)
                raise
        missing[:] = sought.values()
        return removed

    def _correct_ready(self, superseded: Sequence[Superseded]) -> list[Superseded]:
        """The same for files that are about to be committed themselves. Tells what is not in them."""
        sought = {one.identity: one for one in superseded}
        with reaching(self.folder):
            for number, file in enumerate(self._ready):
                wanted = [one for one in sought.values() if one.date == file.date]
                if wanted:
                    new, found = corrected(file.path, wanted, partial(self._files.new_file, file.date))
                    if new:
                        self._ready[number] = new
                        drop([file])
                    for one in found:
                        del sought[one.identity]
        return list(sought.values())

    def _remove_leftovers(self, author: str) -> None:
        with reaching(self.folder):
            found = list(leftovers(self.folder, author))
            known = self._known() if found else set()
            for file in found:
                if file.name not in known:
                    file.unlink(missing_ok=True)
