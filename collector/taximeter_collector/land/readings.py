"""What the lander counts."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pyarrow as pa  # type: ignore[import-untyped]

from taximeter_collector.land.stages import Batch
from taximeter_collector.redact import Redaction
from taximeter_collector.telemetry import metrics
from taximeter_collector.telemetry.metrics import Registry

__all__ = ["Readings"]

_log = logging.getLogger("taximeter.land")


class Readings:
    """Counters of one lander, in a registry. What was not committed is not counted: it will be read again."""

    def __init__(self, registry: Registry, redaction: Redaction, spent_s: dict[str, float]) -> None:
        self._registry = registry
        self._redaction = redaction
        self._spent_s = spent_s
        self._lake_fails = False

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """CPU time of a stage."""
        began = time.process_time()
        try:
            yield
        finally:
            self._spent_s[name] = self._spent_s.get(name, 0.0) + time.process_time() - began

    def committed(
        self, batches: list[Batch], rows: Mapping[str, int], ledger: pa.Table | None, corrections: int
    ) -> None:
        """What has become visible."""
        if self._lake_fails:
            _log.info("the lake can be written again")
            self._lake_fails = False
        add = self._registry.add
        add(metrics.COMMITS, 1)
        for batch in batches:
            for signal, items in batch.items.items():
                add(metrics.LANDED_ITEMS, items, signal)
            for signal, clamped in batch.clamped.items():
                add(metrics.CLAMPED, clamped, signal)
            add(metrics.DEAD_LETTERS, len(batch.refused))
            add(metrics.CONTENT_LEFT_OUT, batch.content_left_out)
            add(metrics.SATURATED, batch.saturated)
            add(metrics.LEFT_OUT, batch.left_out)
        for table, count in rows.items():
            add(metrics.LANDED_ROWS, count, table)
        if corrections:
            add(metrics.CORRECTIONS, corrections)
        if ledger is not None:
            self._count_calls(ledger)

    def _count_calls(self, ledger: pa.Table) -> None:
        by_outcome = ledger.group_by(["cost_status", "billable", "not_billable_because"]).aggregate([([], "count_all")])
        for row in by_outcome.to_pylist():
            billable = "true" if row["billable"] else "false"
            self._registry.add(metrics.LANDED_CALLS, row["count_all"], row["cost_status"], billable)
            if not row["billable"]:
                self._registry.add(metrics.NOT_BILLED, row["count_all"], row["not_billable_because"] or "")

    def observe(self, damaged_bytes: int) -> None:
        """What is counted elsewhere."""
        for signal, passed in self._redaction.passed.items():
            self._registry.set(metrics.REDACTION_PASSED, passed, signal)
        for rule, values in self._redaction.values.items():
            self._registry.set(metrics.REDACTED, values, rule)
        for stage, seconds in self._spent_s.items():
            self._registry.set(metrics.STAGE_TIME, seconds, stage)
        self._registry.set(metrics.READER_DAMAGED, damaged_bytes)

    def lake_failed(self) -> None:
        """An attempt that came to nothing."""
        self._registry.add(metrics.LAKE_FAILURES, 1)
        self._lake_fails = True
