"""The collector's own metrics over OTLP, from a process of its own: an endpoint that hangs disturbs nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from opentelemetry.metrics import CallbackOptions, Observation

from taximeter_collector.configuration import Config
from taximeter_collector.telemetry import metrics
from taximeter_collector.telemetry.exposition import publish, published
from taximeter_collector.telemetry.metrics import Metric, Registry, Sample

if TYPE_CHECKING:
    from taximeter_collector.supervise.worker import Control

__all__ = ["run"]

_FRESH_S = 0.5

_LAST_EXPORT_MS = 2000  # an endpoint that hangs must not hold up the end


async def run(config: Config, control: Control) -> None:
    """Export what all processes have published, until told to stop."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource

    settings = config.telemetry
    exporter = OTLPMetricExporter(
        f"{settings.otlp_endpoint.rstrip('/')}/v1/metrics", headers=_headers(settings.otlp_headers), timeout=10
    )
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=settings.interval_s * 1000)
    provider = MeterProvider([reader], Resource.create({"service.name": "taximeter-collector"}))
    meter = provider.get_meter("taximeter.collector")
    registry = Registry()
    samples = _Published(config.run_folder)
    for metric in metrics.ALL:
        make = meter.create_observable_counter if metric.kind == "counter" else meter.create_observable_gauge
        make(metric.name, [samples.observer(metric)], unit=metric.unit, description=metric.help)
    control.ready()
    while not control.stopped.is_set():
        publish(registry, config.run_folder, "telemetry")
        try:
            await asyncio.wait_for(control.stopped.wait(), 5)
        except TimeoutError:
            continue
    await asyncio.to_thread(provider.shutdown, _LAST_EXPORT_MS)


class _Published:
    """What the processes have left, read once for all metrics of an export."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._samples: list[Sample] = []
        self._read_at = 0.0

    def observer(self, metric: Metric) -> Callable[[CallbackOptions], Iterable[Observation]]:
        """What tells the values of one metric."""

        def observe(_: CallbackOptions) -> Iterable[Observation]:
            for name, labels, value in self._fresh():
                if name == metric.name:
                    yield Observation(value, dict(zip(metric.labels, labels, strict=True)))

        return observe

    def _fresh(self) -> list[Sample]:
        if time.monotonic() - self._read_at > _FRESH_S:
            self._samples, self._read_at = published(self._folder), time.monotonic()
        return self._samples


def _headers(text: str) -> dict[str, str]:
    pairs = (item.partition("=") for item in text.split(",") if item.strip())
    return {name.strip().lower(): unquote(value.strip()) for name, _, value in pairs}
