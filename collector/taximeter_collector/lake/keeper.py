"""The lake's keeper: every so often, a round of upkeep in a process of its own, so that none of its memory stays."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import pickle
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taximeter_collector.configuration import Config
from taximeter_collector.lake.config import LakeConfig
from taximeter_collector.telemetry import metrics
from taximeter_collector.telemetry.exposition import publish, published
from taximeter_collector.telemetry.metrics import Registry

if TYPE_CHECKING:
    from taximeter_collector.supervise.worker import Control

__all__ = ["run"]

_log = logging.getLogger("taximeter.lake")

READER = "lander"

_PUBLISH_S = 5.0
_BEHIND_S = 5.0
_MOST_PUT_OFF = 30  # rounds: half an hour, as it comes
# Arrow's own allocators keep what they had; with the system's, a merge takes 240 MB at its peak instead of 280 MB.
_ALLOCATION = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "2"}


async def run(config: Config, control: Control) -> None:
    """Tidy the lake until told to stop."""
    keeper = Keeper(config.lake)
    control.ready()
    publishing = asyncio.create_task(_publish(keeper.registry, config.run_folder))
    try:
        put_off = 0
        while not await _stopped(control, config.lake.upkeep_interval_s):
            if put_off < _MOST_PUT_OFF and _is_behind(config.run_folder):
                put_off += 1  # the lander needs the memory and the processors now
                continue
            put_off = 0
            await keeper.round(control.stopped)
    finally:
        publishing.cancel()


class Keeper:
    """One lake's keeper."""

    def __init__(self, config: LakeConfig) -> None:
        self.registry = Registry()
        self._config = config
        self._seen: dict[str, int] = {}
        self._rounds_left = 0
        self._errors: dict[str, str] = {}

    async def round(self, stopped: asyncio.Event) -> None:
        """One round, if anything can have changed."""
        if not self._is_due():
            return
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "taximeter_collector.lake.upkeep"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | _ALLOCATION,
        )
        done = asyncio.ensure_future(process.communicate(pickle.dumps(self._config)))
        stopping = asyncio.ensure_future(stopped.wait())
        await asyncio.wait((done, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not done.done():  # whatever it is doing can be broken off
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        stopping.cancel()
        told, said = await done
        if process.returncode == 0:
            self._record(json.loads(told))
            self._seen = self._state()  # the round's own changes are no reason for another one
        elif not stopped.is_set():
            self._failed("", said.decode(errors="replace").strip().splitlines()[-1:])

    def _is_due(self) -> bool:
        """Whether a table has changed since the last round, or so lately that there are files in their grace."""
        now = self._state()
        if now != self._seen:
            self._seen = now
            self._rounds_left = int(self._config.grace_s // self._config.upkeep_interval_s) + 2
        self._rounds_left -= 1
        return any(self._seen.values()) and self._rounds_left >= 0

    def _state(self) -> dict[str, int]:
        """When each table was last changed, on which day."""
        today = datetime.now(UTC).toordinal()  # a day that begins may make another one too old
        logs = self._config.dir.glob("*/_delta_log")
        return {f"{today} {log.parent.name}": _last_change(log) for log in logs}

    def _record(self, reports: list[dict[str, Any]]) -> None:
        for report in reports:
            table = report["table"]
            self.registry.set(metrics.LAKE_FILES, report["files"], table)
            self.registry.set(metrics.LAKE_ROWS, report["rows"], table)
            self.registry.set(metrics.LAKE_SIZE, report["bytes"], table)
            self.registry.add(metrics.LAKE_MERGED_FILES, report["merged_files"], table)
            self.registry.add(metrics.LAKE_DROPPED_DAYS, report["dropped_days"], table)
            if report["error"]:
                self._failed(table, [report["error"]])
            else:
                self._errors.pop(table, None)

    def _failed(self, table: str, why: list[str]) -> None:
        """Counted each time; told when it is new."""
        self.registry.add(metrics.LAKE_UPKEEP_FAILURES, 1)
        reason = "".join(why)
        if self._errors.get(table) != reason:
            self._errors[table] = reason
            _log.error("upkeep of the lake failed", extra={"table": table, "reason": reason})


def _is_behind(run_folder: Path) -> bool:
    """Whether there are records in the journal for which the lander had no time yet."""
    ages = [
        value for name, labels, value in published(run_folder) if (name, labels) == (metrics.READER_AGE.name, (READER,))
    ]
    return any(age > _BEHIND_S for age in ages)


def _last_change(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


async def _stopped(control: Control, after_s: float) -> bool:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(control.stopped.wait(), after_s)
    return control.stopped.is_set()


async def _publish(registry: Registry, folder: Path) -> None:
    while True:
        publish(registry, folder, "keeper")
        await asyncio.sleep(_PUBLISH_S)
