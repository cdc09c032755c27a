"""A request in two: for a backend whose limit is lower than we knew."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from taximeter_collector.journal import Signal

__all__ = ["halves"]

_KINDS: dict[Signal, tuple[Any, str, str, str]] = {
    Signal.TRACES: (ExportTraceServiceRequest, "resource_spans", "scope_spans", "spans"),
    Signal.METRICS: (ExportMetricsServiceRequest, "resource_metrics", "scope_metrics", "metrics"),
    Signal.LOGS: (ExportLogsServiceRequest, "resource_logs", "scope_logs", "log_records"),
}


def halves(signal: Signal, payload: bytes) -> list[tuple[bytes, int]]:
    """Two requests with about half of the bytes each, and the items in each; one if it cannot be parted.

    Rare, and so with protobuf's own objects, which keep fields that they do not know.
    """
    kind, of_resource, of_scope, of_items = _KINDS[signal]
    message = kind.FromString(payload)
    items = [item for group in _groups(message, of_resource, of_scope, of_items) for item in group]
    if len(items) == 1 and signal is Signal.METRICS and _points(items[0]) > 1:
        return _halves_of_metric(message, items[0])
    sizes = [item.ByteSize() for item in items]
    if len(sizes) < 2:
        return [(payload, _count(signal, message, of_resource, of_scope, of_items))]
    first = _half(sizes)
    parts = []
    for start, end in ((0, first), (first, len(sizes))):
        part = kind()
        part.CopyFrom(message)
        _keep(part, start, end, of_resource, of_scope, of_items)
        parts.append((part.SerializeToString(), _count(signal, part, of_resource, of_scope, of_items)))
    return parts


def _halves_of_metric(message: Any, metric: Any) -> list[tuple[bytes, int]]:
    """A request with one metric, as two with some of its points each."""
    points = getattr(metric, metric.WhichOneof("data")).data_points
    everything = list(points)
    first = _half([point.ByteSize() for point in everything])
    parts = []
    for some in (everything[:first], everything[first:]):
        del points[:]
        points.extend(some)
        parts.append((message.SerializeToString(), len(some)))
    return parts


def _groups(message: Any, of_resource: str, of_scope: str, of_items: str) -> list[Any]:
    return [
        getattr(scope, of_items) for resource in getattr(message, of_resource) for scope in getattr(resource, of_scope)
    ]


def _half(sizes: list[int]) -> int:
    """After how many items half of the bytes are passed: at least one, and not all."""
    half, passed = sum(sizes) / 2, 0
    for number, size in enumerate(sizes, 1):
        passed += size
        if passed >= half:
            return min(number, len(sizes) - 1)
    return len(sizes) - 1


def _keep(message: Any, start: int, end: int, of_resource: str, of_scope: str, of_items: str) -> None:
    """Leave only the items from `start` to `end`, and what is around them."""
    number = 0
    for resource in getattr(message, of_resource):
        for scope in getattr(resource, of_scope):
            items = getattr(scope, of_items)
            count = len(items)
            del items[max(0, min(count, end - number)) :]
            del items[: max(0, min(count, start - number))]
            number += count
        _drop_empty(getattr(resource, of_scope), of_items)
    _drop_empty(getattr(message, of_resource), of_scope)


def _drop_empty(containers: Any, inner: str) -> None:
    for index in reversed(range(len(containers))):
        if not getattr(containers[index], inner):
            del containers[index]


def _count(signal: Signal, message: Any, of_resource: str, of_scope: str, of_items: str) -> int:
    groups = _groups(message, of_resource, of_scope, of_items)
    if signal is not Signal.METRICS:
        return sum(len(group) for group in groups)
    return sum(_points(metric) for group in groups for metric in group)


def _points(metric: Any) -> int:
    kind = metric.WhichOneof("data")
    return len(getattr(metric, kind).data_points) if kind else 0
