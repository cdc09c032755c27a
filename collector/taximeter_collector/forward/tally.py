"""What a destination has got, and how it is doing: for metrics, for `taximeter forward ls`, and for the log."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from taximeter_collector.forward.answers import Answer, Verdict
from taximeter_collector.forward.state import read_state, state_file
from taximeter_collector.journal import Signal
from taximeter_collector.telemetry import metrics
from taximeter_collector.telemetry.metrics import Registry

__all__ = ["Tally"]

_QUIET_S = 60.0  # a destination that comes and goes is told of once a minute at most

_log = logging.getLogger("taximeter.forward")


class Tally:
    """Counts, from several threads. Totals go on from what earlier processes have left."""

    def __init__(self, data: Path, destination: str, registry: Registry, endpoint: str) -> None:
        self._name = destination
        self._registry = registry
        self._lock = threading.Lock()
        self._file = state_file(data, destination)
        left = read_state(data, destination)
        totals = left.get("totals")
        self._totals: Counter[str] = Counter(totals if isinstance(totals, dict) else {})
        self._treated: Counter[str] = Counter()
        self._state: dict[str, Any] = {
            "endpoint": endpoint,
            "counted_since_unix_nano": left.get("counted_since_unix_nano", time.time_ns()),
            "last_error": left.get("last_error"),
            "state": "sending",
        }
        self._down_since = 0.0
        self._failures = 0
        self._said_at = -_QUIET_S
        self._is_said = False
        self._unreadable_is_said = False
        self._unsaid: Counter[str] = Counter()  # requests that were put aside since that was last told, by reason
        self._put_aside_said_at: dict[str, float] = {}
        registry.set(metrics.FORWARD_UP, 1, destination)

    def taken(self, signal: Signal, items: int, size: int, answer: Answer) -> None:
        """A request was taken, or most of it."""
        with self._lock:
            self._add(metrics.FORWARD_SENT_ITEMS, items - answer.rejected, "sent_items", signal.name.lower())
            self._add(metrics.FORWARD_SENT_REQUESTS, 1, "sent_requests")
            self._add(metrics.FORWARD_SENT_BYTES, size, "sent_bytes")
            if answer.rejected:
                self._add(metrics.FORWARD_DROPPED_ITEMS, answer.rejected, "dropped.rejected", "rejected")
            if answer.rejected or answer.message:
                self._remember("partial-success", answer.message)
            if not answer.is_readable and not self._unreadable_is_said:
                self._unreadable_is_said = True
                self._log(logging.WARNING, "it says OK, but in a way that OTLP does not know; its word is believed")
        self._is_up()

    def failed(self, answer: Answer, pause_s: float) -> None:
        """An attempt came to nothing, and will be made again."""
        with self._lock:
            self._add(metrics.FORWARD_FAILED_ATTEMPTS, 1, "failed_attempts", answer.reason)
            self._remember(answer.reason, answer.message)
            self._failures += 1
            is_new = not self._down_since
            self._down_since = self._down_since or time.monotonic()
            self._state["state"] = "to put right" if answer.verdict is Verdict.TO_PUT_RIGHT else "waiting"
            self._registry.set(metrics.FORWARD_UP, 0, self._name)
            if is_new and time.monotonic() - self._said_at >= _QUIET_S:
                self._said_at, self._is_said = time.monotonic(), True
                self._tell_failure(answer, pause_s)

    def _tell_failure(self, answer: Answer, pause_s: float) -> None:
        grave = answer.verdict is Verdict.TO_PUT_RIGHT
        self._log(
            logging.ERROR if grave else logging.WARNING,
            "a destination will take nothing until something is put right"
            if grave
            else "a destination takes nothing now",
            reason=answer.reason,
            message=answer.message,
            next_attempt_in_s=round(pause_s, 1),
        )

    def _is_up(self) -> None:
        with self._lock:
            if not self._down_since:
                return
            down_s, failures = time.monotonic() - self._down_since, self._failures
            self._down_since, self._failures = 0.0, 0
            self._state["state"] = "sending"
            self._registry.set(metrics.FORWARD_UP, 1, self._name)
            if self._is_said:
                self._is_said = False
                self._log(
                    logging.INFO, "a destination takes requests again", after_s=round(down_s, 1), attempts=failures
                )

    def dead_letter(self, reason: str, items: int, message: str) -> None:
        """Something was put aside."""
        with self._lock:
            self._add(metrics.FORWARD_DEAD_LETTERS, 1, "dead_letters", reason)
            self._totals["dead_letter_items"] += items
            self._remember(reason, message)
            self._unsaid[reason] += 1
            now = time.monotonic()
            if now - self._put_aside_said_at.get(reason, -_QUIET_S) >= _QUIET_S:
                self._put_aside_said_at[reason] = now
                # Without the message, which may quote what was sent; it is beside the request.
                self._log(logging.ERROR, "requests were put aside", reason=reason, requests=self._unsaid.pop(reason))

    def skipped(self, records: int) -> None:
        """The user has chosen to leave something out."""
        with self._lock:
            self._add(metrics.FORWARD_SKIPPED_RECORDS, records, "skipped_records")
            self._log(logging.WARNING, "skipped what was not sent, as `taximeter forward skip` says", records=records)

    def treated(self, counts: Counter[str], held: int) -> None:
        """What the treatment has counted so far, and holds back."""
        with self._lock:
            self._registry.set(metrics.FORWARD_HELD, held, self._name)
            for what, count in counts.items():
                more = count - self._treated[what]
                self._treated[what] = count
                if what.startswith("dropped_"):
                    reason = what.removeprefix("dropped_").replace("_", "-")
                    self._add(metrics.FORWARD_DROPPED_ITEMS, more, f"dropped.{reason}", reason)
                elif what != "sent":
                    self._add(metrics.FORWARD_TREATED_ITEMS, more, what, what.replace("_", "-"))

    def forget_treatment(self) -> None:
        """The next counts are those of another treatment."""
        with self._lock:
            self._treated.clear()

    def under_way(self, requests: int, size: int) -> None:
        """What is being sent or waits for it at this moment."""
        self._registry.set(metrics.FORWARD_IN_FLIGHT_REQUESTS, requests, self._name)
        self._registry.set(metrics.FORWARD_IN_FLIGHT, size, self._name)

    def unread(self, size: int, damaged: int) -> None:
        """How much of the journal is before it."""
        self._registry.set(metrics.FORWARD_UNREAD, size, self._name)
        self._registry.set(metrics.FORWARD_DAMAGED, damaged, self._name)

    def write(self, *, state: str = "") -> None:
        """Leave it all for `taximeter forward ls`. A full disk makes it old, and nothing worse."""
        with self._lock:
            told = self._state | ({"state": state} if state else {}) | {"totals": self._totals}
            text = json.dumps(told | {"written_unix_nano": time.time_ns()}, indent=1)
        beside = self._file.with_name(f".{self._file.name}")
        with suppress(OSError):
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside.write_text(text)
            beside.replace(self._file)

    def _add(self, metric: metrics.Metric, amount: float, total: str, *labels: str) -> None:
        if amount:
            self._registry.add(metric, amount, self._name, *labels)
            self._totals[total] += int(amount)

    def _remember(self, reason: str, message: str) -> None:
        self._state["last_error"] = {"reason": reason, "message": message, "at_unix_nano": time.time_ns()}

    def _log(self, level: int, event: str, **fields: Any) -> None:
        _log.log(
            level, event, extra={"destination": self._name} | {_FIELDS.get(key, key): fields[key] for key in fields}
        )


_FIELDS = {"message": "said"}  # a record of the log has a message of its own
