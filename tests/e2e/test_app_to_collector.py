"""The two halves together: an app that says nothing of telemetry, and a collector that has all of its calls on disk."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from taximeter_collector.journal import Signal

from tests.e2e.collector import clean_environment, collecting

# The tests' environment has other instrumentations beside ours; a user's has not.
OTHERS = {found.name for found in entry_points(group="opentelemetry_instrumentor")} - {"taximeter", "threading"}
ALONE = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ",".join(OTHERS)}


def test_every_call_of_a_metered_app_is_in_the_journal_when_the_app_has_ended(tmp_path: Path) -> None:
    with collecting(tmp_path / "data") as collector:
        command = [str(Path(sys.executable).parent / "opentelemetry-instrument"), sys.executable, "-m"]
        subprocess.run(
            [*command, "taximeter_cli.demo"],
            env=clean_environment(tmp_path) | ALONE | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.http},
            check=True,
            timeout=60,
        )
        records = collector.journaled()
    spans = [
        span
        for record in records
        if record.signal is Signal.TRACES
        for resource in ExportTraceServiceRequest.FromString(record.payload).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    calls = [span for span in spans if any(item.key == "gen_ai.usage.input_tokens" for item in span.attributes)]
    assert sorted(span.name for span in calls) == [
        "anthropic.messages.create",
        "chat gpt-4o-mini",
        "chat gpt-4o-mini",
        "chat gpt-flaky",
        "embeddings text-embedding-3-small",
    ]
    names = {
        metric.name
        for record in records
        if record.signal is Signal.METRICS
        for resource in ExportMetricsServiceRequest.FromString(record.payload).resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    assert "gen_ai.client.token.usage" in names


def test_the_demo_ends_with_a_sound_journal(tmp_path: Path) -> None:
    bin_folder = str(Path(sys.executable).parent)
    environment = clean_environment(tmp_path) | ALONE
    environment["PATH"] = os.pathsep.join([bin_folder, environment["PATH"]])
    command = [sys.executable, "-m", "taximeter_cli.demo_collected"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "invoke_agent planner" in done.stdout
    assert re.search(r"traces +\d+ spans .* taximeter_cli.demo", done.stdout)
    assert done.stdout.endswith("sound\n")
