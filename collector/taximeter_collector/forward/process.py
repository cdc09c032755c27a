"""A forwarder as a process of its own: one for each destination, so that a slow one slows nobody."""

from __future__ import annotations

import asyncio
import logging
import random
import shutil
import threading
import time
from contextlib import ExitStack

from taximeter_collector.configuration import Config
from taximeter_collector.forward.answers import Answer, Verdict
from taximeter_collector.forward.credentials import Credentials, CredentialsError, load
from taximeter_collector.forward.dead_letter import DeadLetters
from taximeter_collector.forward.delivery import Delivery
from taximeter_collector.forward.forwarder import Forwarder, NotTreated
from taximeter_collector.forward.orders import READER, reader, skip_as_asked, skip_is_asked
from taximeter_collector.forward.sender import endpoints
from taximeter_collector.forward.suspects import Suspects
from taximeter_collector.forward.tally import Tally
from taximeter_collector.forward.treatment import Treatment, TreatmentError
from taximeter_collector.forward.window import Window
from taximeter_collector.journal import JournalError, JournalReader
from taximeter_collector.journal.inspection import readers
from taximeter_collector.journal.segments import Folder
from taximeter_collector.price import Book, OverridesError
from taximeter_collector.redact import RedactionError
from taximeter_collector.supervise.worker import CannotStart, Control, work_until_stopped
from taximeter_collector.telemetry.exposition import publish
from taximeter_collector.telemetry.metrics import Registry

__all__ = ["run"]

_PUBLISH_S = 1.0
_PAUSES_S = (0.5, 1, 2, 5, 10, 30)
_LONG_S = 60

_log = logging.getLogger("taximeter.forward")


async def run(config: Config, control: Control) -> None:
    """Forward until told to stop."""
    try:
        work = _Work(config, control.name.removeprefix(READER))
        await asyncio.to_thread(work.prepare)
    except (CredentialsError, JournalError, OverridesError, RedactionError, TreatmentError) as error:
        raise CannotStart(f"{control.name}: {error}") from error
    await work_until_stopped(work, control)


class _Work:
    """A forwarder and all that it needs; all but what is counted is made anew after a failure of the disk."""

    def __init__(self, config: Config, name: str) -> None:
        self._config = config
        self._name = name
        self._destination = config.forward[name]
        self._registry = Registry()
        self._letters = DeadLetters(config.data, name, self._destination.dead_letter_size)
        self._stopped = threading.Event()
        self._reload = threading.Event()
        self._published_at = 0.0
        self._missed = 0
        self._scratch = config.data / "forward" / f"{name}.scratch"
        self._book: Book | None = None
        self._suspects = Suspects(config.run_folder / f"{reader(name)}.treating")

    def prepare(self) -> None:
        """What takes long, and what can be wrong."""
        self._credentials: Credentials = load(self._destination)
        shown = " ".join(dict.fromkeys(place.shown for place in endpoints(self._destination).values()))
        self._tally = Tally(self._config.data, self._name, self._registry, shown)
        if self._destination.enrich:
            self._load_prices()
        if letter := self._suspects.letter:
            self._letters.put_back(letter)
            _log.error("a forwarder died of a dead letter; it is not sent again", extra=self._said | {"letter": letter})
        try:
            self._open_reader().close()  # from now on the journal waits for us
            self._treat().close()
        except OSError as error:  # a full disk, say; senders need not suffer for it
            _log.warning("cannot forward yet: %s", error, extra=self._said)

    def stop(self) -> None:
        """Come to an end, in the time that draining may take."""
        self._stopped.set()

    def reload(self) -> None:
        """Read prices, keys and certificates again before the next batch."""
        self._reload.set()

    def run(self) -> None:
        """Forward. After a failure of our own disk, what was not delivered is read again, in a while."""
        failures = 0
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                self._forward()
            except (OSError, JournalError) as error:
                failures = 0 if time.monotonic() - began > _LONG_S else failures + 1
                pause_s = _PAUSES_S[min(failures, len(_PAUSES_S) - 1)] * random.uniform(0.8, 1.2)
                _log.warning("cannot forward: %s; trying again in %.1f s", error, pause_s, extra=self._said)
                self._tally.failed(Answer(Verdict.LATER, "disk", f"cannot forward: {error}"), pause_s)
                self._tally.write()
                self._stopped.wait(pause_s)
            except NotTreated:
                _log.exception("records could not be treated; the one that did it is looked for", extra=self._said)
            except Exception:
                failures = 0 if time.monotonic() - began > _LONG_S else failures + 1
                _log.exception("forwarding failed; it begins anew at its cursor", extra=self._said)
                self._stopped.wait(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])
        self._tally.write(state="stopped")
        self._suspects.close()

    def _forward(self) -> None:
        """Until told to stop, or to skip what is there."""
        if skip_is_asked(self._config.data, self._name):
            self._tally.skipped(skip_as_asked(self._config.data, self._config.journal.dir, self._name))
        source, treatment, window = self._open_reader(), self._treat(), Window()
        self._tally.forget_treatment()
        journal_id = Folder(self._config.journal.dir).identity()
        delivery = Delivery(
            self._destination, lambda: self._credentials, journal_id, window, self._letters, self._tally
        )
        forwarder = Forwarder(
            source, treatment, delivery, window, self._letters, self._tally, journal_id, self._suspects
        )
        with ExitStack() as ending:  # from the last to the first, whatever fails among them
            ending.callback(self._publish, source)
            ending.callback(source.close)
            ending.callback(lambda: self._tally.treated(treatment.counts, 0))
            ending.callback(forwarder.close)
            ending.callback(forwarder.commit)
            ending.callback(delivery.close)
            ending.callback(forwarder.commit)  # before what may take longer than the supervisor waits
            forwarder.run(lambda: self._between(source, delivery))
            if self._stopped.is_set():
                forwarder.drain(self._destination.drain_timeout_s)

    def _open_reader(self) -> JournalReader:
        return JournalReader(self._config.journal.dir, reader(self._name))

    def _treat(self) -> Treatment:
        shutil.rmtree(self._scratch, ignore_errors=True)  # of the treatment before this one
        self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Treatment(self._destination, self._config.redact, self._prices, scratch=self._scratch)

    def _prices(self) -> Book:
        return self._book or self._load_prices()

    def _load_prices(self) -> Book:
        self._book = Book.load(self._config.data)
        return self._book

    def _between(self, source: JournalReader, delivery: Delivery) -> bool:
        """What is done between batches; whether to stop, or to begin anew."""
        if self._reload.is_set():
            self._reload.clear()
            self._read_again(delivery)
        if time.monotonic() - self._published_at > _PUBLISH_S:
            self._publish(source)
        return self._stopped.is_set() or skip_is_asked(self._config.data, self._name)

    def _read_again(self, delivery: Delivery) -> None:
        """Each on its own: prices that cannot be read do not keep a new key from being used."""
        try:
            self._credentials = load(self._destination)
            delivery.reload()
            _log.info("keys and certificates were read again", extra=self._said)
        except CredentialsError as error:
            _log.error("keys and certificates stay as they were: %s", error, extra=self._said)
        if self._book:
            try:
                self._load_prices()
                _log.info("the prices were read again", extra=self._said)
            except OverridesError as error:
                _log.error("the prices stay as they were: %s", error, extra=self._said)

    def _publish(self, source: JournalReader) -> None:
        found = next((one for one in readers(self._config.journal.dir) if one.name == reader(self._name)), None)
        if source.missed > self._missed:
            _log.warning("records were dropped at the journal's limit before they were sent", extra=self._said)
        self._missed = source.missed
        self._tally.unread(found.lag_bytes if found else 0, source.damaged_bytes)
        self._tally.write()
        publish(self._registry, self._config.run_folder, reader(self._name))
        self._published_at = time.monotonic()

    @property
    def _said(self) -> dict[str, str]:
        return {"destination": self._name}
