"""The way in, for both protocols: a body is checked, written to the journal, and only then acknowledged."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast

from taximeter_collector.journal import Entry, JournalClosed, JournalConfig, JournalFull, JournalWriter
from taximeter_collector.receive.config import ReceiveConfig
from taximeter_collector.receive.otlp_json import to_protobuf
from taximeter_collector.receive.pieces import LARGE_BYTES, MOST_RECORD_BYTES, pieces
from taximeter_collector.receive.refusals import Reason, Refused
from taximeter_collector.receive.shape import Checked, Shape, check
from taximeter_collector.telemetry import metrics
from taximeter_collector.telemetry.metrics import Registry

__all__ = ["Intake", "Memory"]

_IN_PLACE_BYTES = 64 << 10  # JSON beyond it is read in a thread, so that others are served meanwhile


@dataclass(slots=True)
class Memory:
    """How much of bodies there may be at one time."""

    limit: int
    used: int = 0

    def take(self, size: int) -> None:
        """Count some more. Refused if that is too much, unless it is all there is: one request can always be served."""
        if self.used and self.used + size > self.limit:
            raise Refused(Reason.BUSY, "too much is being received at this moment; try again")
        self.used += size

    def give_back(self, size: int) -> None:
        """It is gone again."""
        self.used -= size


class Intake:
    """Takes export requests in. Lives in one event loop."""

    def __init__(self, config: ReceiveConfig, journal: JournalConfig, registry: Registry) -> None:
        self.registry = registry
        self.memory = Memory(config.memory)
        self.draining = False  # whoever asks whether we are ready is told no, while what is under way goes on
        self.stopping = False
        self._max_request = config.max_request
        self._loop = asyncio.get_running_loop()
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._large_json = asyncio.Lock()  # two at a time would be no faster, and take twice the memory
        self.journal = JournalWriter(journal, self._settled_in_its_thread)

    async def take(self, shape: Shape, payload: bytes, transport: str, sender: str) -> Checked:
        """Check, write, and come back when it is on disk. Refused otherwise."""
        checked = check(shape, payload) if len(payload) <= LARGE_BYTES else await self._check_in_pieces(shape, payload)
        if checked.items:
            await self._write(shape, checked, sender)
        registry, signal = self.registry, shape.signal.name.lower()
        registry.add(metrics.ACCEPTED_REQUESTS, 1, transport, signal, sender)
        registry.add(metrics.ACCEPTED_ITEMS, checked.items, transport, signal)
        if checked.rejected:
            registry.add(metrics.REJECTED_ITEMS, checked.rejected, transport, signal)
        return checked

    async def take_json(self, shape: Shape, body: bytes, transport: str, sender: str) -> Checked:
        """The same for a body in JSON."""
        descriptor = shape.request.DESCRIPTOR
        if len(body) > _IN_PLACE_BYTES:
            async with self._large_json:
                payload = await asyncio.to_thread(to_protobuf, descriptor, body)
        else:
            payload = to_protobuf(descriptor, body)
        if len(payload) > self._max_request:
            raise Refused(Reason.TOO_LARGE, f"the request is larger than {self._max_request} bytes in protobuf")
        return await self.take(shape, payload, transport, sender)

    async def close(self, timeout_s: float) -> None:
        """Take nothing more; end when what is under way is done, or time is up."""
        self.stopping = True
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except TimeoutError:
            pass
        await asyncio.to_thread(self.journal.close)

    async def _check_in_pieces(self, shape: Shape, payload: bytes) -> Checked:
        """The same as `check`; others are served in between."""
        whole = Checked(payload, 0)
        kept: list[bytes] = []
        too_large = f"records of more than {MOST_RECORD_BYTES} bytes"
        for piece in pieces(payload):
            if piece is None:
                whole.reject(1, too_large)
            else:
                checked = check(shape, piece)
                kept.append(checked.payload)
                whole.add(checked)
            await asyncio.sleep(0)
        if too_large in whole.problems and not whole.items:
            raise Refused(Reason.TOO_LARGE, f"there is nothing but {too_large}")
        if whole.problems:
            whole.payload = b"".join(kept)
        return whole

    async def _write(self, shape: Shape, checked: Checked, sender: str) -> None:
        if self.stopping:
            raise Refused(Reason.STOPPING, "the collector is shutting down")
        entry = Entry(shape.signal, checked.items, sender, checked.payload, self._loop.create_future())
        self._under_way += 1
        self._idle.clear()
        try:
            self.journal.append(entry)
            await self._settled(entry)
        except JournalClosed as error:
            raise Refused(Reason.STOPPING, "the collector is shutting down") from error
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()
        if entry.error:
            reason = Reason.JOURNAL_FULL if isinstance(entry.error, JournalFull) else Reason.JOURNAL_FAILED
            raise Refused(reason, f"nothing can be taken in now: {entry.error}")

    async def _settled(self, entry: Entry) -> None:
        try:
            await cast("asyncio.Future[None]", entry.ticket)
        except asyncio.CancelledError:  # the sender has gone; what it sent takes memory until it is written
            if entry.ticket:
                entry.ticket = settled = self._loop.create_future()
                await settled
            raise

    def _settled_in_its_thread(self, entries: list[Entry]) -> None:
        try:
            self._loop.call_soon_threadsafe(_settle, entries)
        except RuntimeError:
            pass  # the loop has ended, and with it everyone who waited


def _settle(entries: list[Entry]) -> None:
    """Wake who waits. An error stays in the entry: as a future's exception it would hold on to all that waited."""
    for entry in entries:
        ticket, entry.ticket = entry.ticket, None
        assert isinstance(ticket, asyncio.Future)
        if not ticket.done():  # the sender may have gone
            ticket.set_result(None)
