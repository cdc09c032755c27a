"""What the receiver knows of its state, for /readyz and /metrics."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from taximeter_collector.journal import JournalConfig, JournalError
from taximeter_collector.journal.retention import oldest_unread_unix_nano
from taximeter_collector.journal.segments import Folder
from taximeter_collector.receive.intake import Intake
from taximeter_collector.telemetry import metrics
from taximeter_collector.telemetry.exposition import observe_process, published, render
from taximeter_collector.telemetry.metrics import Registry

__all__ = ["observe", "observe_readers", "ready", "status_page"]


def ready(intake: Intake) -> str:
    """Why nothing is taken in at this moment; nothing if it is."""
    if intake.draining:
        return "shutting down"
    return intake.journal.refusing


def status_page(intake: Intake, config: JournalConfig, run: Path, connections: int) -> str:
    """The metrics of all processes, in Prometheus' text."""
    observe_process(intake.registry, "receiver")
    observe(intake, config, connections)
    return render([*intake.registry.samples(), *published(run, but="receiver")])


def observe(intake: Intake, config: JournalConfig, connections: int) -> None:
    """Bring the registry up to date with what is counted elsewhere."""
    intake.registry.set(metrics.CONNECTIONS, connections)
    intake.registry.set(metrics.MEMORY_IN_USE, intake.memory.used)
    _observe_journal(intake, config)


def _observe_journal(intake: Intake, config: JournalConfig) -> None:
    registry, journal = intake.registry, intake.journal
    written, retention = journal.written, journal.retention
    registry.set(metrics.JOURNAL_SIZE, retention.bytes)
    registry.set(metrics.JOURNAL_LIMIT, config.max_size)
    registry.set(metrics.JOURNAL_SEGMENTS, retention.segments)
    registry.set(metrics.JOURNAL_RECORDS, written.records)
    registry.set(metrics.JOURNAL_WRITTEN, written.bytes)
    registry.set(metrics.JOURNAL_SYNCS, written.syncs)
    registry.set(metrics.JOURNAL_SYNC_TIME, written.sync_s)
    registry.set(metrics.JOURNAL_FAILURES, written.failures)
    registry.set(metrics.JOURNAL_CUT, written.cut_bytes)
    registry.set(metrics.JOURNAL_DAMAGED, written.damaged_bytes)
    registry.set(metrics.JOURNAL_DROPPED, retention.dropped_records)


def observe_readers(registry: Registry, folder: Folder) -> None:
    """How far each reader is behind. Reads from the disk, and so not where a disk that hangs would stop everything."""
    found = {}
    with suppress(JournalError, OSError):
        head = folder.head()
        for reader, cursor in folder.cursors().items():
            oldest = oldest_unread_unix_nano(folder, cursor)
            age = max(0.0, (time.time_ns() - oldest) / 1e9) if oldest else 0.0
            found[reader] = (max(0, head.next - cursor.next) if head else 0, age)
    registry.forget(metrics.READER_UNREAD)
    registry.forget(metrics.READER_AGE)
    for reader, (unread, age) in found.items():
        registry.set(metrics.READER_UNREAD, unread, reader)
        registry.set(metrics.READER_AGE, age, reader)
