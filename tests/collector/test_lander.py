"""From a real journal into a real lake: what lands, once, and what becomes of what cannot."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import NumberDataPoint
from taximeter_collector.bill import CALL_COLUMNS, Register
from taximeter_collector.configuration import load
from taximeter_collector.journal import Entry, JournalReader, Signal
from taximeter_collector.journal.segments import Folder
from taximeter_collector.lake import Lake, LakeConfig
from taximeter_collector.lake.verification import verify_table
from taximeter_collector.land import process
from taximeter_collector.land.attempts import TOO_OFTEN, Attempts
from taximeter_collector.land.calls import priced
from taximeter_collector.land.config import LandConfig
from taximeter_collector.land.dead_letter import DeadLetters
from taximeter_collector.land.lander import Lander
from taximeter_collector.land.readings import Readings
from taximeter_collector.land.spans import span_rows
from taximeter_collector.land.stages import Stages
from taximeter_collector.price import Book
from taximeter_collector.redact import RedactConfig, Redaction
from taximeter_collector.telemetry import metrics
from taximeter_collector.telemetry.metrics import Registry

from tests.collector.journaling import Sender
from tests.collector.telling import CALL, CALL_USD, event, span, trace

DAY_NS = 86_400 * 10**9
BOOK = Book.load()


class Landing:
    """A lander with all its parts, in a folder that outlives it."""

    def __init__(self, data: Path, **settings: Any) -> None:
        self.data = data
        self.registry = Registry()
        redaction = Redaction.of(RedactConfig())
        config = LandConfig(**settings)
        stages = Stages("j", redaction, keep_content=config.content)
        self.source = JournalReader(data / "journal", "lander")
        self.lake = Lake.open(LakeConfig(dir=data / "lake"), "j")
        register = Register.open(data / "register", lambda since: self.lake.rows("calls", CALL_COLUMNS, since))
        letters = DeadLetters(data / "dead-letter", "j")
        readings = Readings(self.registry, redaction, stages.spent_s)
        attempts = Attempts(data)
        self.lander = Lander(
            config, self.source, stages, lambda: BOOK, register, self.lake, letters, readings, attempts
        )

    def count(self, metric: metrics.Metric, *labels: str) -> float:
        """A counter's value."""
        found = [value for name, given, value in self.registry.samples() if name == metric.name]
        exact = [value for name, given, value in self.registry.samples() if (name, given) == (metric.name, labels)]
        return sum(exact if labels else found)


@contextmanager
def landing(data: Path, **settings: Any) -> Iterator[Landing]:
    """A lander for a while."""
    one = Landing(data, **settings)
    try:
        yield one
    finally:
        one.lake.abandon()
        one.lake.close()
        one.source.close()


@pytest.fixture
def send(folder: Path) -> Iterator[Callable[..., None]]:
    """Puts requests into the journal, as the receiver does."""
    with Sender(folder.parent / "data" / "journal") as sender:

        def append(*payloads: bytes, signal: Signal = Signal.TRACES) -> None:
            entries = [Entry(signal, 1, "", payload) for payload in payloads]
            for entry in entries:
                sender.journal.append(entry)
            sender.answered(entries)

        yield append


@pytest.fixture
def data(folder: Path) -> Path:
    return folder.parent / "data"


def land(data: Path, **settings: Any) -> Landing:
    """All that is in the journal."""
    with landing(data, **settings) as one:
        one.lander.run(lambda: True)
    return one


def rows(data: Path, table: str) -> list[dict[str, Any]]:
    """Of a table of the lake, in the order in which they came."""
    found = DeltaTable(data / "lake" / table).to_pyarrow_table().to_pylist(maps_as_pydicts="strict")
    return sorted(found, key=lambda row: (row["journal_position"], row["journal_item"]))


def test_a_call_becomes_a_priced_row_and_its_span_one_beside_it(data: Path, send: Callable[..., None]) -> None:
    send(trace(span(7, **CALL, **{"taximeter.tag.team": "search"})))
    land(data)
    (call,), (told,) = rows(data, "calls"), rows(data, "spans")
    assert call["span_id"] == told["span_id"] == "0000000000000007"
    assert (call["cost_usd"], call["cost_status"], call["billable"]) == (Decimal(CALL_USD), "priced", True)
    assert (call["model"], call["duration_ms"], call["service_name"]) == ("gpt-4o-mini", 200.0, "shop")
    assert call["tags"] == {"team": "search"}
    assert told["attributes"]["gen_ai.usage.input_tokens"] == "1000"  # originals stay


def test_what_is_read_again_after_a_crash_is_there_once(data: Path, send: Callable[..., None]) -> None:
    """The lake has committed, and the cursor has not moved."""
    send(trace(span(1, **CALL)), trace(span(2, **CALL)))
    cursor = data / "journal" / "cursors" / "lander.json"
    with landing(data) as one:
        before = cursor.read_bytes()
        one.lander.run(lambda: True)
    cursor.write_bytes(before)
    send(trace(span(3, **CALL)))
    land(data)
    assert [row["span_id"][-1] for row in rows(data, "calls")] == ["1", "2", "3"]
    assert [row["billable"] for row in rows(data, "calls")] == [True, True, True]
    assert len(rows(data, "spans")) == 3


def test_a_crash_before_the_commit_leaves_nothing_behind(data: Path, send: Callable[..., None]) -> None:
    send(trace(span(1, **CALL)))
    with landing(data) as one:
        one.lander.step(0.0)  # taken, and never committed
    assert rows(data, "calls") == []
    land(data)
    assert len(rows(data, "calls")) == len(rows(data, "spans")) == 1


def test_a_framework_that_is_heard_of_first_is_corrected_when_the_sdk_is(data: Path, send: Callable[..., None]) -> None:
    """In commits of their own."""
    send(trace(span(1, **CALL)))
    land(data)
    assert [row["billable"] for row in rows(data, "calls")] == [True]
    send(trace(span(2, parent=1, **CALL)))
    one = land(data)
    framework, sdk = rows(data, "calls")
    assert (framework["billable"], framework["not_billable_because"]) == (False, "nested")
    assert sdk["billable"] is True
    assert framework["billed_as"] == f"j/{sdk['journal_position']}.{sdk['journal_item']}"
    assert one.count(metrics.CORRECTIONS) == 1


def test_a_request_that_is_sent_twice_is_billed_once(data: Path, send: Callable[..., None]) -> None:
    request = trace(span(1, **CALL), span(2, **CALL))
    send(request, request)
    land(data)
    send(request)
    land(data)
    ledger = rows(data, "calls")
    assert [row["billable"] for row in ledger] == [True, True, False, False, False, False]
    assert {row["not_billable_because"] for row in ledger} == {None, "retransmitted"}


def test_a_record_that_cannot_be_decoded_costs_itself(data: Path, send: Callable[..., None]) -> None:
    """It is put aside with the reason, counted, and its neighbours land."""
    send(trace(span(1, **CALL)), b"\x0a\xffnonsense", trace(span(2, **CALL)))
    one = land(data)
    assert [row["span_id"][-1] for row in rows(data, "calls")] == ["1", "2"]
    assert one.count(metrics.DEAD_LETTERS) == 1
    (facts,) = [json.loads(file.read_text()) for file in (data / "dead-letter").glob("*.json")]
    assert facts["journal_position"] == 1
    assert "ValueError" in facts["reason"]
    assert next((data / "dead-letter").glob("*.otlp")).read_bytes() == b"\x0a\xffnonsense"


def test_a_record_that_is_of_another_signal_costs_itself(data: Path, send: Callable[..., None]) -> None:
    """Read as spans, log records have no ids that a span must have."""
    send(event("anything", {"key": "value"}), trace(span(2, **CALL)))
    one = land(data)
    assert [row["span_id"][-1] for row in rows(data, "spans")] == ["2"]
    assert one.count(metrics.DEAD_LETTERS) == 1


def test_late_data_lands_in_its_own_day(data: Path, send: Callable[..., None]) -> None:
    began = time.time_ns() - 9 * DAY_NS
    send(trace(span(1, at_unix_nano=began, **CALL)))
    land(data)
    (call,) = rows(data, "calls")
    assert call["date"] == dt.datetime.fromtimestamp(began // 10**9, dt.UTC).date()
    assert call["start_unix_nano"] == began
    assert call["claimed_unix_nano"] is None


@pytest.mark.parametrize("claimed", [1, 2**63 + 7, 2**64 - 1, 900_000_000 * 10**9])
def test_an_absurd_clock_is_clamped_kept_and_counted(data: Path, send: Callable[..., None], claimed: int) -> None:
    send(trace(span(1, at_unix_nano=min(claimed, 2**64 - 1 - 2 * 10**8), **CALL)))
    one = land(data)
    (call,), (told,) = rows(data, "calls"), rows(data, "spans")
    for row in (call, told):
        assert row["start_unix_nano"] == row["received_unix_nano"]
        assert row["claimed_unix_nano"] == min(claimed, 2**64 - 1 - 2 * 10**8)
    assert one.count(metrics.CLAMPED, "traces") == 1


def test_content_lands_apart_from_the_meter_readings(data: Path, send: Callable[..., None]) -> None:
    said = {"gen_ai.input.messages": '[{"role": "user"}]', "gen_ai.conversation.id": "c-1"}
    send(trace(span(1, **CALL, **said)))
    send(event("gen_ai.user.message", {"gen_ai.system": "openai"}, {"content": "hello"}), signal=Signal.LOGS)
    land(data)
    of_span, of_log = rows(data, "content")
    assert (of_span["kind"], of_span["key"], of_span["value"]) == (
        "input",
        "gen_ai.input.messages",
        '[{"role": "user"}]',
    )
    assert (of_span["span_id"], of_span["conversation_id"]) == ("0000000000000001", "c-1")
    assert (of_log["key"], of_log["value"]) == ("body", '{"content": "hello"}')
    assert "gen_ai.input.messages" not in rows(data, "spans")[0]["attributes"]
    assert rows(data, "logs")[0]["body"] is None


def test_content_that_is_not_wanted_is_nowhere_and_counted(data: Path, send: Callable[..., None]) -> None:
    send(trace(span(1, **CALL, **{"gen_ai.input.messages": "a secret"})))
    send(event("gen_ai.user.message", {"gen_ai.system": "openai"}, {"content": "a secret"}), signal=Signal.LOGS)
    one = land(data, content=False)
    assert rows(data, "content") == []
    for table in ("spans", "logs", "calls"):
        assert "a secret" not in str(rows(data, table))
    assert one.count(metrics.CONTENT_LEFT_OUT) == 2


def test_all_that_landed_passed_through_redaction(data: Path, send: Callable[..., None]) -> None:
    send(trace(span(1, **CALL), span(2)))
    send(event("anything", {}), signal=Signal.LOGS)
    with landing(data) as one:
        one.lander.run(lambda: True)
        one.lander._readings.observe(0)
    for signal, items in (("traces", 2), ("logs", 1)):
        assert one.count(metrics.REDACTION_PASSED, signal) == one.count(metrics.LANDED_ITEMS, signal) == items


def test_a_cost_that_the_sender_reports_stands_where_ours_is_not_known(data: Path, send: Callable[..., None]) -> None:
    reported = {"taximeter.reported_cost_usd": 0.0123}
    send(trace(span(1, **CALL, **reported), span(2, **CALL | {"gen_ai.response.model": "nobody-knows"}, **reported)))
    land(data)
    known, unknown = rows(data, "calls")
    assert (known["cost_usd"], known["cost_status"]) == (Decimal(CALL_USD), "priced")
    assert known["reported_cost_usd"] == Decimal("0.0123")
    assert (unknown["cost_usd"], unknown["cost_status"]) == (Decimal("0.0123"), "reported")
    assert unknown["cost_reason"] == "unknown model"


def test_counts_that_cannot_be_true_are_said_and_not_put_right(data: Path, send: Callable[..., None]) -> None:
    send(trace(span(1, **CALL, **{"gen_ai.usage.cache_read.input_tokens": 5000})))
    land(data)
    (call,) = rows(data, "calls")
    assert (call["input_tokens"], call["cache_read_tokens"]) == (1000, 5000)
    assert (call["cost_usd"], call["cost_status"]) == (None, "inconsistent_usage")
    assert call["cost_reason"] == "cache_read_tokens + cache_write_tokens > input_tokens"


@pytest.mark.parametrize("batch_size", [1 << 16, 8 << 20])
def test_the_rows_do_not_depend_on_how_many_were_read_at_once(
    data: Path, send: Callable[..., None], batch_size: int
) -> None:
    requests = [trace(*(span(100 * at + number, trace_id=at, **CALL) for number in range(1, 60))) for at in range(1, 9)]
    send(*requests)
    land(data, batch_size=batch_size)
    ledger = rows(data, "calls")
    assert [row["span_id"] for row in ledger] == [
        f"{100 * at + number:016x}" for at in range(1, 9) for number in range(1, 60)
    ]
    assert sum(row["cost_usd"] for row in ledger) == 8 * 59 * Decimal(CALL_USD)


def test_a_lake_with_several_pieces_of_content_of_one_record_is_sound(data: Path, send: Callable[..., None]) -> None:
    said = {"gen_ai.input.messages": "[]", "gen_ai.output.messages": "[]", "gen_ai.system_instructions": "[]"}
    one = span(1, **CALL, **said)
    for name in ("gen_ai.content.prompt", "gen_ai.content.completion"):
        happened = one.events.add(name=name)
        happened.attributes.add(key="gen_ai.prompt").value.string_value = "hello"
    send(trace(one))
    land(data)
    pieces = {(row["source"], row["piece"]) for row in rows(data, "content")}
    assert len(rows(data, "content")) == len(pieces) == 5
    verdict = verify_table(data / "lake", "content")
    assert verdict.rows == 5
    assert verdict.problems == []


def test_a_number_that_no_column_holds_stops_nobody(data: Path, send: Callable[..., None]) -> None:
    send(trace(span(1, **CALL, **{"http.request.resend_count": 2**40})), trace(span(2, **CALL)))
    land(data)
    assert [row["attempt"] for row in rows(data, "calls")] == [None, None]


def test_a_record_that_fails_beyond_the_stages_is_found_and_put_aside(
    data: Path, send: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours that nobody knows of yet: whatever it is, the others land."""
    send(*(trace(span(number, trace_id=number, **CALL)) for number in (1, 2, 3)))

    def fails_over_the_second(calls: Any, book: Any) -> Any:
        if "0000000000000002" in calls["span_id"].to_pylist():
            raise ArithmeticError("nobody thought of this")
        return priced(calls, book)

    monkeypatch.setattr("taximeter_collector.land.lander.priced", fails_over_the_second)
    with landing(data) as one, pytest.raises(ArithmeticError):
        one.lander.run(lambda: True)
    with landing(data) as one:
        one.lander.run_one_by_one(lambda: False, 10)
    assert [row["span_id"][-1] for row in rows(data, "calls")] == ["1", "3"]
    assert [row["span_id"][-1] for row in rows(data, "spans")] == ["1", "3"]
    (facts,) = [json.loads(file.read_text()) for file in (data / "dead-letter").glob("*.json")]
    assert (facts["journal_position"], facts["reason"]) == (1, "ArithmeticError: nobody thought of this")
    land(data)
    assert len(rows(data, "calls")) == 2


def test_a_record_over_which_the_lander_died_again_and_again_is_put_aside(
    data: Path, send: Callable[..., None]
) -> None:
    send(trace(span(1, **CALL)), trace(span(2, **CALL)))
    deaths = Attempts(data)
    for _ in range(TOO_OFTEN):
        deaths.begin("record", 0)
    with landing(data) as one:
        one.lander.run_one_by_one(lambda: False, 10)
    assert [row["span_id"][-1] for row in rows(data, "calls")] == ["2"]
    assert (data / "dead-letter" / f"land-j-{0:016d}.otlp").read_bytes()


def test_deaths_are_counted_only_in_a_row_and_at_one_place(tmp_path: Path) -> None:
    attempts = Attempts(tmp_path)
    assert [attempts.begin("record", place) for place in (7, 7, 8, 7)] == [0, 1, 0, 0]
    assert [attempts.begin("cursor", 7), attempts.begin("record", 7)] == [0, 1]  # of two kinds
    attempts.over()
    assert [attempts.begin("cursor", 7), attempts.begin("record", 7)] == [0, 0]


def test_a_resource_of_thousands_of_attributes_is_not_repeated_a_thousandfold(
    data: Path, send: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taximeter_collector.decode.records.MOST_REPEATED", 100)
    resource = {"service.name": "shop"} | {f"key-{number}": number for number in range(50)}
    send(trace(*(span(number, **CALL) for number in range(1, 11)), resource=resource))
    one = land(data)
    assert [len(row["resource_attributes"]) for row in rows(data, "spans")] == [10] * 10
    assert {row["service_name"] for row in rows(data, "spans")} == {"shop"}
    assert one.count(metrics.LEFT_OUT) == 41


def test_more_points_than_a_row_group_has_land_without_the_beginnings_that_nobody_told(
    data: Path, send: Callable[..., None]
) -> None:
    message = ExportMetricsServiceRequest()
    metric = message.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    metric.gauge.data_points.extend([NumberDataPoint(time_unix_nano=time.time_ns(), as_int=1)] * 140_000)
    send(message.SerializeToString(), signal=Signal.METRICS)
    assert land(data).count(metrics.DEAD_LETTERS) == 0
    assert DeltaTable(data / "lake" / "metrics").to_pyarrow_table(columns=["start_unix_nano"]).num_rows == 140_000


def test_a_metric_that_only_repeats_others_measures_nothing_and_lands(data: Path, send: Callable[..., None]) -> None:
    """Gemini CLI tells its tokens twice, once by the conventions' name."""
    message = ExportMetricsServiceRequest()
    scope = message.resource_metrics.add().scope_metrics.add()
    scope.scope.name = "gemini-cli"
    for name in ("gen_ai.client.token.usage", "gemini_cli.session.count"):
        point = NumberDataPoint(time_unix_nano=time.time_ns(), as_int=1)
        scope.metrics.add(name=name).sum.data_points.append(point)
    send(message.SerializeToString(), signal=Signal.METRICS)
    land(data)
    measured = {row["name"]: row["measure"] for row in rows(data, "metrics")}
    assert measured == {"gen_ai.client.token.usage": None, "gemini_cli.session.count": "sessions"}


def test_rows_that_no_file_takes_cost_their_record_and_not_the_lake(
    data: Path, send: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another fault of ours that nobody knows of yet; it is not the disk's, so trying again would go on for ever."""
    send(*(trace(span(number, trace_id=number, **CALL)) for number in (1, 2, 3)))
    refused_by_parquet = pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()), pa.array([None], pa.string()))

    def unfit_second(*given: Any) -> Any:
        made = span_rows(*given)
        second = made["span_id"].to_pylist() == ["0000000000000002"]
        return made.set_column(made.column_names.index("name"), "name", refused_by_parquet) if second else made

    monkeypatch.setattr("taximeter_collector.land.stages.span_rows", unfit_second)
    with landing(data) as one:
        one.lander.run_one_by_one(lambda: False, 10)
    assert [row["span_id"][-1] for row in rows(data, "spans")] == ["1", "3"]
    (facts,) = [json.loads(file.read_text()) for file in (data / "dead-letter").glob("*.json")]
    assert facts["reason"].startswith("UnfitRows: spans: ")


def test_a_journal_that_cannot_be_read_leaves_the_lake_to_whoever_comes_next(data: Path) -> None:
    config = load({"data": str(data)}, {}).config
    work = process._Work(config)
    work.prepare()
    cursor = data / "journal" / "cursors" / "lander.json"
    cursor.unlink()
    cursor.mkdir()
    with pytest.raises(OSError) as error:  # which holds on to everything that was open
        work._land(False)
    assert str(cursor) in str(error.value)
    Lake.open(config.lake, Folder(data / "journal").identity()).close()


_KILLED_BY_THE_SECOND = """
import os, pathlib, sys
from taximeter_collector.configuration import load
from taximeter_collector.land import process
from taximeter_collector.land.stages import Stages

run = Stages.run
Stages.run = lambda self, records: os._exit(9) if any(one.position == 1 for one in records) else run(self, records)
config = load({"data": sys.argv[1]}, {}).config
config.run_folder.mkdir(exist_ok=True)
work = process._Work(config)
work.prepare()
work._between = lambda source: config.lake.dir.joinpath("stop").exists()
work._land(False)
"""


def test_a_record_that_kills_the_process_is_found_by_those_that_come_after_it(
    data: Path, send: Callable[..., None]
) -> None:
    """A real process each time, that dies of the record and is started again, as the supervisor does."""
    send(*(trace(span(number, trace_id=number, **CALL)) for number in (1, 2, 3)))
    (data / "lake").mkdir()
    deaths = 0
    while not list((data / "dead-letter").glob("*.json")):
        assert deaths < 3 * TOO_OFTEN, "it is never found"
        command = [sys.executable, "-c", _KILLED_BY_THE_SECOND, str(data)]
        process = subprocess.Popen(command)
        while process.poll() is None and not list((data / "dead-letter").glob("*.json")):
            time.sleep(0.05)
        if process.poll() is None:
            (data / "lake" / "stop").touch()
        deaths += process.wait() == 9
    assert deaths == 2 * TOO_OFTEN
    assert [row["span_id"][-1] for row in rows(data, "calls")] == ["1", "3"]
