"""What a command finds in its environment, so that it meters itself and tells the collector."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

__all__ = ["RUN_ATTRIBUTE", "bootstrap_folder", "environment_of_command", "replaced"]

RUN_ATTRIBUTE = "taximeter.run.id"
NOTES = "TAXIMETER_RUN_NOTES"

_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
# What a user may have set for a backend of their own, and what would lead telemetry past us.
_OF_OTHERS = tuple(
    f"OTEL_EXPORTER_OTLP_{signal}{what}"
    for signal in ("", "TRACES_", "METRICS_", "LOGS_")
    for what in ("ENDPOINT", "PROTOCOL", "HEADERS", "CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE")
)
# Often enough that a budget is noticed when it is spent; the SDK's own interval is five seconds.
_HASTE = {"OTEL_BSP_SCHEDULE_DELAY": "1000", "OTEL_BLRP_SCHEDULE_DELAY": "1000"}
# Coding agents say nothing unless they are asked to.
_AGENTS = {"CLAUDE_CODE_ENABLE_TELEMETRY": "1"}


def environment_of_command(inherited: Mapping[str, str], endpoint: str, run_id: str, notes: Path) -> dict[str, str]:
    """The environment of whoever called us, with metering in it."""
    environment = {name: value for name, value in inherited.items() if name not in _OF_OTHERS}
    for name, value in {**_HASTE, **_AGENTS, **_exporters()}.items():
        environment.setdefault(name, value)
    paths = [str(bootstrap_folder()), *filter(None, inherited.get("PYTHONPATH", "").split(os.pathsep))]
    attributes = [*filter(None, [inherited.get("OTEL_RESOURCE_ATTRIBUTES")]), f"{RUN_ATTRIBUTE}={run_id}"]
    return environment | {
        _ENDPOINT: endpoint,
        _PROTOCOL: "http/protobuf",
        "OTEL_RESOURCE_ATTRIBUTES": ",".join(attributes),
        "PYTHONPATH": os.pathsep.join(paths),
        NOTES: str(notes),
    }


def replaced(inherited: Mapping[str, str]) -> str | None:
    """Where telemetry would have gone without us."""
    return next((inherited[name] for name in _OF_OTHERS if name.endswith("ENDPOINT") and inherited.get(name)), None)


def bootstrap_folder() -> Path:
    """Where Python finds what switches metering on."""
    spec = find_spec("taximeter")
    assert spec
    assert spec.origin
    return Path(spec.origin).parent / "bootstrap"


def _exporters() -> dict[str, str]:
    return {f"OTEL_{signal}_EXPORTER": "otlp" for signal in ("TRACES", "METRICS", "LOGS")}
