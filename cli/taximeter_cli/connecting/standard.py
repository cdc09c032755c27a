"""What OpenTelemetry's own SDKs are told, in any language: the same variables for all that build on them."""

from __future__ import annotations

from taximeter_cli.connecting.tool import Part

__all__ = ["OTLP", "TOKEN", "VARIABLES"]

OTLP = Part(environment={"OTEL_EXPORTER_OTLP_ENDPOINT": "{http}", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"})
TOKEN = Part(environment={"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer {token}"})
VARIABLES = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
)
"""Which of them lead telemetry elsewhere if they are set."""
