"""`taximeter collect` as a process: how it starts, ends, is told things, and survives what happens to processes."""

from __future__ import annotations

import http.client
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from taximeter_collector.journal import Signal
from taximeter_collector.journal.segments import Cursor, Folder
from taximeter_collector.telemetry.metrics import BY_NAME

from tests.e2e.collector import (
    PATIENCE_S,
    Collector,
    NotStarted,
    clean_environment,
    collecting,
    command_path,
    free_port,
    until,
)
from tests.e2e.receiver import receiver
from tests.e2e.sending import REQUESTS, GrpcSender, HttpSender, Sender, spans

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")
Collect = Callable[..., Collector]


@pytest.fixture
def collect(tmp_path: Path) -> Iterator[Collect]:
    """Starts collectors, each with a data folder of its own unless told otherwise."""
    numbers = itertools.count(1)
    with ExitStack() as stack:

        def start(*arguments: str, data: Path | None = None, **options: Any) -> Collector:
            folder = data or tmp_path / f"data{next(numbers)}"
            return stack.enter_context(collecting(folder, *arguments, **options))

        yield start


def send(collector: Collector, payload: bytes, token: str = "") -> list[int | str]:
    """The same over both protocols; how each answers."""
    answers = []
    for sender in (HttpSender(collector.http, token), GrpcSender(collector.grpc, token)):
        with sender:
            answers.append(sender.send(payload).status)
    return answers


# It starts


def test_it_says_where_it_listens_and_takes_all_signals_there_over_both_protocols(collect: Collect) -> None:
    collector = collect()
    sent = {}
    for sender in (HttpSender(collector.http), GrpcSender(collector.grpc)):
        with sender:
            for name, make in REQUESTS.items():
                payload = make()
                sent[payload] = Signal[name.upper()]
                assert sender.send(payload, name).acknowledged
    assert {record.payload: record.signal for record in collector.journaled()} == sent
    assert collector.places["journal"] == str(collector.data / "journal")
    assert (collector.stop(), collector.said()) == (0, "")


@pytest.mark.parametrize(("off", "left"), [("http", "OTLP/gRPC"), ("grpc", "OTLP/HTTP")])
def test_either_protocol_can_be_off(collect: Collect, off: str, left: str) -> None:
    collector = collect(**{off: "off"})
    assert set(collector.places) == {left, "journal"}


def test_with_both_off_there_is_nothing_to_do(collect: Collect) -> None:
    with pytest.raises(NotStarted, match=r"both are off, so nothing could be received") as problem:
        collect(http="off", grpc="off")
    assert problem.value.code == 2


def test_settings_come_from_the_file_that_is_here_the_environment_and_flags(collect: Collect, tmp_path: Path) -> None:
    (tmp_path / "taximeter.toml").write_text('[receive]\nmax_request = "1KiB"\nmax_json_request = "1MiB"\n')
    collector = collect(
        "--set", "receive.memory=2MiB", environment={"TAXIMETER_RECEIVE_STATUS": "127.0.0.1:0"}, http="localhost:0"
    )
    assert set(collector.places) == {"OTLP/HTTP", "OTLP/gRPC", "status", "journal"}
    assert send(collector, spans(count=100)) == [413, "RESOURCE_EXHAUSTED"]


def test_folders_can_be_elsewhere(collect: Collect, tmp_path: Path) -> None:
    collector = collect("--journal", "elsewhere/journal")
    assert send(collector, spans()) == [200, "OK"]
    assert collector.journal == tmp_path / "elsewhere" / "journal"
    assert len(collector.journaled()) == 2


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_taken_port_is_told_of_and_nothing_is_left_running(tmp_path: Path, protocol: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        collector = Collector(tmp_path / "data", **{protocol: place})  # type: ignore[arg-type]
        with pytest.raises(NotStarted) as problem:
            collector.listening()
    assert problem.value.code == 1
    assert problem.value.said.startswith(f"taximeter: cannot listen at {place} (receive.{protocol})")
    assert problem.value.said.count("\n") == 1
    assert collector.is_gone()


def test_a_data_folder_has_one_collector(collect: Collect) -> None:
    first = collect()
    with pytest.raises(NotStarted) as problem:
        collect(data=first.data)
    assert problem.value.code == 1
    assert f"another collector uses the data folder {first.data}: stop it, or" in problem.value.said
    assert send(first, spans()) == [200, "OK"]
    assert first.metric("taximeter_process_memory_bytes", process="supervisor") > 0, "the second one tidied up after us"


def test_a_second_collector_is_refused_before_it_says_anything_about_the_folder(collect: Collect) -> None:
    first = collect()
    Folder(first.journal).set_cursor("forward-gone", Cursor(0, 0, 0))  # of a destination that is no more
    command = [command_path(), "collect", "--data", str(first.data), "--http", "127.0.0.1:0", "--grpc", "off"]
    second = subprocess.run(
        command, env=clean_environment(first.data.parent), capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode == 1
    assert second.stderr.splitlines() == [
        f"taximeter: another collector uses the data folder {first.data}: stop it, or give this one another --data"
    ]


def test_a_journal_has_one_writer(collect: Collect) -> None:
    first = collect()
    with pytest.raises(NotStarted) as problem:
        collect("--journal", str(first.journal))
    assert problem.value.code == 1
    assert f"another process writes the journal {first.journal}: stop it, or" in problem.value.said


def test_a_data_folder_that_cannot_be_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = subprocess.run(
        [command_path(), "collect", "--data", str(tmp_path / "file"), "--http", "127.0.0.1:0", "--grpc", "off"],
        env=clean_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "Not a directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_token_file_that_cannot_be_used_is_told_of(collect: Collect, tmp_path: Path) -> None:
    with pytest.raises(NotStarted, match=r"taximeter: cannot read the token file .*tokens") as problem:
        collect("--token-file", str(tmp_path / "tokens"))
    assert problem.value.code == 1


def test_a_worker_that_fails_at_its_first_start_ends_all_of_it(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "httptools.py").write_text("raise RuntimeError('broken install')")
    collector = Collector(tmp_path / "data", environment={"PYTHONPATH": str(broken)})
    with pytest.raises(NotStarted) as problem:
        collector.listening()
    assert problem.value.code == 1
    assert "broken install" in problem.value.said
    assert problem.value.said.endswith("taximeter: the receiver could not start; what it said is in the log\n")
    assert collector.is_gone()


def test_it_goes_on_if_nobody_listens_to_where_it_listens(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    port = free_port()
    process = subprocess.Popen(
        [command_path(), "collect", "--data", str(tmp_path / "data"), "--http", f"127.0.0.1:{port}", "--grpc", "off"],
        env=clean_environment(tmp_path),
        stdout=writing,
    )
    os.close(writing)
    try:
        answer = until(lambda: answered(port), "it does not listen")
        assert answer == 200
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0


def answered(port: int) -> int | None:
    with suppress(OSError, http.client.HTTPException), HttpSender(f"http://127.0.0.1:{port}") as sender:
        return int(sender.send(spans()).status)
    return None


# It ends


class Load:
    """Senders that go on until nobody answers any more; `acknowledged` is what they were told is on disk."""

    def __init__(self, collector: Collector) -> None:
        self.acknowledged: list[bytes] = []
        senders = [*(HttpSender(collector.http) for _ in range(2)), *(GrpcSender(collector.grpc) for _ in range(2))]
        self._threads = [threading.Thread(target=self._send, args=(sender,)) for sender in senders]
        for thread in self._threads:
            thread.start()

    def _send(self, sender: Sender) -> None:
        with sender, suppress(OSError, http.client.HTTPException):
            while sender.send(payload := spans(pad_bytes=5_000)).acknowledged:
                self.acknowledged.append(payload)

    def until(self, count: int) -> None:
        """Come back when so many were acknowledged."""
        until(lambda: len(self.acknowledged) >= count, "nothing is acknowledged")

    def end(self) -> list[bytes]:
        """What was acknowledged, now that nobody answers any more."""
        for thread in self._threads:
            thread.join(PATIENCE_S)
        assert not any(thread.is_alive() for thread in self._threads)
        return self.acknowledged


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_keeps_what_it_acknowledged_and_ends_well(collect: Collect, number: signal.Signals) -> None:
    collector = collect()
    load = Load(collector)
    load.until(100)
    assert collector.stop(number) == 0
    acknowledged = load.end()
    journaled = [record.payload for record in collector.journaled()]
    assert len(journaled) == len(set(journaled))
    assert set(acknowledged) <= set(journaled)
    assert collector.said() == ""
    assert collector.is_gone()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_told_to_end_again_and_again_it_ends_as_well_as_when_told_once(
    collect: Collect, number: signal.Signals
) -> None:
    """To the last moment of its process; a supervisor of services takes any other exit code for a failure."""
    collector = collect()
    assert send(collector, spans()) == [200, "OK"]
    collector.process.terminate()
    while collector.process.poll() is None:
        collector.process.send_signal(number)
        time.sleep(0.002)  # nobody's finger is faster
    assert collector.process.returncode == 0
    assert "Traceback" not in collector.said()
    assert len(collector.journaled()) == 2


def test_requests_that_are_under_way_are_answered_before_it_ends(collect: Collect) -> None:
    collector = collect()
    payload, place = spans(pad_bytes=1000), urlsplit(collector.http)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=PATIENCE_S) as slow:
        slow.sendall(_head(len(payload)) + payload[:500])
        until(lambda: _connections(collector) == 1, "not connected")
        collector.process.terminate()
        until(lambda: _is_refused(place.port or 0), "it still takes connections")
        slow.sendall(payload[500:])
        answer = b"".join(iter(lambda: slow.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection: close" in answer
    assert collector.stop() == 0
    assert [record.payload for record in collector.journaled()] == [payload]


def _connections(collector: Collector) -> float:
    """Without the one that asks."""
    return collector.metric("taximeter_receiver_connections") - 1


def _head(size: int) -> bytes:
    lines = ("POST /v1/traces HTTP/1.1", "host: x", "content-type: application/x-protobuf", f"content-length: {size}")
    return "\r\n".join((*lines, "", "")).encode()


def _is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return True
    return False


def test_a_request_that_never_comes_to_its_end_does_not_hold_it_up_for_ever(collect: Collect) -> None:
    collector = collect("--set", "receive.drain_timeout=100ms")
    place = urlsplit(collector.http)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=PATIENCE_S) as stuck:
        stuck.sendall(_head(9) + b"!")
        until(lambda: _connections(collector) == 1, "not connected")
        assert collector.stop() == 0


def test_ctrl_c_reaches_all_its_processes_and_ends_it_as_well(collect: Collect) -> None:
    collector = collect()
    assert send(collector, spans()) == [200, "OK"]
    os.killpg(collector.process.pid, signal.SIGINT)
    assert collector.process.wait(PATIENCE_S) == 0
    assert collector.said() == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_can_be_ended_while_it_starts(tmp_path: Path, number: signal.Signals) -> None:
    collector = Collector(tmp_path / "data")
    until(lambda: (collector.data / "run" / "supervisor.json").exists(), "it does not start")
    os.killpg(collector.process.pid, number) if number == signal.SIGINT else collector.process.send_signal(number)
    assert collector.process.wait(PATIENCE_S) == 0
    assert "Traceback" not in collector.said()
    assert collector.is_gone()
    collector.kill()


def test_without_its_supervisor_the_receiver_ends_by_itself_and_keeps_what_it_has(collect: Collect) -> None:
    collector = collect()
    load = Load(collector)
    load.until(50)
    collector.process.kill()
    acknowledged = load.end()
    until(collector.is_gone, "the receiver goes on without a supervisor")
    assert set(acknowledged) <= {record.payload for record in collector.journaled()}
    assert "damaged" not in collector.said()
    collect(data=collector.data)


# It goes on


def test_a_receiver_that_was_killed_is_back_on_its_ports_and_that_is_counted(collect: Collect) -> None:
    collector = collect()
    payloads = [spans(), spans(), spans()]
    for count, payload in enumerate(payloads, 1):
        assert send(collector, payload) == [200, "OK"]
        if count < len(payloads):
            collector.worker().kill()
            until(lambda count=count: _restarts(collector) == count, "it does not come back, or nobody counts")
    assert [record.payload for record in collector.journaled()] == [one for one in payloads for _ in (1, 2)]
    deaths = [event for event in collector.events() if event["event"] == "a process died and is started again"]
    assert [(event["worker"], event["reason"]) for event in deaths] == [("receiver", "killed by signal 9")] * 2
    assert deaths[0]["in_s"] < deaths[1]["in_s"]
    assert collector.stop() == 0


def _restarts(collector: Collector, worker: str = "receiver") -> float:
    try:
        return collector.metric("taximeter_process_restarts_total", process=worker)
    except OSError:
        return -1


def test_it_can_be_ended_while_it_waits_to_start_a_worker_again(collect: Collect) -> None:
    collector = collect()
    collector.worker().kill()
    until(lambda: "died" in collector.said(), "nobody has noticed")
    assert collector.stop() == 0


def test_a_receiver_that_was_killed_comes_back_as_soon_as_its_port_is_free(collect: Collect) -> None:
    collector = collect(grpc="off")
    port = urlsplit(collector.http).port or 0
    with until(lambda: _port_taken_from(collector, port), "the port stays taken"):
        until(lambda: "Address already in use" in collector.said(), "it does not say what keeps it from starting")
    until(lambda: _restarts(collector) >= 2, "it does not come back")


def _port_taken_from(collector: Collector, port: int) -> socket.socket | None:
    """Its port, taken while it is not there; it may be quicker to come back."""
    for process in collector.workers("receiver"):
        with suppress(psutil.Error):
            process.kill()
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError:
        return None


# It is told things


def test_on_sighup_it_takes_the_tokens_that_are_in_the_file_now(collect: Collect, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("# who may send\nshop old-token\n")
    collector = collect("--token-file", str(tokens))
    assert send(collector, spans(), "old-token") == [200, "OK"]
    assert send(collector, spans(), "new-token") == [401, "UNAUTHENTICATED"]

    tokens.write_text("till new-token\n")
    collector.process.send_signal(signal.SIGHUP)
    until(lambda: send(collector, spans(), "new-token") == [200, "OK"], "the new token is not known")
    assert send(collector, spans(), "old-token") == [401, "UNAUTHENTICATED"]

    tokens.write_text("nonsense\n")
    collector.process.send_signal(signal.SIGHUP)
    until(lambda: "kept the old tokens" in collector.said(), "it does not say that the file is wrong")
    assert send(collector, spans(), "new-token") == [200, "OK"]
    assert {record.sender for record in collector.journaled()} == {"shop", "till"}
    assert "new-token" not in collector.said()
    assert "old-token" not in collector.said()
    assert collector.stop() == 0


# It says things


def test_logs_are_json_and_there_is_none_for_a_request(collect: Collect) -> None:
    collector = collect()
    for _ in range(20):
        assert send(collector, spans()) == [200, "OK"]
        assert send(collector, b"nonsense") == [400, "INVALID_ARGUMENT"]
    collector.worker().kill()
    until(lambda: _restarts(collector) == 1, "it does not come back")
    (event,) = collector.events()
    assert {"time", "level", "process", "logger", "event"} <= set(event)
    assert (event["level"], event["process"]) == ("error", "supervisor")


def test_logs_can_be_for_a_person_instead(collect: Collect) -> None:
    collector = collect("--set", "log.format=text")
    collector.worker().kill()
    until(lambda: "error   supervisor: a process died and is started again  worker=receiver" in collector.said(), "")


def test_its_metrics_go_to_another_collector_with_a_token_that_only_the_environment_has(collect: Collect) -> None:
    other = collect(environment={"TAXIMETER_RECEIVE_TOKENS": "meter=top-secret"})
    collector = collect(
        "--set",
        f"telemetry.otlp_endpoint={other.http}",
        "--set",
        "telemetry.interval=1s",
        environment={"TAXIMETER_TELEMETRY_OTLP_HEADERS": "Authorization=Bearer%20top-secret"},
    )
    assert send(collector, spans(count=3)) == [200, "OK"]
    always = {name for name in BY_NAME if name.startswith(("taximeter.journal.", "taximeter.process."))}
    wanted = always - {name for name in BY_NAME if ".reader." in name or name.endswith(".restarts")}
    until(lambda: wanted <= set(_sent(other)) and _accepted(_sent(other)) == 6, "not all is told")
    sent = _sent(other)
    assert set(sent) <= set(BY_NAME)
    for name, (unit, is_sum, labels, _) in sent.items():
        known = BY_NAME[name]
        assert (unit, is_sum, labels) == (known.unit, known.kind == "counter", set(known.labels))
    assert {record.sender for record in other.journaled()} == {"meter"}
    assert "top-secret" not in collector.said() + other.said()
    assert collector.stop() == 0


def _accepted(sent: dict[str, tuple[str, bool, set[str], float]]) -> float:
    *_, total = sent.get("taximeter.receiver.accepted_items", (0,))
    return total


def _sent(collector: Collector) -> dict[str, tuple[str, bool, set[str], float]]:
    """The metrics that another collector has sent to this one: unit, kind, labels and the sum over the labels."""
    found = {}
    for record in collector.journaled():
        for resource in ExportMetricsServiceRequest.FromString(record.payload).resource_metrics:
            about = {item.key: item.value.string_value for item in resource.resource.attributes}
            assert about["service.name"] == "taximeter-collector"
            for metric in resource.scope_metrics[0].metrics:
                is_sum = metric.WhichOneof("data") == "sum"
                points = list((metric.sum if is_sum else metric.gauge).data_points)
                labels = {item.key for point in points for item in point.attributes}
                total = sum(point.as_int + point.as_double for point in points)
                found[metric.name] = (metric.unit, is_sum, labels, total)
    return found


def test_an_endpoint_that_never_answers_disturbs_neither_receiving_nor_the_end(collect: Collect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        collector = collect("--set", f"telemetry.otlp_endpoint={endpoint}", "--set", "telemetry.interval=1s")
        with silent.accept()[0]:
            assert send(collector, spans()) == [200, "OK"]
            assert collector.stop() == 0


def test_the_process_that_sends_metrics_is_started_again_when_it_dies(collect: Collect) -> None:
    with receiver() as kept:
        collector = collect("--set", f"telemetry.otlp_endpoint={kept.url}", "--set", "telemetry.interval=1s")
        receiving = collector.worker().pid
        collector.worker("telemetry").kill()
        until(lambda: _restarts(collector, "telemetry") == 1, "nobody noticed")
        until(lambda: "taximeter.process.restarts" in kept.metric_names(), "its successor sends nothing")
        assert collector.worker().pid == receiving
        assert collector.stop() == 0


def test_no_secret_is_in_the_arguments_of_its_processes_or_in_its_files(collect: Collect) -> None:
    collector = collect(environment={"TAXIMETER_RECEIVE_TOKENS": "shop=top-secret"})
    assert send(collector, spans(), "top-secret") == [200, "OK"]
    assert "top-secret" not in " ".join(psutil.Process(collector.worker().pid).cmdline())
    for file in (collector.data / "run").iterdir():
        with suppress(FileNotFoundError):  # what is just being written gets another name
            assert b"top-secret" not in file.read_bytes()
