"""The two halves together: an app that says nothing of telemetry, and a collector that has all of its calls on disk."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
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
            timeout=300,
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
    assert Counter(span.name for span in calls) == {
        "anthropic.messages.create": 2,
        "chat gpt-5": 2,
        "chat gpt-5-mini": 2,
        "chat gpt-5-nano": 6,
        "chat acme-13b": 1,
        "embeddings text-embedding-3-small": 1,
    }
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
            timeout=300,
        )
        assert collector.stop() == 0
        ledger = DeltaTable(collector.data / "lake" / "calls").to_pyarrow_table().to_pylist()
    billed = [row for row in ledger if row["billable"]]
    assert Counter((row["service_name"], row["model"]) for row in billed) == {
        ("assistant", "gpt-5"): 2,
        ("assistant", "gpt-5-mini"): 2,
        ("assistant", "gpt-5-nano"): 6,
        ("assistant", "acme-13b"): 1,
        ("assistant", "claude-sonnet-4-5"): 2,
        ("search", "text-embedding-3-small"): 1,
        ("claude-code", "claude-opus-4-8"): 4,
    }
    cost = {model: sum(row["cost_usd"] for row in billed if row["model"] == model) for model in ("gpt-5-mini", "gpt-5")}
    # By hand, in millionths: 1,060 + 3,420 in, 1,920 from a cache, 552 out; 2,880 in, 1,280 from a cache, 878 out.
    assert cost["gpt-5-mini"] == Decimal("0.25e-6") * 4480 + Decimal("0.025e-6") * 1920 + Decimal("2e-6") * 552
    assert cost["gpt-5"] == Decimal("1.25e-6") * 2880 + Decimal("0.125e-6") * 1280 + Decimal("10e-6") * 878
    assert {row["model"] for row in billed if row["cost_usd"] is None} == {"acme-13b"}
