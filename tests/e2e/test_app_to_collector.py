"""The two halves together: an app that says nothing of telemetry, and a collector that has all of its calls on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from importlib.metadata import entry_points
from pathlib import Path

from deltalake import DeltaTable
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


def test_every_call_of_a_metered_app_is_in_the_ledger_priced(tmp_path: Path) -> None:
    """The other instrumentations of the tests' environment are at work as well, and tell of the same calls."""
    with collecting(tmp_path / "data", lands=True) as collector:
        command = [str(Path(sys.executable).parent / "opentelemetry-instrument"), sys.executable, "-m"]
        subprocess.run(
            [*command, "taximeter_cli.demo"],
            env=clean_environment(tmp_path) | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.http},
            check=True,
            timeout=120,
        )
        assert collector.stop() == 0
        ledger = DeltaTable(collector.data / "lake" / "calls").to_pyarrow_table().to_pylist()
    billed = sorted((row["model"], row["input_tokens"], row["output_tokens"]) for row in ledger if row["billable"])
    assert billed == [
        ("claude-opus-4-7", 1070, 30),
        ("gpt-4o-mini", 120, 30),
        ("gpt-4o-mini", 120, 30),
        ("gpt-flaky-2024-07-18", 120, 30),
        ("text-embedding-3-small", 8, 0),
    ]
    # By hand: 20 + 100 cached + 30; the same; 20 + 1000 read + 50 written for 5 minutes + 30; 8.
    cents = Decimal("0.0000285") * 2 + Decimal("0.0016625") + Decimal("0.00000016")
    assert sum(row["cost_usd"] for row in ledger if row["billable"] and row["cost_usd"]) == cents
    assert {row["model"] for row in ledger if row["billable"] and row["cost_usd"] is None} == {"gpt-flaky-2024-07-18"}


def test_the_demo_ends_with_a_sound_lake(tmp_path: Path) -> None:
    bin_folder = str(Path(sys.executable).parent)
    environment = clean_environment(tmp_path) | ALONE
    environment["PATH"] = os.pathsep.join([bin_folder, environment["PATH"]])
    command = [sys.executable, "-m", "taximeter_cli.demo_collected"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "invoke_agent planner" in done.stdout
    assert "0.001719660000 USD for 4 of 5 calls" in done.stdout
    assert done.stdout.endswith("sound\n")
