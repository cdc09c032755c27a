"""The lake as the lander has it: rows go in, and land exactly once."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import IO

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.journal.files import LockTaken, lock
from taximeter_collector.lake.config import LakeConfig
from taximeter_collector.lake.corrections import Superseded
from taximeter_collector.lake.creation import make_ready
from taximeter_collector.lake.errors import LakeError, LakeUnavailable, reaching
from taximeter_collector.lake.landing import TableLanding
from taximeter_collector.lake.log import DeltaLog
from taximeter_collector.lake.reading import read_file
from taximeter_collector.lake.schema import TABLES

__all__ = ["Lake"]

_JOURNAL_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
# A table that no rows come for says how far it is only now and then: its position matters to a replay alone.
_LAGS_S = 600.0


class Lake:
    """Five tables, into which one journal's rows are written."""

    def __init__(self, config: LakeConfig, journal_id: str, held: IO[bytes], tables: dict[str, TableLanding]) -> None:
        self._config, self.journal_id = config, journal_id
        self._held, self._tables = held, tables
        self._committed = -1  # by this lander: of what another one did before, one table may have more than another
        self._is_interrupted = False

    @classmethod
    def open(cls, config: LakeConfig, journal_id: str) -> Lake:
        """Open the lake: create what is missing, and remove what a crash has left."""
        if not _JOURNAL_ID.fullmatch(journal_id):
            raise LakeError(f"a journal's id is of letters, digits and ._-, not {journal_id!r}")
        held = _lock(config.dir, journal_id)
        try:
            tables: dict[str, TableLanding] = {}
            for name, table in TABLES.items():
                make_ready(config.dir / name, table)
                tables[name] = TableLanding(DeltaLog(config.dir / name, table), journal_id, config)
        except BaseException:
            held.close()
            raise
        return cls(config, journal_id, held, tables)

    @property
    def positions(self) -> dict[str, int]:
        """Per table: up to which journal position rows have landed; -1 if none."""
        return {name: table.position for name, table in self._tables.items()}

    def append(self, table: str, rows: pa.Table) -> int:
        """Take rows that have not landed yet, and tell how many those were. They are seen after the next `commit`."""
        self._recover()
        landing = self._tables[table]
        try:
            with reaching(landing.folder):
                return landing.append(_beyond(rows, landing.position))
        except LakeError:
            self._is_interrupted = True
            raise

    def commit(self, position: int, superseded: Sequence[Superseded] = ()) -> None:
        """Land what was appended: all of the journal up to this position. With it, rows of `calls` lose their bill."""
        self._recover()
        if position < max(table.appended for table in self._tables.values()):
            raise LakeError(f"rows beyond position {position} were appended")
        self._is_interrupted = True  # until all of it is done
        for table in self._tables.values():
            table.finish()
        for name, table in self._tables.items():
            corrections = superseded if name == "calls" else ()
            lags = position > table.position and time.monotonic() - table.committed_at > _LAGS_S
            if table.has_something or corrections or lags:
                table.commit(position, corrections)
        self._committed = max(position, self._committed)
        self._is_interrupted = False

    def abandon(self) -> None:
        """After an error: forget what was appended and not committed, so that it can be appended again."""
        self._is_interrupted = True
        for table in self._tables.values():
            table.abandon()
        with suppress(LakeUnavailable):
            self._recover()

    def rows(self, table: str, columns: Sequence[str], since_date: date | None = None) -> Iterator[pa.RecordBatch]:
        """What has landed, the oldest day first."""
        log = self._tables[table].log
        log.refresh()
        for file in log.files():
            if since_date is None or file.date >= since_date:
                with reaching(log.folder):
                    yield from read_file(log.folder, file, columns, log.table)

    def close(self) -> None:
        """Say in every table how far it is, and let the lake go. What was not committed is dropped."""
        try:
            for table in self._tables.values():
                table.abandon()
                if not self._is_interrupted and table.position < self._committed:
                    with suppress(LakeError):
                        table.commit(self._committed)
        finally:
            self._held.close()

    def _recover(self) -> None:
        """After an interrupted commit: learn what of it has landed."""
        if self._is_interrupted:
            for table in self._tables.values():
                table.recover()
            self._is_interrupted = False


def _lock(folder: Path, journal_id: str) -> IO[bytes]:
    with reaching(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return lock(folder / f".{journal_id}.lock")
        except LockTaken:
            raise LakeError(f"{folder}: another process lands the journal {journal_id}") from None


def _beyond(rows: pa.Table, position: int) -> pa.Table:
    if not rows.num_rows or pc.min(rows["journal_position"]).as_py() > position:
        return rows
    return rows.filter(pc.greater(rows["journal_position"], position))
