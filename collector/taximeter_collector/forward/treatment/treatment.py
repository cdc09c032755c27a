"""Records in, requests out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from taximeter_collector.forward.treatment.config import TreatmentConfig
from taximeter_collector.forward.treatment.outgoing import Outgoing, SetAside
from taximeter_collector.journal import Record
from taximeter_collector.price import Book
from taximeter_collector.redact import RedactConfig

__all__ = ["Treatment", "TreatmentError"]


class TreatmentError(Exception):
    """Settings that contradict each other, or a preset of names that there is not."""


class Treatment:
    """For one destination, used by one thread."""

    def __init__(
        self,
        config: TreatmentConfig,
        redact: RedactConfig,
        book: Callable[[], Book],
        *,
        scratch: Path | None = None,
    ) -> None:
        """`redact` is always applied. `book` is asked for each batch: prices may have been read again.

        `scratch` is a folder for what need not outlive this object; without one it makes its own.
        TreatmentError or RedactionError for settings that cannot be used.
        """
        self.counts: Counter[str] = Counter()
        """Items by what became of them: `sent`; `enriched`, `redacted`, `truncated`; `set_aside`; `held`; and dropped:
        `dropped_signal`, `dropped_service`, `dropped_attribute`, `dropped_not_genai`, `dropped_sampled`,
        `dropped_duplicate`. Beside these: `evicted` (judged before their time), `late` (came after their trace was
        judged), `superseded` (a better view of a call came when an earlier one had been sent with its cost)."""
        self.set_aside: list[SetAside] = []
        """What was set aside since it was last drained."""

    def take(self, records: Sequence[Record], now: float) -> list[Outgoing]:
        """What may go now, in order. Never raises because of what is in a record. `now` is of any steady clock."""
        raise NotImplementedError

    def due(self, now: float) -> list[Outgoing]:
        """Traces that have been waited for long enough, and are kept."""
        raise NotImplementedError

    def close(self) -> list[Outgoing]:
        """All that is held back and kept; without `close` it stays in the journal behind `held_from`."""
        raise NotImplementedError

    @property
    def held_from(self) -> int | None:
        """The oldest journal position of anything held back: the durable cursor must not pass it."""
        raise NotImplementedError

    def drain_set_aside(self) -> list[SetAside]:
        """What was set aside since the last time."""
        found, self.set_aside = self.set_aside, []
        return found
