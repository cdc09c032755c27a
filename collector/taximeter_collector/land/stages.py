"""Records of the journal to rows of the lake: decode, redact, normalise. The same records give the same rows.

One record that cannot be landed costs itself: a batch that fails is halved until it is found.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.bill import SpanLinks
from taximeter_collector.decode import Attributes, Logs, Spans, decode_logs, decode_metrics, decode_spans
from taximeter_collector.journal import Record, Signal
from taximeter_collector.land.calls import calls_of_logs, calls_of_spans
from taximeter_collector.land.clock import Times, settle
from taximeter_collector.land.content import body_content, content_rows
from taximeter_collector.land.logs import event_names, log_rows, log_times
from taximeter_collector.land.metrics import metric_rows
from taximeter_collector.land.rows import canonical_columns, service_columns, whence
from taximeter_collector.land.spans import span_rows
from taximeter_collector.normalise.understanding import Understood, understand
from taximeter_collector.normalise.view import Mask
from taximeter_collector.redact import Redaction

__all__ = ["Batch", "Refused", "Stages"]

_ERROR = 2
_SEVERITY_OF_ERRORS = 17


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that could not be landed, and why."""

    record: Record
    reason: str


@dataclass(slots=True)
class Batch:
    """What became of some records."""

    rows: dict[str, list[pa.Table]] = field(default_factory=dict)
    """By table; those of `calls` are neither priced nor settled yet."""
    links: list[SpanLinks] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    items: Counter[str] = field(default_factory=Counter)
    """Spans, log records and data points, by signal."""
    clamped: Counter[str] = field(default_factory=Counter)
    """Of those: whose clock was absurd."""
    content_left_out: int = 0
    left_out: int = 0
    """Attributes of resources that are too many to be repeated in each row."""
    saturated: int = 0
    """Counts of values that are larger than the lake can hold."""

    def add(self, table: str, rows: pa.Table | None) -> None:
        """More rows."""
        if rows is not None and rows.num_rows:
            self.rows.setdefault(table, []).append(rows)


class Stages:
    """The way from bytes to rows."""

    def __init__(self, journal_id: str, redaction: Redaction, *, keep_content: bool = True) -> None:
        self._journal_id = journal_id
        self._redaction = redaction
        self._keep_content = keep_content
        self._ways: dict[Signal, Callable[[Sequence[Record], Batch], None]] = {
            Signal.TRACES: self._spans,
            Signal.LOGS: self._logs,
            Signal.METRICS: self._metrics,
        }
        self.spent_s: dict[str, float] = defaultdict(float)
        """CPU time by stage."""

    def run(self, records: Sequence[Record]) -> Batch:
        """Rows of all records that can have some. The same records always give the same rows."""
        batch = Batch()
        for signal in self._ways:
            own = [record for record in records if record.signal == signal]
            if own:
                self._attempt(signal, own, batch)
        return batch

    def _attempt(self, signal: Signal, records: Sequence[Record], batch: Batch) -> None:
        attempt = Batch()
        try:
            self._ways[signal](records, attempt)
        except Exception as error:  # whatever it is, its neighbours are not to blame
            if len(records) == 1:
                batch.refused.append(Refused(records[0], f"{type(error).__name__}: {error}"))
            else:
                middle = len(records) // 2
                self._attempt(signal, records[:middle], batch)
                self._attempt(signal, records[middle:], batch)
        else:
            _merge(batch, attempt)

    def _spans(self, records: Sequence[Record], batch: Batch) -> None:
        with self._stage("decode"):
            spans = decode_spans(records)
        with self._stage("redact"):
            spans = self._redaction.spans(spans)
        with self._stage("normalise"):
            times = settle(spans.start_unix_nano, spans.origin.received_unix_nano)
            failed = spans.status_code == _ERROR
            understood = understand("span", spans.name, spans.attributes, spans.sources, failed, events=spans.events)
            batch.add("calls", calls_of_spans(spans, times, understood, self._journal_id))
        with self._stage("arrange"):
            attributes, events = self._apart_from_content(spans, times, understood, batch)
            batch.add("spans", span_rows(spans, times, understood, attributes, events, self._journal_id))
            batch.links.append(SpanLinks.of(*spans.raw_ids))
        batch.items["traces"] += len(spans)
        batch.left_out += spans.sources.left_out
        batch.clamped["traces"] += int(times.absurd.sum())

    def _apart_from_content(
        self, spans: Spans, times: Times, understood: Understood, batch: Batch
    ) -> tuple[Attributes, Attributes]:
        """The attributes of the spans and their events that are no content; what is goes into the batch."""
        of_events = np.repeat(np.arange(len(spans)), np.diff(spans.events.offsets))
        kinds = understood.content_of(spans.attributes)
        kinds_of_events = understood.content_of(spans.events.attributes, understood.dialect[of_events])
        if not kinds.any() and not kinds_of_events.any():
            return spans.attributes, spans.events.attributes
        if self._keep_content:
            ids = {"trace_id": spans.trace_id, "span_id": spans.span_id}
            facts = self._facts(times, ids, spans, understood)
            batch.add("content", content_rows("span", facts, spans.attributes, kinds))
            batch.add("content", content_rows("event", facts, spans.events.attributes, kinds_of_events, of_events))
        else:
            batch.content_left_out += int((kinds > 0).sum() + (kinds_of_events > 0).sum())
        return spans.attributes.without(kinds > 0), spans.events.attributes.without(kinds_of_events > 0)

    def _logs(self, records: Sequence[Record], batch: Batch) -> None:
        with self._stage("decode"):
            logs = decode_logs(records)
        with self._stage("redact"):
            logs = self._redaction.logs(logs)
        with self._stage("normalise"):
            times = log_times(logs)
            names = event_names(logs)
            failed, in_span = logs.severity_number >= _SEVERITY_OF_ERRORS, np.asarray(logs.trace_id.is_valid())
            understood = understand("log", names, logs.attributes, logs.sources, failed, in_span=in_span)
            batch.add("calls", calls_of_logs(logs, times, understood, self._journal_id))
        with self._stage("arrange"):
            kinds, of_body = understood.content_of(logs.attributes), understood.body_of(names)
            if self._keep_content and (kinds.any() or of_body.any()):
                ids = {"trace_id": logs.trace_id, "span_id": logs.span_id}
                facts = self._facts(times, ids, logs, understood)
                batch.add("content", content_rows("log", facts, logs.attributes, kinds))
                batch.add("content", body_content(facts, logs.body, of_body))
            else:
                batch.content_left_out += int((kinds > 0).sum() + (of_body > 0).sum())
            attributes = logs.attributes.without(kinds > 0) if kinds.any() else logs.attributes
            body = _emptied(logs.body, of_body > 0)
            batch.add("logs", log_rows(logs, names, times, understood, attributes, body, self._journal_id))
        batch.items["logs"] += len(logs)
        batch.left_out += logs.sources.left_out
        batch.clamped["logs"] += int(times.absurd.sum())

    def _metrics(self, records: Sequence[Record], batch: Batch) -> None:
        with self._stage("decode"):
            metrics = decode_metrics(records)
        with self._stage("redact"):
            metrics = self._redaction.metrics(metrics)
        with self._stage("arrange"):
            points = metric_rows(metrics, self._journal_id)
            batch.add("metrics", points.rows)
        batch.items["metrics"] += points.rows.num_rows
        batch.left_out += metrics.sources.left_out
        batch.clamped["metrics"] += points.clamped
        batch.content_left_out += points.content_left_out
        batch.saturated += metrics.saturated

    def _facts(self, times: Times, ids: dict[str, pa.Array], of: Spans | Logs, understood: Understood) -> pa.Table:
        """What the rows of content have from the record that they were in."""
        columns = {
            **whence("time", times, of.origin, self._journal_id),
            **ids,
            "response_id": understood.column("response_id"),
            **service_columns(of.sources),
            **canonical_columns(understood),
        }
        return pa.table(columns)

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        began = time.process_time()
        try:
            yield
        finally:
            self.spent_s[name] += time.process_time() - began


def _emptied(bodies: pa.Array, where: Mask) -> pa.Array:
    return pc.if_else(pa.array(where), pa.scalar(None, pa.string()), bodies) if where.any() else bodies


def _merge(batch: Batch, more: Batch) -> None:
    for table, rows in more.rows.items():
        batch.rows.setdefault(table, []).extend(rows)
    batch.links += more.links
    batch.items += more.items
    batch.clamped += more.clamped
    batch.content_left_out += more.content_left_out
    batch.saturated += more.saturated
    batch.left_out += more.left_out
