"""One table's Delta log: which files are in the table, and how far each journal has landed in it."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]

from taximeter_collector.journal.files import sync_folder
from taximeter_collector.lake.creation import refuse_newer
from taximeter_collector.lake.durability import sync_file
from taximeter_collector.lake.entries import positions, removals
from taximeter_collector.lake.errors import LakeError, LakeUnavailable, reaching
from taximeter_collector.lake.parquet import Written, statistics_columns
from taximeter_collector.lake.schema import LakeTable

__all__ = ["Actions", "ActiveFile", "DeltaLog", "partition"]

LANDER = "taximeter-lander/"
_ATTEMPTS = 30  # each is lost only to a commit of somebody else
# What an open table costs with each commit grows with the commits since its checkpoint: 0.1 ms for each of them.
_CHECKPOINT_EVERY = 32


@dataclass(frozen=True, slots=True)
class ActiveFile:
    """A file of the table, as the log has it; `path` is relative to the table's folder."""

    path: str
    date: date
    rows: int
    bytes: int
    first_position: int
    last_position: int
    first_unix_nano: int
    journals: tuple[str, str]
    modified_unix_ms: int


@dataclass(frozen=True, slots=True)
class Actions:
    """What one commit does."""

    added: Sequence[Written] = ()
    removed: Sequence[ActiveFile] = ()


def partition(day: date) -> str:
    """The folder of a day."""
    return f"date={day.isoformat()}"


class DeltaLog:
    """A table that exists."""

    def __init__(self, folder: Path, table: LakeTable) -> None:
        self.folder, self.table = folder, table
        self._opened_at = 0
        self._table: Any = None
        with reaching(folder):
            self._load()

    @property
    def version(self) -> int:
        """The version that we have seen."""
        return int(self._table.version())

    @property
    def column_types(self) -> dict[str, pa.DataType]:
        """The columns that it has, by name."""
        schema = pa.schema(self._table.schema().to_arrow())
        return {field.name: field.type for field in schema}

    def refuse_newer(self) -> None:
        """NewerSchema if a later Taximeter has been at it."""
        refuse_newer(self.folder, self._table)

    def position(self, journal: str) -> int:
        """Up to which position rows of a journal have landed; -1 if none."""
        with reaching(self.folder):
            found = self._table.transaction_version(LANDER + journal)
        return -1 if found is None else int(found)

    def refresh(self) -> None:
        """See what others have committed."""
        from deltalake.exceptions import DeltaError

        with reaching(self.folder):
            try:
                self._table.update_incremental()
            except DeltaError:  # the log was trimmed beyond what we had seen
                self._load()

    def files(self) -> list[ActiveFile]:
        """All files of the version that we have seen, the oldest day first."""
        return list(self._rows_of(self._actions()))

    def still_has(self, file: ActiveFile) -> bool:
        """Whether a file is in the newest version."""
        self.refresh()
        return any(file.path == one.path for one in self.files())

    def _actions(self) -> pa.Table:
        with reaching(self.folder):
            return pa.table(self._table.get_add_actions(flatten=True))

    def _rows_of(self, found: pa.Table) -> Iterator[ActiveFile]:
        time_column = statistics_columns(self.table)[1]
        names = [
            "path",
            "partition.date",
            "num_records",
            "size_bytes",
            "min.journal_position",
            "max.journal_position",
            f"min.{time_column}",
            "min.journal_id",
            "max.journal_id",
            "modification_time",
        ]
        missing = pa.nulls(found.num_rows)
        columns = [(found[name] if name in found.column_names else missing).to_pylist() for name in names]
        rows = sorted(zip(*columns, strict=True), key=lambda row: (row[1], row[6] or 0, row[0]))
        for path, day, records, size, first, last, begin, lowest, highest, modified in rows:
            yield ActiveFile(
                path,
                day,
                records or 0,
                size,
                -1 if first is None else first,
                (1 << 63) - 1 if last is None else last,
                begin or 0,
                (lowest or "", highest or "\U0010ffff"),
                modified,
            )

    def commit(
        self, decide: Callable[[], Actions], journal: str | None = None, position: int = -1, expected: int = -1
    ) -> None:
        """Put what is decided into the log, as one version.

        What others have committed meanwhile is seen first, and then it is decided anew. With a journal, its position is
        part of it; `expected` is the one that must be found before.
        """
        from deltalake.exceptions import DeltaError

        for attempt in range(_ATTEMPTS):
            actions = decide()
            if not actions.added and not actions.removed and position <= expected:
                return  # nothing would be different
            try:
                self._write(actions, journal if position > expected else None, position)
            except (DeltaError, OSError) as error:
                self._settle(error, journal, position, expected)
                if journal and position > expected and self.position(journal) == position:
                    return  # it was told to have failed, and is there
                time.sleep(random.uniform(0, min(0.002 * 2**attempt, 0.5)))
            else:
                self._after_commit()
                return
        raise LakeUnavailable(f"{self.folder}: {_ATTEMPTS} commits in a row lost to others")

    def _settle(self, error: Exception, journal: str | None, position: int, expected: int) -> None:
        """After a commit that failed: see what is so now. Raises what cannot be tried again."""
        from deltalake.exceptions import DeltaError

        conflict = isinstance(error, DeltaError) and "os error" not in str(error)
        if not conflict:
            with reaching(self.folder):
                raise error
        self.refresh()
        self.refuse_newer()
        if journal and self.position(journal) not in (expected, position):
            raise LakeError(f"{self.folder}: another process lands the journal {journal}")

    def _write(self, actions: Actions, journal: str | None, position: int) -> None:
        from deltalake.transaction import CommitProperties, PostCommitHookProperties, Transaction

        transactions = [Transaction(LANDER + journal, position)] if journal else None
        self._table.create_write_transaction(
            [*map(_added, actions.added), *map(_removed, actions.removed)],
            "append",
            self._table.schema(),
            ["date"],
            commit_properties=CommitProperties(app_transactions=transactions, max_commit_retries=3),
            post_commithook_properties=PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False),
        )

    def _after_commit(self) -> None:
        """Make it durable, which the Delta library does not, and go on from there."""
        before = self.version
        self.refresh()
        with reaching(self.folder):
            for version in range(before + 1, self.version + 1):
                sync_file(self._log_folder / f"{version:020}.json")
            sync_folder(self._log_folder)
        if self.version - self._opened_at >= _CHECKPOINT_EVERY:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Write down the whole state, so that the log need not be read from the beginning. Failing is no harm."""
        try:
            with reaching(self.folder):
                self._table.create_checkpoint()
                sync_file(self._log_folder / f"{self.version:020}.checkpoint.parquet")
                sync_file(self._log_folder / "_last_checkpoint")
                sync_folder(self._log_folder)
                self._load()
        except LakeError:
            self._opened_at = self.version  # not at every commit

    @property
    def commits_since_checkpoint(self) -> int:
        """How many versions a reader has to read one by one."""
        hint = self._log_folder / "_last_checkpoint"
        try:
            return self.version - int(json.loads(hint.read_bytes())["version"])
        except FileNotFoundError:
            return self.version + 1

    def trim(self) -> None:
        """Delete what the log has before its last checkpoint, but for the last hour."""
        with reaching(self.folder):
            self._table.cleanup_metadata()

    def removed(self) -> dict[str, int]:
        """Files that are no longer in the table, and since when, in milliseconds: as far as the log still has them."""
        with reaching(self.folder):
            return removals(self._log_folder)

    def positions(self) -> dict[str, int]:
        """How far each journal has landed here."""
        with reaching(self.folder):
            found = positions(self._log_folder)
        return {app.removeprefix(LANDER): position for app, position in found.items() if app.startswith(LANDER)}

    @property
    def _log_folder(self) -> Path:
        return self.folder / "_delta_log"

    def _load(self) -> None:
        from deltalake import DeltaTable

        self._table = DeltaTable(self.folder)
        self._opened_at = self.version


def _added(file: Written) -> Any:
    from deltalake.transaction import AddAction

    day = file.date.isoformat()
    path = f"{partition(file.date)}/{file.name}"
    return AddAction(path, file.bytes, {"date": day}, time.time_ns() // 1_000_000, True, file.statistics)


def _removed(file: ActiveFile) -> Any:
    """A removal counts as a change of data even where rows only move: else deltalake 1.6 lets two remove one file."""
    from deltalake.transaction import RemoveAction

    values: dict[str, str | None] = {"date": file.date.isoformat()}
    return RemoveAction(file.path, True, time.time_ns() // 1_000_000, size=file.bytes, partition_values=values)
