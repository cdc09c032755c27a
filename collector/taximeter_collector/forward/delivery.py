"""Requests on their way: some at a time, each until it is taken, or put aside."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from taximeter_collector.forward.answers import Answer, Verdict
from taximeter_collector.forward.config import Destination
from taximeter_collector.forward.credentials import Credentials
from taximeter_collector.forward.dead_letter import DeadLetters, Letter
from taximeter_collector.forward.deadlines import Deadlines
from taximeter_collector.forward.gate import Gate
from taximeter_collector.forward.sender import Senders
from taximeter_collector.forward.splitting import halves
from taximeter_collector.forward.tally import Tally
from taximeter_collector.forward.window import Window
from taximeter_collector.journal import Signal

__all__ = ["Delivery", "Parcel"]

_BROKEN_TRIES = 5
_SMALLEST_LIMIT_BYTES = 1 << 16
_NO_ROOM = Answer(Verdict.LATER, "dead-letters-full", "dead letters have reached dead_letter_size; see `forward ls`")

_log = logging.getLogger("taximeter.forward")


@dataclass(frozen=True, slots=True)
class Parcel:
    """A request to be delivered. `first` is where it begins in the window; None for one that was put aside before."""

    signal: Signal
    payload: bytes
    items: int
    first: int | None = None
    last: int | None = None
    letter: Letter | None = None


class _Outcome(Enum):
    SETTLED = 1
    SPLIT = 2
    STOPPED = 3


class Delivery:
    """Threads that send. What was begun is settled in any order; the window knows what is."""

    def __init__(
        self,
        destination: Destination,
        credentials: Callable[[], Credentials],
        journal_id: str,
        window: Window,
        letters: DeadLetters,
        tally: Tally,
    ) -> None:
        self._destination = destination
        self._credentials = credentials
        self._journal_id = journal_id
        self._window = window
        self._letters = letters
        self._tally = tally
        self.gate = Gate(destination.longest_pause_s)
        self._deadlines = Deadlines()
        self._changed = threading.Condition()
        self._waiting: deque[Parcel] = deque()
        self._requests = 0
        self._bytes = 0
        self._closed = False
        self._too_large = 1 << 62  # bytes of the smallest request that was refused for its size
        self._senders: dict[int, Senders] = {}
        self._outdated: set[int] = set()
        self._threads = [
            threading.Thread(target=self._work, args=(number,), name=f"sender-{number}", daemon=True)
            for number in range(destination.requests)
        ]
        for thread in self._threads:
            thread.start()

    def offer(self, parcel: Parcel, wait_s: float) -> bool:
        """Take a request on if there is room for it within this time. One that is larger than all room goes alone."""
        deadline = time.monotonic() + wait_s
        with self._changed:
            while self._requests and self._bytes + len(parcel.payload) > self._destination.in_flight:
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return False
            if self._closed:
                return False
            self._count(1, len(parcel.payload))
            self._waiting.append(parcel)
            self._changed.notify_all()
            return True

    def is_idle(self, wait_s: float) -> bool:
        """Whether all that was taken on is settled, now or within this time."""
        deadline = time.monotonic() + wait_s
        with self._changed:
            while self._requests and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
            return not self._requests

    def reload(self) -> None:
        """Use other credentials from the next request on."""
        with self._changed:
            self._outdated = set(self._senders)

    def close(self) -> None:
        """Give up what is not settled: it is still in the journal."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            senders = list(self._senders.values())
        self.gate.close()
        self._deadlines.close()
        for sender in senders:
            sender.abort()
        for thread in self._threads:
            thread.join(2.0)
        for sender in senders:
            sender.close()

    def _count(self, requests: int, size: int) -> None:
        self._requests += requests
        self._bytes += size
        self._tally.under_way(self._requests, self._bytes)

    def _work(self, number: int) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                parcel = self._waiting.popleft()
            try:
                settled = self._deliver(number, parcel)
            except Exception:  # a disk that fails under the dead letters, say: it stays in the journal
                _log.exception("a request could not be settled")
                time.sleep(1.0)
                with self._changed:
                    self._waiting.append(parcel)
                continue
            if settled and parcel.first is not None:
                self._window.ended(parcel.first)
            with self._changed:
                self._count(-1, -len(parcel.payload))
                self._changed.notify_all()

    def _deliver(self, number: int, parcel: Parcel) -> bool:
        """Until all of it is settled; False if we are to stop before."""
        parts = [parcel]
        while parts:
            part = parts.pop()
            outcome = _Outcome.SPLIT
            if part.items < 2 or len(part.payload) < self._too_large:
                outcome = self._settle(number, part)
            if outcome is _Outcome.STOPPED:
                return False
            if outcome is _Outcome.SPLIT:
                smaller = [
                    replace(part, payload=payload, items=items) for payload, items in halves(part.signal, part.payload)
                ]
                if len(smaller) < 2 and not self._refuse(part, Answer(Verdict.REFUSED, "too-large", "one record")):
                    return False
                parts += reversed(smaller) if len(smaller) > 1 else []
        if parcel.letter:
            self._letters.sent(parcel.letter)
        return True

    def _settle(self, number: int, part: Parcel) -> _Outcome:
        tries, passed = 0, self.gate.passed
        while (entered := self.gate.enter()) is not None:
            try:
                answer = self._ask(number, part)
            except Exception as error:  # a mistake of ours must not keep the gate shut
                answer = Answer(Verdict.LATER, "error", f"{type(error).__name__}: {error}")
            if answer.verdict is Verdict.TAKEN:
                self.gate.answered(taken=True)
                self._tally.taken(part.signal, part.items, len(part.payload), answer)
                return _Outcome.SETTLED
            if answer.verdict is Verdict.TOO_LARGE:
                self.gate.answered(taken=False)
                if part.items > 1:
                    self._too_large = max(_SMALLEST_LIMIT_BYTES, min(self._too_large, len(part.payload)))
                    return _Outcome.SPLIT
            tries += 1
            is_to_blame = tries >= _BROKEN_TRIES and self.gate.passed > passed
            if answer.verdict in (Verdict.REFUSED, Verdict.TOO_LARGE) or (
                answer.verdict is Verdict.BROKEN and is_to_blame
            ):
                self.gate.answered(taken=False)
                return _Outcome.SETTLED if self._refuse(part, answer) else _Outcome.STOPPED
            if self._closed:
                break
            slowly = answer.verdict is Verdict.TO_PUT_RIGHT
            self._tally.failed(answer, self.gate.failed(entered, answer.wait_s, slowly=slowly))
        return _Outcome.STOPPED

    def _trouble_keeping(self, part: Parcel, facts: dict[str, object], again: str) -> Answer | None:
        """Put it aside; why that cannot be, if it cannot."""
        try:
            return None if self._letters.keep(part.signal, part.payload, facts, name=again) else _NO_ROOM
        except OSError as error:
            return Answer(Verdict.LATER, "dead-letters-fail", f"dead letters cannot be written: {error}")

    def _ask(self, number: int, part: Parcel) -> Answer:
        credentials = self._credentials()
        with self._changed:
            senders = self._senders.get(number)
            is_outdated = number in self._outdated
            self._outdated.discard(number)
        if senders and is_outdated:
            senders.close()
        if senders is None or is_outdated:
            senders = Senders(self._destination, credentials, self._deadlines)
            with self._changed:
                self._senders[number] = senders
        answer = senders.send(part.signal.name.lower(), part.payload)
        return replace(answer, message=credentials.hide(answer.message))

    def _refuse(self, part: Parcel, answer: Answer) -> bool:
        """Put it aside; False if we are to stop before there is room."""
        facts = {
            "stage": "forward",
            "reason": answer.reason,
            "message": answer.message,
            "items": part.items,
            "treated": True,
            "journal_id": self._journal_id,
            "first": part.first if part.first is not None else -1,
            "last": part.last if part.last is not None else -1,
            "refused_unix_nano": time.time_ns(),
        }
        again = part.letter.name if part.letter and part.letter.bytes == len(part.payload) else ""
        while trouble := self._trouble_keeping(part, facts, again):
            entered = self.gate.enter()
            if entered is None:
                return False
            self._tally.failed(trouble, self.gate.failed(entered, slowly=True))
        self._tally.dead_letter(answer.reason, part.items, answer.message)
        return True
