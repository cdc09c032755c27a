"""From the journal to one destination: read, treat, deliver, and only then let the cursor pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from taximeter_collector.forward.dead_letter import DeadLetters, Letter
from taximeter_collector.forward.delivery import Delivery
from taximeter_collector.forward.parcel import Again, Parcel
from taximeter_collector.forward.suspects import Suspects
from taximeter_collector.forward.tally import Tally
from taximeter_collector.forward.treatment import Outgoing, SetAside, Treatment
from taximeter_collector.forward.window import Window
from taximeter_collector.journal import Record, Source

__all__ = ["Forwarder", "NotTreated"]

_READ_BYTES = 4 << 20
_COMMIT_S = 0.5
_LETTERS_S = 2.0
_WAIT_S = 0.2
_GATHER_S = 0.5


class NotTreated(Exception):
    """Records could not be treated. A new session finds the one that it is because of, or goes on without it."""


class Forwarder:
    """One session: from the cursor until told to stop. A treatment, a window and a delivery belong to it alone."""

    def __init__(
        self,
        source: Source,
        treatment: Treatment,
        delivery: Delivery,
        window: Window,
        letters: DeadLetters,
        tally: Tally,
        journal_id: str,
        suspects: Suspects,
    ) -> None:
        self._source = source
        self._treatment = treatment
        self._delivery = delivery
        self._window = window
        self._letters = letters
        self._tally = tally
        self._journal_id = journal_id
        self._suspects = suspects
        self._read_to = -1
        self._committed = -1
        self._committed_at = 0.0
        self._looked_at = 0.0
        self._again: set[str] = set()  # names of letters that are under way
        self._treated_at = 0.0
        self._was_full = False
        self._is_closed = False
        self._is_unsafe = False  # from the moment that something is treated until the window knows what comes of it
        self._is_cut_off = False  # between records that were read and requests that were taken on

    def run(self, stopped: Callable[[], bool]) -> None:
        """Forward what comes, until told to stop."""
        while not stopped():
            self._pass_on(self._gathered(), stopped)
            self._between()
            if time.monotonic() - self._looked_at >= _LETTERS_S:
                self._send_again(stopped)
                self._looked_at = time.monotonic()

    def drain(self, patience_s: float) -> None:
        """At the end: send what is there, as long as the backend takes it and there is time."""
        deadline = time.monotonic() + patience_s

        def is_over() -> bool:
            return self._is_cut_off or time.monotonic() >= deadline or not self._delivery.gate.is_open

        while not is_over() and (records := self._source.read(max_bytes=_READ_BYTES, wait_s=0.0)):
            self._pass_on(records, is_over)
        if not is_over():
            self._is_closed = True
            self._is_unsafe = True
            self._send(self._treatment.close(), is_over)  # judged before their time, rather than sent twice
        while time.monotonic() < deadline and self._delivery.gate.is_open and not self._delivery.is_idle(0.1):
            pass
        self.commit()

    def close(self) -> None:
        """Give up what is held back: it is still in the journal."""
        if not self._is_closed:
            self._is_closed = True
            self._treatment.close()

    def commit(self) -> None:
        """Let the cursor pass what is done; nothing, while the window does not know what was treated."""
        if self._is_unsafe:
            return
        position = self._window.safe(self._treatment.held_from)
        if position > self._committed:
            self._source.commit(position)
            self._committed = position
        self._committed_at = time.monotonic()

    def _gathered(self) -> list[Record]:
        """What there is. A trickle is gathered: a treatment costs much the same for a record as for a hundred."""
        wait_s = self._treated_at + _GATHER_S - time.monotonic()
        if wait_s <= 0 or self._treatment.is_plain:
            return self._source.read(max_bytes=_READ_BYTES, wait_s=_WAIT_S)
        if self._was_full:
            return self._source.read(max_bytes=_READ_BYTES, wait_s=0.0)
        time.sleep(min(wait_s, _WAIT_S))
        return self._source.read(max_bytes=_READ_BYTES, wait_s=0.0) if wait_s <= _WAIT_S else []

    def _pass_on(self, records: Sequence[Record], stopped: Callable[[], bool]) -> None:
        for portion in self._suspects.portions(records):
            if not self._send(self._taken(portion), stopped):
                return
            self._read_to = portion[-1].position
            self._window.read(self._read_to)
        if records:
            self._was_full = sum(len(record.payload) for record in records) >= _READ_BYTES
            self._window.read(records[-1].position)
        self._send(self._due(), stopped)

    def _taken(self, portion: Sequence[Record]) -> list[Outgoing]:
        """What becomes of records. If that fails, a new session treats them in smaller portions: this treatment
        remembers what it has seen of them, and what it gave out is lost.
        """
        self._treated_at = time.monotonic()
        if not self._suspects.begin(portion):
            self._blame(portion[0], "forwarders have died of it")
            return []
        self._is_unsafe = True
        try:
            outgoing = self._treatment.take(portion, time.monotonic())
        except Exception as error:
            self._suspects.failed(portion)
            if len(portion) == 1:
                self._blame(portion[0], f"{type(error).__name__}: {error}")
                self._suspects.pass_over(portion[0])
            raise NotTreated from error
        self._suspects.over()
        self._put_aside()
        return outgoing

    def _due(self) -> list[Outgoing]:
        self._is_unsafe = True
        return self._treatment.due(time.monotonic())

    def _blame(self, record: Record, reason: str) -> None:
        self._keep(SetAside(record.signal, record.payload, record.items, record.position, reason, treated=False))

    def _send(self, outgoing: Sequence[Outgoing], stopped: Callable[[], bool], letter: Letter | None = None) -> bool:
        """Have them delivered; a letter is sent when all of them are. False if we were to stop before.

        They are in the window before the first has to wait: what the treatment does not hold back any more must hold
        the cursor back here. What is cut off stays there, and nothing may follow it.
        """
        for one in outgoing:
            self._window.began(one.first)
        self._is_unsafe = False
        again = Again(letter, len(outgoing)) if letter else None
        for one in outgoing:
            parcel = Parcel(one.signal, one.payload, one.items, one.first, one.last, again)
            if not self._offer(parcel, stopped):
                self._is_cut_off = True
                return False
        return True

    def _put_aside(self) -> None:
        for aside in self._treatment.drain_set_aside():
            self._keep(aside)

    def _keep(self, aside: SetAside) -> None:
        facts = {
            "stage": "treatment",
            "reason": "set-aside" if aside.treated else "not-treated",
            "message": aside.reason,
            "items": aside.items,
            "treated": aside.treated,
            "journal_id": self._journal_id,
            "first": aside.position,
            "last": aside.position,
            "refused_unix_nano": time.time_ns(),
        }
        if not self._letters.keep(aside.signal, aside.payload, facts):
            raise OSError("dead letters have reached dead_letter_size; see `taximeter forward ls`")
        self._tally.dead_letter(str(facts["reason"]), aside.items, aside.reason)

    def _offer(self, parcel: Parcel, stopped: Callable[[], bool]) -> bool:
        """Wait for room, for as long as we run; what else is to be done is done meanwhile."""
        while not self._delivery.offer(parcel, _WAIT_S):
            if stopped():
                return False
            self._between()
        return True

    def _between(self) -> None:
        now = time.monotonic()
        if now - self._committed_at >= _COMMIT_S:
            self.commit()
            self._tally.treated(self._treatment.counts, self._treatment.held)

    def _send_again(self, stopped: Callable[[], bool]) -> None:
        """What was refused and is to be sent again."""
        waiting = self._letters.waiting()
        self._again &= {letter.name for letter in waiting}
        for letter in waiting:
            payload = self._letters.payload(letter)
            if letter.name in self._again or payload is None:
                continue
            if letter.treated:
                sent = self._offer(Parcel(letter.signal, payload, letter.items, again=Again(letter)), stopped)
            else:
                sent = self._treat_again(letter, payload, stopped)
            if not sent:
                return
            self._again.add(letter.name)

    def _treat_again(self, letter: Letter, payload: bytes, stopped: Callable[[], bool]) -> bool:
        """What never passed the treatment does so now, for nothing leaves without it."""
        record = Record(self._read_to, time.time_ns(), letter.signal, letter.items, "", payload)
        self._suspects.begin_letter(letter.name)
        self._is_unsafe = True
        try:
            outgoing = self._treatment.take([record], time.monotonic())
            self._put_aside()
        except Exception:
            self._letters.put_back(letter.name)
            raise
        finally:
            self._suspects.over()
        if not outgoing:  # not wanted, put aside anew, or held back with its trace
            self._letters.sent(letter)
        return self._send(outgoing, stopped, letter)
