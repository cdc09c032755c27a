"""Requests of one signal, as bytes and as columns at once: item for item in the same order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from taximeter_collector.decode import Logs, Metrics, Spans, decode_logs, decode_metrics, decode_spans
from taximeter_collector.forward.treatment.redacting import Redacting
from taximeter_collector.forward.treatment.swapping import differing_elsewhere, swap
from taximeter_collector.forward.treatment.tree import ITEMS, RESOURCES, SCOPES
from taximeter_collector.forward.treatment.truncating import points_in
from taximeter_collector.forward.treatment.wire import Malformed, Node, Request, read_request
from taximeter_collector.journal import Record, Signal
from taximeter_collector.land.logs import event_names
from taximeter_collector.normalise.understanding import Understood, understand
from taximeter_collector.receive.shape import SHAPES
from taximeter_collector.redact import Redaction

__all__ = ["Batch", "read_batch"]

Mask: TypeAlias = npt.NDArray[np.bool_]
Columns: TypeAlias = Spans | Logs | Metrics

_REQUESTS = {shape.signal: shape.request for shape in SHAPES}
_ERROR = 2
_SEVERITY_OF_ERRORS = 17


@dataclass(slots=True)
class Batch:
    """Requests of one signal. Of metrics, an item is a metric, and a row of the columns is a point of one."""

    signal: Signal
    records: Sequence[Record]
    requests: list[Request]
    columns: Columns
    """Redacted."""
    first: npt.NDArray[np.int64]
    """Where the items of each request begin, and where the last one's end."""
    points: npt.NDArray[np.int64]
    """How many rows each item has."""
    contents: dict[int, bytes] = field(default_factory=dict)
    """Of items that are not as they were sent: what they are now."""
    reshaped: list[bool] = field(default_factory=list)
    """Of each request, whether something beside its items is not as it was sent."""
    redacted: int = 0
    _understood: Understood | None = None

    @property
    def size(self) -> int:
        """Items."""
        return int(self.first[-1])

    @property
    def of_request(self) -> npt.NDArray[np.int64]:
        """The request of each item."""
        return np.repeat(np.arange(len(self.requests)), np.diff(self.first))

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """How many bytes each item has as it was sent."""
        found = [np.array(one.ends, np.int64) - np.array(one.contents, np.int64) for one in self.requests]
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def of_items(self, rows: Mask) -> Mask:
        """Which items have one of the rows."""
        if self.signal != Signal.METRICS:
            return rows
        found = np.zeros(self.size, np.bool_)
        found[np.repeat(np.arange(self.size), self.points)[rows]] = True
        return found

    def content(self, number: int) -> bytes:
        """An item as it is now."""
        found = self.contents.get(number)
        if found is None:
            request = int(np.searchsorted(self.first, number, side="right")) - 1
            found = self.requests[request].item(number - int(self.first[request]))
        return found

    @property
    def failed(self) -> Mask:
        """Which rows tell of an error."""
        if isinstance(self.columns, Spans):
            return np.asarray(self.columns.status_code == _ERROR)
        if isinstance(self.columns, Logs):
            return np.asarray(self.columns.severity_number >= _SEVERITY_OF_ERRORS)
        return np.zeros(len(self.columns), np.bool_)

    @property
    def understood(self) -> Understood:
        """What the rows say."""
        if self._understood is None:
            self._understood = _understand(self.columns, self.failed)
        return self._understood


def _understand(columns: Columns, failed: Mask) -> Understood:
    if isinstance(columns, Spans):
        return understand("span", columns.name, columns.attributes, columns.sources, failed, events=columns.events)
    if isinstance(columns, Logs):
        in_span = np.asarray(columns.trace_id.is_valid())
        return understand("log", event_names(columns), columns.attributes, columns.sources, failed, in_span=in_span)
    return understand("metric", columns.name, columns.attributes, columns.sources, failed)


def read_batch(
    signal: Signal, records: Sequence[Record], numbers: Iterator[int], redacting: Redacting, redaction: Redaction
) -> Batch:
    """ValueError if one of them cannot be read. In the columns, records have these numbers for their positions."""
    requests = [read_request(record.payload) for record in records]
    first = np.concatenate([[0], np.cumsum([len(request) for request in requests])]).astype(np.int64)
    numbered = [replace(record, position=next(numbers)) for record in records]
    decoded: Columns
    if signal == Signal.TRACES:
        decoded = decode_spans(numbered)
        columns: Columns = redaction.spans(decoded)
    elif signal == Signal.LOGS:
        decoded = decode_logs(numbered)
        columns = redaction.logs(decoded)
    else:
        decoded = decode_metrics(numbered)
        columns = redaction.metrics(decoded)
    batch = Batch(signal, records, requests, columns, first, _points(signal, requests))
    if len(columns) != int(batch.points.sum()):
        raise Malformed("items that are not where they should be")
    if redacting:
        _redact(batch, decoded, redacting)
    else:
        batch.reshaped = [False] * len(requests)
    return batch


def _points(signal: Signal, requests: Sequence[Request]) -> npt.NDArray[np.int64]:
    if signal != Signal.METRICS:
        return np.ones(sum(map(len, requests)), np.int64)
    return np.array([points_in(one.item(at)) for one in requests for at in range(len(one))], np.int64)


def _redact(batch: Batch, decoded: Columns, redacting: Redacting) -> None:
    """Rewrite what the rules mean: of metrics each is looked at, of the rest those whose columns have changed."""
    changed = np.ones(batch.size, np.bool_)
    if isinstance(decoded, Spans | Logs) and isinstance(batch.columns, Spans | Logs):
        elsewhere = differing_elsewhere(decoded, batch.columns, redacting)
        for number, request in enumerate(batch.requests):
            if not _is_plain(batch.signal, request.payload):
                elsewhere[batch.first[number] : batch.first[number + 1]] = True
        swapped, rest = swap(batch.signal, batch.content, decoded, batch.columns, redacting, elsewhere)
        batch.contents.update(swapped)
        batch.redacted += len(swapped)
        changed = elsewhere | rest
    numbers = np.flatnonzero(changed).tolist()
    before = [batch.content(number) for number in numbers]
    for number, old, new in zip(numbers, before, redacting.messages(ITEMS[batch.signal], before), strict=True):
        if new is not old:
            batch.contents[number] = new
            batch.redacted += 1
    batch.reshaped = [_redact_shared(batch.signal, request, redacting) for request in batch.requests]


def _redact_shared(signal: Signal, request: Request, redacting: Redacting) -> bool:
    """Rewrite resources and scopes; whether anything changed."""
    nodes: list[tuple[Any, Node | Request]] = [(_REQUESTS[signal].DESCRIPTOR, request)]
    for resource in request.resources:
        nodes.append((RESOURCES[signal], resource))
        nodes += [(SCOPES[signal], scope) for scope in resource.scopes]
    changed = False
    for descriptor, node in nodes:
        beside = [redacting.shared(descriptor, one) if one else one for one in node.beside]
        if beside != node.beside:
            changed, node.beside = True, beside
    return changed


def _is_plain(signal: Signal, payload: bytes) -> bool:
    """Whether it says nothing but what the columns show: no unknown fields, and none that is there twice."""
    message = _REQUESTS[signal].FromString(payload)
    message.DiscardUnknownFields()
    return bool(message.ByteSize() == len(payload))
