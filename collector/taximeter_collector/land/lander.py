"""The lander: reads the journal at a cursor of its own and lands each record once.

Rows are written as they come and can be seen after the next commit. What a crash interrupts is read again; the lake
knows by the journal's positions what it has already, so nothing is there twice. Only then does the cursor move.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa  # type: ignore[import-untyped]

from taximeter_collector.bill import Register, SpanLinks, Superseded
from taximeter_collector.journal import Source
from taximeter_collector.lake import Lake, LakeError
from taximeter_collector.lake.schema import CALLS
from taximeter_collector.land.attempts import TOO_OFTEN, Attempts
from taximeter_collector.land.calls import priced, settled
from taximeter_collector.land.config import LandConfig
from taximeter_collector.land.dead_letter import DeadLetters
from taximeter_collector.land.readings import Readings
from taximeter_collector.land.rows import table_of
from taximeter_collector.land.stages import Batch, Refused, Stages
from taximeter_collector.price import Book

__all__ = ["Lander"]

_LAST_S = 10.0

_log = logging.getLogger("taximeter.land")


@dataclass(slots=True)
class _Pending:
    """What was read and is not committed."""

    since: float = 0.0
    position: int = -1
    payload_bytes: int = 0
    calls: list[pa.Table] = field(default_factory=list)
    call_count: int = 0
    links: list[SpanLinks] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)


class Lander:
    """From a source into a lake, until told to stop."""

    def __init__(
        self,
        config: LandConfig,
        source: Source,
        stages: Stages,
        book: Callable[[], Book],
        register: Register,
        lake: Lake,
        dead_letters: DeadLetters,
        readings: Readings,
        attempts: Attempts,
    ) -> None:
        self._config = config
        self._source = source
        self._stages = stages
        self._book = book  # asked for each commit: the prices may be others by then
        self._register = register
        self._lake = lake
        self._dead_letters = dead_letters
        self._readings = readings
        self._attempts = attempts
        self._pending = _Pending()

    def run(self, stopped: Callable[[], bool]) -> None:
        """Land what comes; when told to stop, first what is there already, for as long as that may take."""
        while not stopped():
            self.step(self._patience_s())
        deadline = time.monotonic() + _LAST_S
        while self.step(0.0) and time.monotonic() < deadline:
            pass
        if self._pending.batches:
            self.commit()

    def run_one_by_one(self, stopped: Callable[[], bool], records: int) -> None:
        """Land some records in commits of their own, after landing failed: one that cannot be landed is put aside."""
        while records and not stopped() and (found := self._source.read(max_bytes=1, wait_s=0.0)):
            records -= 1
            record = found[-1]
            if self._attempts.begin("record", record.position) >= TOO_OFTEN:
                self._put_aside(Refused(record, "the lander died of it"))
                continue
            try:
                self._take(self._stages.run(found))
                self._pending.position = record.position
                self.commit()
            except (LakeError, OSError):
                raise
            except Exception as error:  # whatever it is, those behind it are not to blame
                self._lake.abandon()
                self._register.abandon()
                self._pending = _Pending()
                self._put_aside(Refused(record, f"{type(error).__name__}: {error}"))

    def _put_aside(self, refused: Refused) -> None:
        self._dead_letters.keep(refused)
        _log.error("a record could not be landed", extra={"position": refused.record.position})
        self._source.commit(refused.record.position)
        self._attempts.over()
        self._readings.committed([Batch(refused=[refused])], {}, None, 0)

    def step(self, wait_s: float) -> bool:
        """Read what there is, or comes within this time; whether there was anything."""
        records = self._source.read(max_bytes=self._config.batch_size, wait_s=wait_s)
        if records:
            pending = self._pending
            pending.since = pending.since or time.monotonic()
            self._take(self._stages.run(records))
            pending.position = records[-1].position
            pending.payload_bytes += sum(len(record.payload) for record in records)
        if self._is_due():
            self.commit()
        return bool(records)

    def _patience_s(self) -> float:
        if not self._pending.batches:
            return min(0.5, self._config.commit_interval_s)
        return max(0.0, self._pending.since + self._config.commit_interval_s - time.monotonic())

    def _is_due(self) -> bool:
        pending = self._pending
        return bool(pending.batches) and (
            time.monotonic() - pending.since >= self._config.commit_interval_s
            or pending.payload_bytes >= self._config.commit_size
            or pending.call_count >= self._config.commit_calls
        )

    def _take(self, batch: Batch) -> None:
        """Write the rows, but for the calls: which of them are billed is known when all of a commit are there."""
        pending = self._pending
        for refused in batch.refused:
            self._dead_letters.keep(refused)
            # Without the reason, which may quote what was sent; it is beside the record.
            _log.error("a record could not be landed", extra={"position": refused.record.position})
        with self._readings.stage("write"):
            for table, parts in batch.rows.items():
                if table != CALLS.name:
                    for rows in parts:
                        pending.rows[table] += self._lake.append(table, rows)
        calls = batch.rows.pop(CALLS.name, [])
        pending.calls += calls
        pending.call_count += sum(rows.num_rows for rows in calls)
        pending.links += batch.links
        pending.batches.append(batch)
        batch.rows, batch.links = {}, []

    def commit(self) -> None:
        """Make everything that was taken visible, durable, and done."""
        pending, self._pending = self._pending, _Pending()
        superseded: list[Superseded] = []
        ledger = None
        if pending.links or pending.calls:
            ledger, superseded = self._settle(pending)
        with self._readings.stage("commit"):
            self._lake.commit(pending.position, superseded)
            self._register.commit()
            self._source.commit(pending.position)
            self._attempts.over()
        self._readings.committed(pending.batches, pending.rows, ledger, len(superseded))

    def _settle(self, pending: _Pending) -> tuple[pa.Table | None, list[Superseded]]:
        """Price all calls, find out which are billed, and write the ledger's rows.

        Spans that are no calls can tell what a call is in, and so change what is billed.
        """
        calls = pa.table({})
        if pending.calls:
            with self._readings.stage("price"):
                calls = priced(pa.concat_tables(pending.calls, promote_options="permissive"), self._book())
        with self._readings.stage("bill"):
            verdict = self._register.settle(calls, SpanLinks.join(pending.links))
        if not pending.calls:
            return None, verdict.superseded
        with self._readings.stage("write"):
            ledger = table_of(CALLS, settled(calls, verdict), calls.num_rows)
            pending.rows[CALLS.name] += self._lake.append(CALLS.name, ledger)
        return ledger, verdict.superseded
