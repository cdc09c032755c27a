"""What a user sets about the collector's own metrics."""

from __future__ import annotations

from dataclasses import dataclass

from taximeter_collector.settings import duration, setting, text

__all__ = ["TelemetryConfig"]


@dataclass(frozen=True, slots=True)
class TelemetryConfig:
    """`[telemetry]`: the collector's own metrics, sent on."""

    otlp_endpoint: str = setting(
        text, "", "Where they are sent over OTLP/HTTP, such as `http://localhost:4318`; not sent if empty."
    )
    otlp_headers: str = setting(
        text, "", "Headers for it, `name=value,name=value`. From the environment only.", secret=True
    )
    interval_s: float = setting(duration, "60s", "How often.", at_least=1)
