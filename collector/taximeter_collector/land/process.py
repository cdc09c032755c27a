"""The lander as a process of its own."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from contextlib import ExitStack, closing

import pyarrow as pa  # type: ignore[import-untyped]

from taximeter_collector.bill import CALL_COLUMNS, Register
from taximeter_collector.configuration import Config
from taximeter_collector.journal import JournalReader
from taximeter_collector.journal.segments import Folder
from taximeter_collector.lake import Lake, LakeError
from taximeter_collector.lake.schema import CALLS
from taximeter_collector.land.attempts import TOO_OFTEN, Attempts
from taximeter_collector.land.dead_letter import DeadLetters
from taximeter_collector.land.lander import Lander
from taximeter_collector.land.readings import Readings
from taximeter_collector.land.stages import Stages
from taximeter_collector.price import Book, OverridesError
from taximeter_collector.redact import Redaction, RedactionError
from taximeter_collector.supervise.worker import CannotStart, Control, work_until_stopped
from taximeter_collector.telemetry.exposition import publish
from taximeter_collector.telemetry.metrics import Registry

__all__ = ["READER", "run"]

READER = "lander"
_PUBLISH_S = 1.0
_PAUSES_S = (0.5, 1, 2, 5, 10)
_LONG_S = 60
_CAREFUL_RECORDS = 256

_log = logging.getLogger("taximeter.land")


async def run(config: Config, control: Control) -> None:
    """Land until told to stop."""
    # The system's allocator gives a batch the memory of the one before; Arrow's own ask for more, and for new pages.
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        work = _Work(config)
        await asyncio.to_thread(work.prepare)
    except (LakeError, OverridesError, RedactionError) as error:
        raise CannotStart(str(error)) from error
    await work_until_stopped(work, control)


class _Work:
    """The lander and all that it needs; lake and register are opened anew after a failure of the disk."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._journal_id = Folder(config.journal.dir).identity()
        self._registry = Registry()
        self._redaction = Redaction.of(config.redact)
        self._stopped = threading.Event()
        self._reload = threading.Event()
        self._published_at = 0.0

    def prepare(self) -> None:
        """What takes long, and what can be wrong."""
        self._book = self._load_prices()
        self._stages = Stages(self._journal_id, self._redaction, keep_content=self._config.land.content)
        self._readings = Readings(self._registry, self._redaction, self._stages.spent_s)
        JournalReader(self._config.journal.dir, READER).close()  # from now on the journal waits for us

    def _load_prices(self) -> Book:
        book = Book.load(self._config.data)
        for problem in book.problems:
            _log.warning(problem)
        return book

    def stop(self) -> None:
        """Come to an end: what was read is committed first."""
        self._stopped.set()

    def reload(self) -> None:
        """Read the prices again before the next batch."""
        self._reload.set()

    def run(self) -> None:
        """Land. After a failure, what was not committed is read again, in a while."""
        failures = 0
        careful = False
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                self._land(careful)
                careful = False
            except (LakeError, OSError) as error:
                failures = 0 if time.monotonic() - began > _LONG_S else failures + 1
                pause_s = _PAUSES_S[min(failures, len(_PAUSES_S) - 1)] * random.uniform(0.8, 1.2)
                _log.warning("cannot land: %s; trying again in %.1f s", error, pause_s)
                self._readings.lake_failed()
                publish(self._registry, self._config.run_folder, READER)
                self._stopped.wait(pause_s)
            except Exception:
                _log.exception("landing failed; the next records are landed one by one, to find the one that did it")
                careful = True
                self._stopped.wait(_PAUSES_S[0])

    def _land(self, careful: bool) -> None:
        """Until told to stop. `careful`: the first records one by one."""
        attempts = Attempts(self._config.run_folder)
        with closing(self._open_lake()) as lake, closing(JournalReader(self._config.journal.dir, READER)) as source:
            try:
                lander = self._lander(lake, source, attempts)
                cursor = Folder(self._config.journal.dir).cursor(READER)
                place = cursor.next if cursor else 0
                if careful or attempts.begin("cursor", place) >= TOO_OFTEN or attempts.times("record", place):
                    lander.run_one_by_one(lambda: self._between(source), _CAREFUL_RECORDS)
                lander.run(lambda: self._between(source))
            except BaseException:
                lake.abandon()
                raise
            finally:
                attempts.over()

    def _lander(self, lake: Lake, source: JournalReader, attempts: Attempts) -> Lander:
        register = Register.open(
            self._config.data / "register",
            lambda since: lake.rows(CALLS.name, CALL_COLUMNS, since),
            landed_to={self._journal_id: lake.positions[CALLS.name]},
        )
        letters = DeadLetters(self._config.data / "dead-letter", self._journal_id)
        return Lander(
            self._config.land,
            source,
            self._stages,
            lambda: self._book,
            register,
            lake,
            letters,
            self._readings,
            attempts,
        )

    def _open_lake(self) -> Lake:
        """The lake; under another name if it knows more of our journal than there is: then it is of another one."""
        folder = Folder(self._config.journal.dir)
        with ExitStack() as opened:
            lake = opened.enter_context(closing(Lake.open(self._config.lake, self._journal_id)))
            head = folder.head()
            if head is None or max(lake.positions.values()) < head.next:
                opened.pop_all()
                return lake
        before, self._journal_id = self._journal_id, folder.identity(anew=True)
        _log.warning(
            "the journal is older than what landed from it, as after a restored backup: it goes on under another name",
            extra={"before": before, "now": self._journal_id},
        )
        self._stages = Stages(self._journal_id, self._redaction, keep_content=self._config.land.content)
        self._readings = Readings(self._registry, self._redaction, self._stages.spent_s)
        return Lake.open(self._config.lake, self._journal_id)

    def _between(self, source: JournalReader) -> bool:
        """What is done between batches; whether to stop."""
        if self._reload.is_set():
            self._reload.clear()
            try:
                self._book = self._load_prices()
            except OverridesError as error:
                _log.error("the prices stay as they were: %s", error)
            else:
                now = {"prices": self._book.sources[0].source, "overrides": self._book.overrides.edition}
                _log.info("the prices were read again", extra=now)
        if time.monotonic() - self._published_at > _PUBLISH_S:
            self._readings.observe(source.damaged_bytes)
            publish(self._registry, self._config.run_folder, READER)
            self._published_at = time.monotonic()
        return self._stopped.is_set()
