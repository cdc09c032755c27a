"""A provider on loopback, the meter switched on, and the spans that come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from taximeter import faults
from taximeter.instrumentor import TaximeterInstrumentor
from taximeter_cli.loopback import Loopback


@dataclass
class Telemetry:
    """What was exported so far."""

    tracer_provider: TracerProvider
    meter_provider: MeterProvider
    logger_provider: LoggerProvider
    _spans: InMemorySpanExporter
    _metrics: InMemoryMetricReader
    _logs: InMemoryLogRecordExporter

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._spans.get_finished_spans())

    def span(self) -> ReadableSpan:
        """The one inference span that there is."""
        found = self.inference_spans()
        assert len(found) == 1, [(span.name, dict(span.attributes or {})) for span in self.spans]
        return found[0]

    def inference_spans(self) -> list[ReadableSpan]:
        from taximeter.adopt import is_inference

        return [span for span in self.spans if is_inference(span)]

    def attributes(self) -> dict[str, Any]:
        """Those of the one inference span, without the time to first chunk, which no test can know."""
        found = dict(self.span().attributes or {})
        first_chunk = found.pop("gen_ai.response.time_to_first_chunk", None)
        assert (first_chunk is not None) == found.get("gen_ai.request.stream", False) or "error.type" in found
        assert first_chunk is None or first_chunk >= 0
        return found

    @property
    def events(self) -> list[Any]:
        return [data.log_record for data in self._logs.get_finished_logs()]

    def metrics(self) -> dict[str, list[Any]]:
        """The data points of each metric, by its name."""
        data = self._metrics.get_metrics_data()
        return {
            metric.name: list(metric.data.data_points)
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def clear(self) -> None:
        self._spans.clear()
        self._logs.clear()


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    spans, logs, metrics = InMemorySpanExporter(), InMemoryLogRecordExporter(), InMemoryMetricReader()
    tracer_provider, logger_provider = TracerProvider(), LoggerProvider()
    tracer_provider.add_span_processor(SimpleSpanProcessor(spans))
    logger_provider.add_log_record_processor(SimpleLogRecordProcessor(logs))
    meter_provider = MeterProvider([metrics])
    yield Telemetry(tracer_provider, meter_provider, logger_provider, spans, metrics, logs)
    tracer_provider.shutdown()
    logger_provider.shutdown()
    meter_provider.shutdown()


@pytest.fixture
def switch_on(telemetry: Telemetry) -> Iterator[Callable[..., None]]:
    """Switches the meter on with options; it is switched off afterwards, and must have had no trouble."""
    faults.reset()

    def on(**options: Any) -> None:
        TaximeterInstrumentor().instrument(
            tracer_provider=telemetry.tracer_provider,
            meter_provider=telemetry.meter_provider,
            logger_provider=telemetry.logger_provider,
            **options,
        )

    yield on
    TaximeterInstrumentor().uninstrument()
    assert faults.counts() == {}


@pytest.fixture
def meter(switch_on: Callable[..., None], telemetry: Telemetry) -> Telemetry:
    """The meter, switched on with its defaults."""
    switch_on()
    return telemetry


@pytest.fixture(scope="session")
def _loopback() -> Iterator[Loopback]:
    with Loopback() as loopback:
        yield loopback


@pytest.fixture
def loopback(_loopback: Loopback) -> Loopback:
    _loopback.asked.clear()
    return _loopback
