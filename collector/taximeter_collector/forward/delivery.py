"""Requests on their way: some at a time, each until it is taken, or put aside."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from enum import Enum

from taximeter_collector.forward.answers import Answer, Verdict
from taximeter_collector.forward.config import Destination
from taximeter_collector.forward.credentials import Credentials
from taximeter_collector.forward.dead_letter import DeadLetters
from taximeter_collector.forward.deadlines import Deadlines
from taximeter_collector.forward.gate import Gate
from taximeter_collector.forward.parcel import Parcel, Piece
from taximeter_collector.forward.refusing import Refusing
from taximeter_collector.forward.sender import Senders
from taximeter_collector.forward.tally import Tally
from taximeter_collector.forward.window import Window

__all__ = ["Delivery"]

_BROKEN_TRIES = 5
_BROKEN_TRIES_OF_PIECES = 2  # the whole has failed that often already
_SMALLEST_LIMIT_BYTES = 1 << 16
_ENDING_S = 2.0
_NO_ROOM = Answer(Verdict.LATER, "dead-letters-full", "dead letters have reached dead_letter_size; see `forward ls`")

_log = logging.getLogger("taximeter.forward")


class _Outcome(Enum):
    SETTLED = 1
    PARTED = 2
    BEHIND = 3
    """It waits until others were tried."""
    STOPPED = 4


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
        self._refusing = Refusing()
        self._deadlines = Deadlines()
        self._changed = threading.Condition()
        self._waiting: deque[Piece] = deque()
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
            self._waiting.append(Piece(parcel, parcel.payload, parcel.items, passed=self.gate.passed))
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
        self.gate.hasten()

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
        until = time.monotonic() + _ENDING_S
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        for sender in senders:
            sender.close()

    def _count(self, requests: int, size: int) -> None:
        self._requests += requests
        self._bytes += size
        self._tally.under_way(self._requests, self._bytes)

    def _work(self, number: int) -> None:
        while (piece := self._next()) is not None:
            try:
                self._follow(piece, self._deliver(number, piece))
            except Exception:  # a mistake of ours: it stays in the journal, and the thread stays alive
                _log.exception("a request could not be settled")
                time.sleep(1.0)
                with self._changed:
                    self._waiting.append(piece)

    def _next(self) -> Piece | None:
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            return None if self._closed else self._waiting.popleft()

    def _deliver(self, number: int, piece: Piece) -> _Outcome:
        if len(piece.payload) >= self._too_large and self._part(piece):
            return _Outcome.PARTED
        return self._settle(number, piece)

    def _follow(self, piece: Piece, outcome: _Outcome) -> None:
        """What comes of the parcel when something has come of a piece."""
        with self._changed:
            if outcome is _Outcome.BEHIND:
                self._waiting.append(piece)
                return
            if outcome is not _Outcome.PARTED:
                piece.progress.pieces -= 1
                piece.progress.stopped |= outcome is _Outcome.STOPPED
            if piece.progress.pieces:
                return
        if not piece.progress.stopped:
            self._ended(piece)
        with self._changed:
            self._count(-1, -len(piece.parcel.payload))
            self._changed.notify_all()

    def _ended(self, piece: Piece) -> None:
        """All of a parcel is settled."""
        parcel = piece.parcel
        self._refusing.settled(piece)
        if parcel.first is not None:
            self._window.ended(parcel.first)
        if parcel.again:
            with self._changed:
                parcel.again.parcels -= 1
                is_last = not parcel.again.parcels
            if is_last:
                self._letters.sent(parcel.again.letter)

    def _part(self, piece: Piece) -> bool:
        """Have its halves delivered next; whether it has any."""
        parts = piece.parted(self.gate.passed)
        if parts:
            with self._changed:
                piece.progress.pieces += len(parts) - 1
                self._waiting.extendleft(reversed(parts))
                self._changed.notify_all()
        return bool(parts)

    def _settle(self, number: int, piece: Piece) -> _Outcome:
        while (entered := self.gate.enter()) is not None:
            answer = self._ask(number, piece)
            if answer.verdict is Verdict.TAKEN:
                self.gate.answered(taken=True)
                piece.progress.taken += 1
                self._tally.taken(piece.parcel.signal, piece.items, len(piece.payload), answer)
                return _Outcome.SETTLED
            piece.failures += answer.verdict is Verdict.BROKEN
            if answer.verdict in (Verdict.REFUSED, Verdict.TOO_LARGE) or self._is_to_blame(piece, answer):
                self.gate.answered(taken=False)
                return self._refused(piece, answer)
            if self._closed:
                break
            slowly = answer.verdict is Verdict.TO_PUT_RIGHT
            self._tally.failed(answer, self.gate.failed(entered, answer.wait_s, slowly=slowly))
            if self._has_failed_enough(piece, answer):  # whether others get through tells whose fault it is
                if self._refusing.is_worth_parting(piece, self.gate.passed) and self._part(piece):
                    return _Outcome.PARTED
                if self._waiting:
                    return _Outcome.BEHIND
        return _Outcome.STOPPED

    def _has_failed_enough(self, piece: Piece, answer: Answer) -> bool:
        tries = _BROKEN_TRIES if piece.is_whole else _BROKEN_TRIES_OF_PIECES
        return answer.verdict is Verdict.BROKEN and piece.failures >= tries

    def _is_to_blame(self, piece: Piece, answer: Answer) -> bool:
        """Whether a backend fails over this piece, and takes others."""
        return self._has_failed_enough(piece, answer) and self.gate.passed > piece.passed

    def _refused(self, piece: Piece, answer: Answer) -> _Outcome:
        """Part it, so that what is not to blame gets through; or put it aside."""
        if answer.verdict is Verdict.TOO_LARGE and piece.items > 1:
            self._too_large = max(_SMALLEST_LIMIT_BYTES, min(self._too_large, len(piece.payload)))
            is_worth_it = True
        else:
            is_worth_it = self._refusing.is_worth_parting(piece, self.gate.passed)
        if is_worth_it and self._part(piece):
            return _Outcome.PARTED
        return _Outcome.SETTLED if self._put_aside(piece, answer) else _Outcome.STOPPED

    def _ask(self, number: int, piece: Piece) -> Answer:
        with self._changed:
            senders = self._senders.get(number)
            is_outdated = number in self._outdated
            self._outdated.discard(number)
            credentials = self._credentials()  # not before: they may be read again at any moment
        try:
            if senders and is_outdated:
                senders.close()
            if senders is None or is_outdated:
                senders = Senders(self._destination, credentials, self._deadlines)
                with self._changed:
                    self._senders[number] = senders
            answer = senders.send(piece.parcel.signal.name.lower(), piece.payload)
        except Exception as error:  # a mistake of ours must not keep the gate shut
            answer = Answer(Verdict.LATER, "error", f"{type(error).__name__}: {error}")
        return replace(answer, message=credentials.told(answer.message))

    def _put_aside(self, piece: Piece, answer: Answer) -> bool:
        """Keep it as a dead letter; False if we are to stop before there is room."""
        parcel = piece.parcel
        facts = {
            "stage": "forward",
            "reason": answer.reason,
            "message": answer.message,
            "items": piece.items,
            "treated": True,
            "journal_id": self._journal_id,
            "first": parcel.first if parcel.first is not None else -1,
            "last": parcel.last if parcel.last is not None else -1,
            "refused_unix_nano": time.time_ns(),
        }
        same = parcel.again.letter.name if parcel.again and parcel.again.letter.treated and piece.is_whole else ""
        while trouble := self._trouble_keeping(piece, facts, same):
            entered = self.gate.enter()
            if entered is None:
                return False
            self._tally.failed(trouble, self.gate.failed(entered, slowly=True))
        self._tally.dead_letter(answer.reason, piece.items, answer.message)
        return True

    def _trouble_keeping(self, piece: Piece, facts: dict[str, object], same: str) -> Answer | None:
        """Why it cannot be kept, if it cannot."""
        try:
            parcel = piece.parcel
            kept = self._letters.keep(parcel.signal, piece.payload, facts, name=same, is_again=bool(parcel.again))
            return None if kept else _NO_ROOM
        except OSError as error:
            return Answer(Verdict.LATER, "dead-letters-fail", f"dead letters cannot be written: {error}")
