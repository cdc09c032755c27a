"""Those who send: the OpenTelemetry SDK in all its protocols and compressions, and JSON as the specification has it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.common.http import Compression as JsonCompression
from opentelemetry.exporter.otlp.json.http import _log_exporter as json_logs
from opentelemetry.exporter.otlp.json.http import metric_exporter as json_metrics
from opentelemetry.exporter.otlp.json.http import trace_exporter as json_traces
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc import _log_exporter as grpc_logs
from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc_metrics
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc_traces
from opentelemetry.exporter.otlp.proto.http import Compression as HttpCompression
from opentelemetry.exporter.otlp.proto.http import _log_exporter as http_logs
from opentelemetry.exporter.otlp.proto.http import metric_exporter as http_metrics
from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanKind
from taximeter_collector.journal import JournalReader, Signal

from tests.e2e.collector import Collector, collecting
from tests.e2e.otlp_json import DOCUMENTS, KINDS, protobuf_of, signal_of
from tests.e2e.sending import HttpSender

RESOURCE = Resource({"service.name": "shop", "tags": ["a", "b"], "answer": 42, "ratio": 0.5, "open": True})
COUNT = 50
EXPORTERS: dict[tuple[str, str], Callable[..., Any]] = {
    ("grpc", "traces"): grpc_traces.OTLPSpanExporter,
    ("grpc", "metrics"): grpc_metrics.OTLPMetricExporter,
    ("grpc", "logs"): grpc_logs.OTLPLogExporter,
    ("http/protobuf", "traces"): http_traces.OTLPSpanExporter,
    ("http/protobuf", "metrics"): http_metrics.OTLPMetricExporter,
    ("http/protobuf", "logs"): http_logs.OTLPLogExporter,
    ("http/json", "traces"): json_traces.OTLPSpanExporter,
    ("http/json", "metrics"): json_metrics.OTLPMetricExporter,
    ("http/json", "logs"): json_logs.OTLPLogExporter,
}
COMPRESSIONS: dict[str, dict[str, Any]] = {
    "none": {
        "grpc": grpc.Compression.NoCompression,
        "http/protobuf": HttpCompression.NoCompression,
        "http/json": JsonCompression.NONE,
    },
    "gzip": {
        "grpc": grpc.Compression.Gzip,
        "http/protobuf": HttpCompression.Gzip,
        "http/json": JsonCompression.GZIP,
    },
    "deflate": {
        "grpc": grpc.Compression.Deflate,
        "http/protobuf": HttpCompression.Deflate,
        "http/json": JsonCompression.DEFLATE,
    },
}


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    with collecting(tmp_path_factory.mktemp("clients") / "data") as started:
        yield started


@pytest.fixture
def journal(collector: Collector) -> Iterator[JournalReader]:
    """What arrives from now on."""
    reader = JournalReader(collector.journal, start="newest")
    yield reader
    reader.close()


def some_spans() -> tuple[Any, Any]:
    """Spans with all that a span can have, as the SDK has them and in protobuf."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("till", "1.0", attributes={"scope": "yes"})
    with tracer.start_as_current_span("order") as order:
        for number in range(COUNT):
            link = Link(order.get_span_context(), {"why": "because"})
            with tracer.start_as_current_span(f"chat {number}", kind=SpanKind.CLIENT, links=[link]) as span:
                span.set_attributes({"text": "é🚕", "number": -(2**62), "ratio": 1e300, "many": [1, 2], "yes": True})
                span.add_event("first chunk", {"after_ms": 12})
        order.record_exception(ValueError("no"))
    provider.shutdown()
    spans = kept.get_finished_spans()
    return spans, encode_spans(spans)


def some_metrics() -> tuple[Any, Any]:
    """Points of every instrument."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], RESOURCE)
    meter = provider.get_meter("till", "1.0")
    for number in range(COUNT):
        meter.create_counter("tokens", "{token}").add(number, {"model": f"m{number}"})
        meter.create_up_down_counter("open").add(-1)
        meter.create_histogram("took", "s").record(number / 7, {"model": f"m{number % 5}"})
        meter.create_gauge("level").set(0.1)
    data = reader.get_metrics_data()
    provider.shutdown()
    assert data
    return data, encode_metrics(data)


def some_logs() -> tuple[Any, Any]:
    """Records with text, with structure, and with an event's name."""
    kept = InMemoryLogRecordExporter()
    provider = LoggerProvider(RESOURCE)
    provider.add_log_record_processor(SimpleLogRecordProcessor(kept))
    logger = provider.get_logger("till", "1.0")
    bodies = ("said", {"nested": {"list": [1, "two", 3.0, None]}}, b"\x00\xff", None)
    for number in range(COUNT):
        record = LogRecord(
            timestamp=1544712660300000000 + number,
            severity_number=SeverityNumber.INFO2,
            body=bodies[number % len(bodies)],
            attributes={"number": number},
            event_name="gen_ai.event" if number % 2 else None,
        )
        logger.emit(record)
    records = kept.get_finished_logs()
    provider.shutdown()
    return records, encode_logs(records)


MAKERS = {"traces": some_spans, "metrics": some_metrics, "logs": some_logs}


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
@pytest.mark.parametrize("compression", list(COMPRESSIONS))
@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf", "http/json"])
def test_what_the_sdk_sends_is_what_the_journal_has(
    collector: Collector, journal: JournalReader, protocol: str, compression: str, signal: str
) -> None:
    batch, expected = MAKERS[signal]()
    received = collector.metric("taximeter_receiver_received_bytes_total")
    assert _export(collector, protocol, compression, signal, batch).name == "SUCCESS"
    (record,) = journal.read(wait_s=60)
    assert record.signal == Signal[signal.upper()]
    assert KINDS[signal].FromString(record.payload) == expected
    if protocol != "http/json":
        assert record.payload == expected.SerializeToString()
    on_the_wire = collector.metric("taximeter_receiver_received_bytes_total") - received
    if compression != "none":
        assert on_the_wire < len(record.payload) / 2, "it was not compressed"


def _export(collector: Collector, protocol: str, compression: str, signal: str, batch: Any) -> Any:
    options: dict[str, Any] = {"compression": COMPRESSIONS[compression][protocol]}
    if protocol == "grpc":
        options |= {"endpoint": collector.grpc, "insecure": True}
    else:
        options["endpoint"] = f"{collector.http}/v1/{signal}"
    exporter = EXPORTERS[protocol, signal](**options)
    try:
        return exporter.export(batch)
    finally:
        exporter.shutdown()


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf", "http/json"])
def test_the_sdk_is_told_when_its_token_is_missing(
    tmp_path_factory: pytest.TempPathFactory, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    secured = {"TAXIMETER_RECEIVE_TOKENS": "shop=top-secret"}
    with collecting(tmp_path_factory.mktemp("secured") / "data", environment=secured) as strict:
        with caplog.at_level(logging.ERROR):
            assert _export(strict, protocol, "none", "traces", some_spans()[0]).name == "FAILURE"
        assert "a valid token is needed" in caplog.text or "Unauthorized" in caplog.text
        assert strict.journaled() == []


@pytest.mark.parametrize("name", list(DOCUMENTS))
def test_json_of_the_specification_ends_as_the_protobuf_that_it_means(
    collector: Collector, journal: JournalReader, name: str
) -> None:
    document = DOCUMENTS[name]
    signal = signal_of(document)
    with HttpSender(collector.http) as sender:
        answer = sender.send(json.dumps(document).encode(), signal, content_type="application/json")
    assert (answer.status, answer.message) == (200, "{}")
    (record,) = journal.read(wait_s=60)
    found = KINDS[signal].FromString(record.payload)
    expected = protobuf_of(document)
    assert found == expected or str(found) == str(expected)  # NaN is not equal to itself, and reads the same
    if signal == "traces":
        (span,) = found.resource_spans[0].scope_spans[0].spans
        assert span.trace_id.hex() == span.links[0].trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
        assert (span.span_id.hex(), span.parent_span_id.hex()) == ("b7ad6b7169203331", "00f067aa0ba902b7")
