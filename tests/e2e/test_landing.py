"""From the wire to the ledger, through a real collector."""

from __future__ import annotations

import itertools
import json
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

from deltalake import DeltaTable
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from taximeter_collector.price import Overrides

from tests.collector.telling import CALL, CALL_USD, span, trace
from tests.e2e import kill_lander
from tests.e2e.collector import Collector, collecting, until
from tests.e2e.sending import HttpSender

SOON = ("--set", "land.commit_interval=200ms")


def ledger(collector: Collector, rows: int, table: str = "calls") -> list[dict[str, Any]]:
    """The calls, or rows of another table, as soon as there are so many."""

    def look() -> list[dict[str, Any]]:
        folder = collector.data / "lake" / table
        if not DeltaTable.is_deltatable(str(folder)):
            return []
        found = DeltaTable(folder).to_pyarrow_table().to_pylist(maps_as_pydicts="strict")
        return found if len(found) >= rows else []

    found = until(look, f"{table} has no {rows} rows; the log: {collector.said()}", patience_s=60)
    return sorted(found, key=lambda row: (row["journal_position"], row["journal_item"]))


def test_what_was_answered_ok_is_in_the_ledger_soon(tmp_path: Path) -> None:
    with collecting(tmp_path / "data", *SOON, lands=True) as collector, HttpSender(collector.http) as sender:
        assert sender.send(trace(span(1, **CALL))).acknowledged
        (call,) = ledger(collector, 1)
        assert (call["cost_usd"], call["billable"]) == (Decimal(CALL_USD), True)
        until(lambda: collector.metric("taximeter_lander_calls_total", cost_status="priced") == 1, "it is not counted")


def test_json_and_protobuf_end_in_the_same_columns(tmp_path: Path) -> None:
    request = trace(
        span(1, at_unix_nano=1_795_000_000_123_456_789, **CALL, **{"session.id": "s", "odd": [1, {"a": 2.5}]})
    )
    told = json.dumps(_as_otlp_json(request)).encode()
    with collecting(tmp_path / "data", *SOON, lands=True) as collector, HttpSender(collector.http) as sender:
        assert sender.send(request).acknowledged
        assert sender.send(told, **{"content-type": "application/json"}).acknowledged
        found = ledger(collector, 2, "spans")
    whence = {"received_unix_nano", "journal_position"}
    one, other = ({name: value for name, value in row.items() if name not in whence} for row in found)
    assert one == other
    assert one["attributes"]["odd"] == '[1, {"a": 2.5}]'


def _as_otlp_json(request: bytes) -> Any:
    """OTLP's JSON has ids in hexadecimal, and enums as numbers."""
    found = MessageToDict(ExportTraceServiceRequest.FromString(request), use_integers_for_enums=True)
    for one in found["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        one["traceId"], one["spanId"] = f"{1:032x}", f"{1:016x}"
    return found


def test_at_the_end_all_that_was_received_is_landed(tmp_path: Path) -> None:
    with collecting(tmp_path / "data", "--set", "land.commit_interval=60s", lands=True) as collector:
        with HttpSender(collector.http) as sender:
            for number in range(1, 30):
                assert sender.send(trace(span(number, trace_id=number, **CALL))).acknowledged
        assert collector.stop() == 0
        assert len(ledger(collector, 29)) == 29


def test_a_lake_that_cannot_be_written_stops_the_lander_and_not_the_receiver(tmp_path: Path) -> None:
    """What is received meanwhile waits in the journal, and lands when the lake is back."""
    with collecting(tmp_path / "data", *SOON, lands=True) as collector, HttpSender(collector.http) as sender:
        assert sender.send(trace(span(1, **CALL))).acknowledged
        until(lambda: collector.metric("taximeter_lander_calls_total") == 1, "it does not land")  # in all tables
        lake, away = collector.data / "lake", collector.data / "away"
        lake.rename(away)
        lake.write_text("a file, where the lander wants a folder")
        assert sender.send(trace(span(2, trace_id=2, **CALL))).acknowledged
        until(lambda: collector.metric("taximeter_lander_lake_failures_total"), "nobody noticed", patience_s=60)
        assert sender.send(trace(span(3, trace_id=3, **CALL))).acknowledged
        assert collector.ask("/readyz")[0] == 200
        back = collector.data / "back"
        back.symlink_to(away)
        back.replace(lake)  # at once: a lander that finds nothing there makes a new lake
        assert [row["span_id"][-1] for row in ledger(collector, 3)] == ["1", "2", "3"]
        until(lambda: "the lake can be written again" in collector.said(), "it does not say that it is over")
        assert collector.said().count("the lake can be written again") == 1


def test_prices_are_read_again_when_told_to(tmp_path: Path) -> None:
    with collecting(tmp_path / "data", *SOON, lands=True) as collector, HttpSender(collector.http) as sender:
        assert sender.send(trace(span(1, **CALL))).acknowledged
        ledger(collector, 1)
        (collector.data / "prices.toml").write_text(
            '[[price]]\nprovider = "openai"\nmodel = "gpt-4o-mini*"\nmultiplier = 0.5\n'
        )
        collector.process.send_signal(signal.SIGHUP)

        numbers = itertools.count(2)

        def half() -> bool:
            number = next(numbers)
            assert sender.send(trace(span(number, trace_id=number, **CALL))).acknowledged
            return bool(ledger(collector, number)[-1]["cost_usd"] == Decimal(CALL_USD) / 2)

        until(half, "it costs what it did", patience_s=60)
        (told,) = (event for event in collector.events() if event["event"] == "the prices were read again")
        assert told["prices"].startswith("genai-prices@")
        assert told["overrides"] == Overrides.load(collector.data / "prices.toml").edition


def test_the_ledger_is_right_after_kills_at_random_moments(tmp_path: Path) -> None:
    report = kill_lander.run(tmp_path, kills=5, clients=2)
    assert report.is_good, f"\n{report}"
    assert sum(report.kills.values()) >= 5
