"""Records in, requests out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from taximeter_collector.forward.treatment.config import TreatmentConfig, problems
from taximeter_collector.forward.treatment.keeping import Keeping
from taximeter_collector.forward.treatment.outgoing import Outgoing, SetAside
from taximeter_collector.forward.treatment.preparing import Preparing
from taximeter_collector.forward.treatment.wire import Malformed, read_request
from taximeter_collector.forward.treatment.writing import Writing
from taximeter_collector.journal import Record
from taximeter_collector.price import Book
from taximeter_collector.redact import RedactConfig

__all__ = ["Treatment", "TreatmentError"]

_AT_ONCE_BYTES = 12 << 20
_SMALL_BYTES = 64 << 10
_JOINED_BYTES = 1 << 20


class TreatmentError(Exception):
    """Settings that contradict each other, or names that nobody knows."""


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
        for key, problem in problems(config):
            raise TreatmentError(f"{key}: {problem}")
        self._config = config
        self._preparing = Preparing(config, redact, book, scratch)
        self.counts: Counter[str] = Counter()
        """Spans, log records and data points by what became of them: `sent`, `set_aside`; `dropped_signal`,
        `dropped_service`, `dropped_attribute`, `dropped_not_genai`, `dropped_sampled`, `dropped_duplicate`. Of those,
        `enriched`, `redacted`, `truncated`, `late` (came after their trace was judged). And `evicted`: traces that were
        judged before their time; `superseded`: views that were sent before it was known that they are not the best;
        `unsettled`: calls that were sent without a look at others, because `scratch` could not be written."""
        self.set_aside: list[SetAside] = []
        """What was set aside since it was last drained."""
        self._writing = Writing(config, self.counts, self.set_aside.append)
        self._keeping = Keeping(config, self._preparing, self._writing) if config.keep else None

    def take(self, records: Sequence[Record], now: float) -> list[Outgoing]:
        """What may go now, in order. Never raises because of what is in a record.

        To go back in the journal takes a new treatment: this one remembers what it has given out, and would drop it as
        sent again. `now` is of any steady clock.
        """
        found: list[Outgoing] = []
        for some in _at_once(self._of_wanted_signals(records)):
            found += self._done_with(some, now)
        if self._keeping:
            found += self._keeping.make_room()
        return self._counted(_joined(found, min(_JOINED_BYTES, self._config.max_request_bytes)))

    def due(self, now: float) -> list[Outgoing]:
        """Traces that have been waited for long enough, and are kept."""
        return self._counted(self._keeping.due(now)) if self._keeping else []

    def close(self) -> list[Outgoing]:
        """All that is held back, judged as it is now. The last call; without it, what was held stays in the journal."""
        found = self._counted(self._keeping.all()) if self._keeping else []
        self._preparing.close()
        return found

    @property
    def is_plain(self) -> bool:
        """Whether nothing is looked at."""
        return not any(self._preparing.looks_at.values())

    @property
    def held_from(self) -> int | None:
        """Nothing before this journal position is held back: the durable cursor must not pass it."""
        return self._keeping.held_from if self._keeping else None

    @property
    def held(self) -> int:
        """Items that are held back."""
        return self._keeping.held if self._keeping else 0

    @property
    def held_bytes(self) -> int:
        """What they take, more or less."""
        return self._keeping.size_bytes if self._keeping else 0

    def drain_set_aside(self) -> list[SetAside]:
        """What was set aside since the last time."""
        found = self.set_aside[:]
        self.set_aside.clear()
        return found

    def _counted(self, found: list[Outgoing]) -> list[Outgoing]:
        self.counts["sent"] += sum(one.items for one in found)
        return found

    def _of_wanted_signals(self, records: Sequence[Record]) -> Iterator[Record]:
        for record in records:
            if record.signal.name.lower() in self._config.signals:
                yield record
            else:
                self.counts["dropped_signal"] += record.items

    def _done_with(self, records: Sequence[Record], now: float) -> list[Outgoing]:
        looks_at = self._preparing.looks_at
        found = [outgoing for one in records if not looks_at[one.signal] for outgoing in self._passed(one)]
        if treated := [record for record in records if looks_at[record.signal]]:
            found += self._treated(treated, now)
            found.sort(key=lambda outgoing: outgoing.first)
        return found

    def _passed(self, record: Record) -> list[Outgoing]:
        """As it is, if it is not too large, and not empty."""
        if not record.payload:
            return []
        if len(record.payload) <= self._config.max_request_bytes:
            return [Outgoing(record.signal, record.payload, record.items, record.position, record.position)]
        try:
            request = read_request(record.payload)
        except Malformed as error:
            self._put_aside(record, error)
            return []
        return list(self._writing.in_parts(record, request, None))

    def _treated(self, records: Sequence[Record], now: float) -> list[Outgoing]:
        """A batch that cannot be read is halved until the record is found that it is because of."""
        try:
            prepared, counts = self._preparing.run(records)
        except Exception as error:  # whatever it is, its neighbours are not to blame
            if len(records) == 1:
                self._put_aside(records[0], error)
                return []
            middle = len(records) // 2
            return self._treated(records[:middle], now) + self._treated(records[middle:], now)
        self.counts.update(counts)
        found: list[Outgoing] = []
        for one in prepared:
            if self._keeping:
                found += self._keeping.take(one, now, since=records[0].position)
            found += self._writing.written(one)
        return found

    def _put_aside(self, record: Record, error: Exception) -> None:
        self.counts["set_aside"] += record.items
        reason = f"cannot be read: {type(error).__name__}: {error}"
        self.set_aside.append(
            SetAside(record.signal, record.payload, record.items, record.position, reason, treated=False)
        )


def _at_once(records: Iterable[Record]) -> Iterator[list[Record]]:
    """As many as are treated together."""
    some: list[Record] = []
    size = 0
    for record in records:
        some.append(record)
        size += len(record.payload)
        if size >= _AT_ONCE_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some


def _joined(several: list[Outgoing], most_bytes: int) -> list[Outgoing]:
    """Small requests of one signal, side by side, as one: protobuf has them one behind the other."""
    found: list[Outgoing] = []
    group: list[Outgoing] = []
    size = 0
    for one in several:
        small = len(one.payload) < _SMALL_BYTES
        if group and (not small or one.signal != group[0].signal or size + len(one.payload) > most_bytes):
            found.append(_as_one(group))
            group, size = [], 0
        if small:
            group.append(one)
            size += len(one.payload)
        else:
            found.append(one)
    if group:
        found.append(_as_one(group))
    return found


def _as_one(group: list[Outgoing]) -> Outgoing:
    if len(group) == 1:
        return group[0]
    payload = b"".join(one.payload for one in group)
    first, last = min(one.first for one in group), max(one.last for one in group)
    return Outgoing(group[0].signal, payload, sum(one.items for one in group), first, last)
