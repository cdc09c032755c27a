"""Export requests that tell of model calls, made as short as can be."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

__all__ = ["CALL", "CALL_USD", "event", "span", "trace"]

CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
}
CALL_USD = "0.000210000000"
"""A thousand tokens at 0.15 USD for a million, and a hundred at 0.60."""


def span(number: int, parent: int = 0, *, trace_id: int = 1, at_unix_nano: int | None = None, **facts: Any) -> Any:
    """A span by its number; `facts` are attributes, with two underscores for each dot."""
    began = time.time_ns() - 10**9 if at_unix_nano is None else at_unix_nano
    return Span(
        trace_id=trace_id.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        name="chat",
        kind=3,
        start_time_unix_nano=began,
        end_time_unix_nano=began + 2 * 10**8,
        attributes=_attributes({name.replace("__", "."): value for name, value in facts.items()}),
    )


def trace(*spans: Any, scope: str = "tests", resource: Mapping[str, Any] | None = None) -> bytes:
    """A request with spans of one scope."""
    message = ExportTraceServiceRequest()
    of_resource = message.resource_spans.add()
    of_resource.resource.attributes.extend(_attributes(resource or {"service.name": "shop"}))
    of_scope = of_resource.scope_spans.add()
    of_scope.scope.name = scope
    of_scope.spans.extend(spans)
    return message.SerializeToString()


def event(name: str, facts: Mapping[str, Any], body: Any = None, *, at_unix_nano: int | None = None) -> bytes:
    """A request with one log record."""
    message = ExportLogsServiceRequest()
    of_scope = message.resource_logs.add().scope_logs.add()
    log = of_scope.log_records.add(time_unix_nano=time.time_ns() if at_unix_nano is None else at_unix_nano)
    log.event_name = name
    log.attributes.extend(_attributes(facts))
    if body is not None:
        log.body.CopyFrom(_value(body))
    return message.SerializeToString()


def _attributes(facts: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in facts.items()]


def _value(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list):
        found = AnyValue()
        found.array_value.values.extend(_value(item) for item in value)
        return found
    if isinstance(value, Mapping):
        found = AnyValue()
        found.kvlist_value.values.extend(_attributes(value))
        return found
    return AnyValue(string_value=value)
