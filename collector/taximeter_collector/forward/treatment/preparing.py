"""Records to items that are selected, redacted and priced. Either all of that happens to them, or nothing."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]

from taximeter_collector.bill import SpanLinks
from taximeter_collector.bill.fingerprints import Keys, joined
from taximeter_collector.decode import Attributes, Logs, Spans
from taximeter_collector.forward.treatment.attributes import without_keys
from taximeter_collector.forward.treatment.batch import Batch, Mask, read_batch
from taximeter_collector.forward.treatment.config import TreatmentConfig
from taximeter_collector.forward.treatment.enriching import JOURNAL, KEYS, Calls, Enriching
from taximeter_collector.forward.treatment.names import NAMES
from taximeter_collector.forward.treatment.redacting import Redacting
from taximeter_collector.forward.treatment.remembered import Remembered, again
from taximeter_collector.forward.treatment.selecting import PROBABILITY, Selecting
from taximeter_collector.journal import Record, Signal
from taximeter_collector.land.calls import calls_of_logs, calls_of_spans
from taximeter_collector.land.clock import settle
from taximeter_collector.land.logs import log_times
from taximeter_collector.price import Book
from taximeter_collector.redact import RedactConfig, Redaction
from taximeter_collector.redact.rules import Rules

__all__ = ["Prepared", "Preparing"]

_SEEN_BITS = 20


@dataclass(slots=True)
class Prepared:
    """A batch, and what becomes of its items."""

    batch: Batch
    kept: Mask
    appended: list[bytes] | None = None
    """What is put behind the content of each item, if there is any."""
    usd: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """What each item adds to the bill."""
    told: dict[int, float] = field(default_factory=dict)
    """Of items that were sampled on their way here, with what probability; they do not say so any more."""

    @property
    def has_trace(self) -> Mask:
        """Which items are of a trace."""
        columns = self.batch.columns
        if isinstance(columns, Spans | Logs):
            return np.asarray(columns.trace_id.is_valid())
        return np.zeros(self.batch.size, np.bool_)


class Preparing:
    """With a memory of what it has seen."""

    def __init__(
        self, config: TreatmentConfig, redact: RedactConfig, book: Callable[[], Book], scratch: Path | None
    ) -> None:
        rules = Rules.of(redact)
        self._redacting = Redacting(rules)
        self._redaction = Redaction(rules)
        self._selecting = Selecting.of(config)
        self._samples = config.sample < 1 and not config.keep
        self._tells = frozenset({PROBABILITY, NAMES[config.names].sample_rate} - {""}) if config.sample < 1 else None
        self._enriching = Enriching(NAMES[config.names], book, scratch) if config.enrich else None
        self._seen = Remembered(_SEEN_BITS)
        self._new: list[Keys] = []
        self._numbers = itertools.count(1)
        looks_at_all = bool(self._selecting or rules)
        looks_at_calls = bool(config.enrich or self._samples or config.keep)
        self.looks_at = {signal: looks_at_all or (looks_at_calls and signal != Signal.METRICS) for signal in Signal}
        """Whether there is anything to be done with what is of a signal."""

    def run(self, records: Sequence[Record]) -> tuple[list[Prepared], Counter[str]]:
        """All of them, by signal, and what is to be counted. Raises if one of them cannot be read, and forgets them."""
        counts: Counter[str] = Counter()
        self._new = []
        try:
            prepared = [
                self._selected(read_batch(signal, own, self._numbers, self._redacting, self._redaction), counts)
                for signal in Signal
                if (own := [record for record in records if record.signal == signal])
            ]
            if self._enriching:
                self._enrich(self._enriching, prepared, counts)
                self._enriching.commit()
        except BaseException:
            if self._enriching:
                self._enriching.abandon()
            raise
        for keys in self._new:
            self._seen.add(keys)
        counts["redacted"] += sum(one.batch.redacted for one in prepared)
        return prepared, counts

    def close(self) -> None:
        """Remove what is on disk."""
        if self._enriching:
            self._enriching.close()

    def _selected(self, batch: Batch, counts: Counter[str]) -> Prepared:
        kept, dropped = self._selecting.wanted(batch)
        counts.update(dropped)
        if self._samples:
            sampled = batch.of_items(self._selecting.sampled(batch))
            counts["dropped_sampled"] += int(batch.points[kept & ~sampled].sum())
            kept &= sampled
        if self._enriching:
            keys = _fingerprints(batch)
            if keys is not None:
                of = batch.of_request if batch.signal == Signal.LOGS else None
                known = self._seen.known(keys) | again(np.where(kept, keys, np.uint64(0)), of)
                counts["dropped_duplicate"] += int((kept & known).sum())
                kept &= ~known
                self._new.append(keys[kept])
        prepared = Prepared(batch, kept)
        if self._tells:
            _untell(prepared, self._tells)
        return prepared

    def chosen(self, bits: npt.NDArray[np.uint64]) -> Mask:
        """Which traces are in the share that is sent."""
        return self._selecting.chosen(bits)

    def _enrich(self, enriching: Enriching, prepared: Sequence[Prepared], counts: Counter[str]) -> None:
        links = [SpanLinks.of(*one.batch.columns.raw_ids) for one in prepared if isinstance(one.batch.columns, Spans)]
        several = [(one, calls) for one in prepared if (calls := _calls(one, enriching)) is not None]
        if not several and not links:
            return
        enriching.settle([calls for _, calls in several], SpanLinks.join(links))
        counts["superseded"] += enriching.superseded
        counts["unsettled"] += enriching.unsettled
        for one, calls in several:
            counts["enriched"] += len(calls.rows)
            _put(one, calls, enriching)


def _untell(prepared: Prepared, keys: frozenset[str]) -> None:
    """Take out what another sampler says of itself: it is to be said of both."""
    batch, attributes = prepared.batch, prepared.batch.columns.attributes
    places = attributes.places.get(PROBABILITY)
    if places is None or batch.signal == Signal.METRICS:
        return
    owners = attributes.owner[places]
    for row, share in zip(owners.tolist(), attributes.doubles.take(pa.array(places)).to_pylist(), strict=True):
        if prepared.kept[row] and share is not None and 0 < share <= 1:
            prepared.told[row] = share
    _strip(batch, np.unique(owners[prepared.kept[owners]]).astype(np.int64), keys)


def _fingerprints(batch: Batch) -> Keys | None:
    """Of a span its ids, times and size; of a log record all of it; and of both, who sent it. 0 for what has none."""
    columns = batch.columns
    if isinstance(columns, Spans):
        span = SpanLinks.of(*columns.raw_ids).span
        keys = joined(joined(span, columns.start_unix_nano), columns.end_unix_nano)
        keys = joined(joined(keys, batch.lengths.astype(np.uint64)), _senders(batch))
        return np.where(span == 0, np.uint64(0), keys)
    if isinstance(columns, Logs):
        records = [hash(request.item(number)) for request in batch.requests for number in range(len(request))]
        return joined(np.array(records, np.int64).view(np.uint64), _senders(batch))
    return None


def _senders(batch: Batch) -> Keys:
    """Of each item, its resource and scope."""
    senders, counts = list[int](), list[int]()
    for request in batch.requests:
        for resource in request.resources:
            shared = resource.shared
            for scope in resource.scopes:
                senders.append(hash((shared, scope.shared)))
                counts.append(sum(behind - first for first, behind in scope.runs))
    return np.repeat(np.array(senders, np.int64).view(np.uint64), counts)


def _calls(prepared: Prepared, enriching: Enriching) -> Calls | None:
    """The views of calls in a batch that are sent, if there are any."""
    batch, columns = prepared.batch, prepared.batch.columns
    if not isinstance(columns, Spans | Logs):
        return None
    is_call = batch.understood.is_call
    rows = np.flatnonzero(is_call)
    chosen = prepared.kept[rows]
    if not chosen.any():
        return None
    if isinstance(columns, Spans):
        times = settle(columns.start_unix_nano, columns.origin.received_unix_nano)
        table = calls_of_spans(columns, times, batch.understood, JOURNAL)
    else:
        table = calls_of_logs(columns, log_times(columns), batch.understood, JOURNAL)
    if not chosen.all():
        table, rows = table.filter(pa.array(chosen)), rows[chosen]
    present = {key: found[rows] for key in enriching.filled if (found := _having(columns.attributes, key)) is not None}
    return Calls(batch.signal, rows, table, present)


def _having(attributes: Attributes, key: str) -> Mask | None:
    """Which items have an attribute of that name; None if none has."""
    places = attributes.places.get(key)
    if places is None:
        return None
    found = np.zeros(attributes.owners, np.bool_)
    found[attributes.owner[places]] = True
    return found


def _put(prepared: Prepared, calls: Calls, enriching: Enriching) -> None:
    """Write what was found out to the items."""
    batch = prepared.batch
    if len(calls.rows) == batch.size:
        prepared.appended, prepared.usd = calls.attributes, calls.billed_usd
    else:
        prepared.appended, prepared.usd = [b""] * batch.size, np.zeros(batch.size)
        prepared.usd[calls.rows] = calls.billed_usd
        for row, attributes in zip(calls.rows.tolist(), calls.attributes, strict=True):
            prepared.appended[row] = attributes
    _strip(batch, calls.rows, KEYS)
    _strip(batch, calls.rows[calls.stripped], enriching.read)


def _strip(batch: Batch, rows: npt.NDArray[np.int64], keys: frozenset[str]) -> None:
    """Take out attributes that are written anew, or that must not be there."""
    there = [found for key in keys if (found := _having(batch.columns.attributes, key)) is not None]
    if not there:
        return
    names = {key.encode() for key in keys}
    for row in rows[np.logical_or.reduce(there)[rows]].tolist():
        batch.contents[row] = without_keys(batch.signal, batch.content(row), names)
