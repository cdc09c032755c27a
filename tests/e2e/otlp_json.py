"""OTLP in JSON as the specification has it, and what each document is in protobuf by another way than ours.

The documents are our own. Those of the specification itself are in `examples/` of its repository, opentelemetry-proto,
and are sent by `python tests/interop/run.py --examples FOLDER`.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

__all__ = ["DOCUMENTS", "KINDS", "protobuf_of", "signal_of"]

KINDS: dict[str, type[Any]] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}
_IDS = ("traceId", "spanId", "parentSpanId")
_ENVELOPES = {"resourceSpans": "traces", "resourceMetrics": "metrics", "resourceLogs": "logs"}


def signal_of(document: dict[str, Any]) -> str:
    """Which signal it is, by its outermost name."""
    (name,) = document
    return _ENVELOPES[name]


def protobuf_of(document: dict[str, Any]) -> Any:
    """What it means, by protobuf's own parser, which takes ids in base64 where OTLP has them in hexadecimal."""
    return json_format.ParseDict(_with_base64_ids(document), KINDS[signal_of(document)]())


def _with_base64_ids(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _with_base64_ids(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_base64_ids(item) for item in value]
    return base64.b64encode(bytes.fromhex(value)).decode() if name in _IDS else value


DOCUMENTS: dict[str, dict[str, Any]] = {
    name: json.loads(text)
    for name, text in {
        "a call with its events and links": """
            {"resourceSpans": [{
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
                "schemaUrl": "https://opentelemetry.io/schemas/1.37.0",
                "scopeSpans": [{
                    "scope": {"name": "till", "version": "2", "attributes": [{"key": "a", "value": {"intValue": "7"}}]},
                    "spans": [{
                        "traceId": "0AF7651916CD43DD8448EB211C80319C",
                        "spanId": "b7ad6b7169203331",
                        "parentSpanId": "00F067AA0BA902B7",
                        "traceState": "vendor=1",
                        "flags": 257,
                        "name": "chat gpt-4o-mini",
                        "kind": 3,
                        "startTimeUnixNano": 1544712660000000000,
                        "endTimeUnixNano": "1544712661000000000",
                        "attributes": [
                            {"key": "gen_ai.usage.input_tokens", "value": {"intValue": 120}},
                            {"key": "finish", "value": {"arrayValue": {"values": [{"stringValue": "stop"}]}}}
                        ],
                        "events": [{"timeUnixNano": "1544712660500000000", "name": "first chunk"}],
                        "links": [{"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "00f067aa0ba902b7"}],
                        "status": {"code": 2, "message": "rate limited"}
                    }]
                }]
            }]}""",
        "every kind of metric": """
            {"resourceMetrics": [{"scopeMetrics": [{"scope": {"name": "till"}, "metrics": [
                {"name": "tokens", "unit": "{token}", "sum": {"aggregationTemporality": 1, "isMonotonic": true,
                    "dataPoints": [{"asInt": "120", "startTimeUnixNano": "1", "timeUnixNano": "2"}]}},
                {"name": "open", "gauge": {"dataPoints": [{"asDouble": 0.5, "timeUnixNano": "2"}]}},
                {"name": "nothing", "gauge": {"dataPoints": [{"asDouble": "NaN", "timeUnixNano": "2"}]}},
                {"name": "took", "unit": "s", "histogram": {"aggregationTemporality": 2, "dataPoints": [{
                    "timeUnixNano": "2", "count": "3", "sum": 2.5, "bucketCounts": ["1", 2], "explicitBounds": [1],
                    "min": 0, "max": 2, "exemplars": [{"timeUnixNano": "1", "asDouble": 2,
                    "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "B7AD6B7169203331"}]}]}},
                {"name": "sizes", "exponentialHistogram": {"aggregationTemporality": 1, "dataPoints": [{
                    "timeUnixNano": "2", "count": 3, "sum": 10, "scale": -1, "zeroCount": "1", "zeroThreshold": 0,
                    "positive": {"offset": 1, "bucketCounts": ["0", "2"]}, "negative": {"offset": -2}}]}},
                {"name": "old", "summary": {"dataPoints": [{"timeUnixNano": "2", "count": "1", "sum": 4,
                    "quantileValues": [{"quantile": 0.99, "value": 4}]}]}}
            ]}]}]}""",
        "a log record with every kind of value": """
            {"resourceLogs": [{"scopeLogs": [{"logRecords": [{
                "timeUnixNano": "1544712660300000000",
                "observedTimeUnixNano": "1544712660300000001",
                "severityNumber": 10,
                "severityText": "Information",
                "traceId": "0AF7651916CD43DD8448EB211C80319C",
                "spanId": "B7AD6B7169203331",
                "body": {"stringValue": "a call, \\u00e9\\ud83d\\ude95"},
                "attributes": [
                    {"key": "bool", "value": {"boolValue": true}},
                    {"key": "int", "value": {"intValue": "-9223372036854775808"}},
                    {"key": "double", "value": {"doubleValue": 637.704}},
                    {"key": "bytes", "value": {"bytesValue": "AAEC/w=="}},
                    {"key": "array", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {"boolValue": false}]}}},
                    {"key": "map", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"stringValue": "v"}}]}}},
                    {"key": "none", "value": {}}
                ]
            }]}]}]}""",
        "an event": """
            {"resourceLogs": [{"scopeLogs": [{"scope": {"name": "till"}, "logRecords": [{
                "eventName": "gen_ai.client.inference.operation.details",
                "timeUnixNano": "1544712660300000000",
                "severityNumber": 9,
                "body": {"kvlistValue": {"values": [
                    {"key": "type", "value": {"intValue": "0"}},
                    {"key": "title", "value": {"stringValue": "How much?"}}
                ]}}
            }]}]}]}""",
    }.items()
}
