"""What accepting a span costs: checked, journaled, synced, acknowledged. In CPU time of the whole collector.

    python bench/collector.py                                   # over HTTP and gRPC, plain and gzip; and latency
    python bench/collector.py --otelcol PATH                    # beside an OpenTelemetry Collector with a queue on disk
    python bench/collector.py --soak-minutes 10                 # memory and rate over time

Four senders send requests of 512 spans as fast as they are answered. CPU is user and system time of all processes of
the collector, so the figures hold on a machine with other things to do; rates are medians of `--rounds`. Latency is
that of one sender with one span a request, 50 requests a second.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import psutil
from payloads import spans_request

SPANS = 512
SENDERS = 4
METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

Send = Callable[[bytes], bool]


@dataclass(frozen=True)
class Collector:
    """One that runs: its process, where it listens, and how often it has been seen to sync."""

    name: str
    process: psutil.Process
    http: str
    grpc: str

    def cpu_s(self) -> float:
        times = [one.cpu_times() for one in self.processes()]
        return sum(time.user + time.system for time in times)

    def memory_bytes(self) -> int:
        return sum(one.memory_info().rss for one in self.processes())

    def processes(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


@contextmanager
def taximeter() -> Iterator[Collector]:
    """A collector that receives only, on free ports and a data folder of its own."""
    # Nothing reads this journal; dropping what is oldest keeps a long run from filling the disk.
    settings = ("land.enabled=false", "journal.max_size=2GiB", "journal.at_limit=drop-oldest")
    with tempfile.TemporaryDirectory(prefix="taximeter-bench-") as data, started(data, *settings) as collector:
        yield collector


@contextmanager
def started(data: str, *settings: str) -> Iterator[Collector]:
    """A collector as anyone starts it, with these settings."""
    command = [sys.executable, "-m", "taximeter_cli.main", "collect", "--data", data]
    command += ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]
    for one in (*settings, "log.level=error"):
        command += ["--set", one]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        places = {line.split()[0]: line.split()[1] for line in (process.stdout.readline() for _ in range(2))}
        yield Collector("taximeter", psutil.Process(process.pid), places["OTLP/HTTP"], places["OTLP/gRPC"])
    finally:
        process.terminate()
        process.wait()


@contextmanager
def otelcol(binary: str, config: Path, *, sends: bool) -> Iterator[Collector]:
    """An OpenTelemetry Collector whose sending queue is on disk. It sends to a place that keeps nothing, or nowhere."""
    store = tempfile.mkdtemp(prefix="otelcol-bench-")
    ports = [_free_port() for _ in range(3)]
    beside = [subprocess.Popen([sys.executable, __file__, "--sink", str(ports[2])])] if sends else []
    environment = os.environ | {
        "IN_HTTP": f"127.0.0.1:{ports[0]}",
        "IN_GRPC": f"127.0.0.1:{ports[1]}",
        "OUT_HTTP": f"http://127.0.0.1:{ports[2]}",
        "STORE": store,
    }
    process = subprocess.Popen([binary, "--config", str(config)], env=environment, stderr=subprocess.DEVNULL)
    try:
        _await_port(ports[0])
        places = (f"http://127.0.0.1:{ports[0]}", f"127.0.0.1:{ports[1]}")
        name = f"otelcol, {config.stem}{', and sends' if sends else ''}"
        yield Collector(name, psutil.Process(process.pid), *places)
    finally:
        for one in (process, *beside):
            one.terminate()
            one.wait()
        shutil.rmtree(store)


def http_sender(place: str, *, compressed: bool = False) -> Send:
    """Sends over one connection."""
    connection = http.client.HTTPConnection(urlsplit(place).netloc)
    headers = {"content-type": "application/x-protobuf"} | ({"content-encoding": "gzip"} if compressed else {})

    def send(body: bytes) -> bool:
        connection.request("POST", "/v1/traces", body, headers)
        response = connection.getresponse()
        response.read()
        return response.status == 200

    return send


def grpc_sender(place: str, *, compressed: bool = False) -> Send:
    """Sends over one channel."""
    channel = grpc.insecure_channel(place, options=[("grpc.use_local_subchannel_pool", 1)])
    export = channel.unary_unary(METHOD)
    compression = grpc.Compression.Gzip if compressed else None

    def send(body: bytes) -> bool:
        try:
            export(body, compression=compression)
        except grpc.RpcError:
            return False
        return True

    return send


@dataclass(frozen=True)
class Load:
    """What a stretch of sending came to."""

    spans: int
    refused: int
    seconds: float
    cpu_s: float
    peak_bytes: int

    @property
    def spans_per_cpu_second(self) -> float:
        return self.spans / self.cpu_s


def load(collector: Collector, make_sender: Callable[[], Send], bodies: list[bytes], seconds: float) -> Load:
    """Send as fast as it is answered."""
    accepted, refused = [0] * SENDERS, [0] * SENDERS
    cpu, started = collector.cpu_s(), time.monotonic()
    stop = started + seconds

    def send_all(number: int) -> None:
        send, index = make_sender(), number
        while time.monotonic() < stop:
            if send(bodies[index % len(bodies)]):
                accepted[number] += 1
            else:
                refused[number] += 1
                time.sleep(0.05)
            index += 1

    threads = [threading.Thread(target=send_all, args=(number,)) for number in range(SENDERS)]
    for thread in threads:
        thread.start()
    peak = 0
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.2)
        peak = max(peak, collector.memory_bytes())
    elapsed = time.monotonic() - started
    time.sleep(1)  # what was put off is part of the cost
    return Load(sum(accepted) * SPANS, sum(refused), elapsed, collector.cpu_s() - cpu, peak)


def latencies_ms(send: Send, seconds: float) -> list[float]:
    """How long one span takes to be acknowledged, one after another."""
    body = spans_request(1)
    found = []
    for _ in range(int(seconds * 50)):
        started = time.perf_counter()
        assert send(body)
        found.append((time.perf_counter() - started) * 1000)
        time.sleep(0.02)
    return sorted(found)


def measure(collector: Collector, rounds: int, seconds: float) -> None:
    bodies = [spans_request(SPANS, seed) for seed in range(16)]
    packed = [gzip.compress(body, 1) for body in bodies]
    ways: list[tuple[str, Callable[[], Send], list[bytes]]] = [
        ("HTTP", lambda: http_sender(collector.http), bodies),
        ("HTTP, gzip", lambda: http_sender(collector.http, compressed=True), packed),
        ("gRPC", lambda: grpc_sender(collector.grpc), bodies),
        ("gRPC, gzip", lambda: grpc_sender(collector.grpc, compressed=True), bodies),
    ]
    for way, make_sender, payloads in ways:
        runs = [load(collector, make_sender, payloads, seconds) for _ in range(rounds)]
        rates = sorted(run.spans_per_cpu_second for run in runs)
        print(
            f"{collector.name:28} {way:11} {statistics.median(rates):10,.0f} spans per CPU second "
            f"({rates[0]:,.0f} to {rates[-1]:,.0f}), {statistics.median(run.spans / run.seconds for run in runs):,.0f} "
            f"spans/s, peak memory {max(run.peak_bytes for run in runs) / 1e6:.0f} MB, "
            f"{sum(run.refused for run in runs)} refused",
            flush=True,
        )
    for way, send in (("HTTP", http_sender(collector.http)), ("gRPC", grpc_sender(collector.grpc))):
        found = latencies_ms(send, seconds)
        p50, p99 = found[len(found) // 2], found[int(len(found) * 0.99)]
        print(f"{collector.name:28} {way:11} one span acknowledged in p50 {p50:.2f} ms, p99 {p99:.2f} ms", flush=True)


def soak(collector: Collector, minutes: float) -> None:
    bodies = [spans_request(SPANS, seed) for seed in range(16)]
    for minute in range(int(minutes)):
        make_sender = (lambda: http_sender(collector.http)) if minute % 2 else (lambda: grpc_sender(collector.grpc))
        run = load(collector, make_sender, bodies, 59)
        print(
            f"minute {minute + 1:3} over {'HTTP' if minute % 2 else 'gRPC'}: {run.spans:,} spans, "
            f"{run.refused} refused, {run.spans_per_cpu_second:,.0f} per CPU second, "
            f"memory at the end {collector.memory_bytes() / 1e6:.0f} MB, peak {run.peak_bytes / 1e6:.0f} MB",
            flush=True,
        )


def sink(port: int) -> None:
    """A server that answers OK to everything."""
    server = socket.create_server(("127.0.0.1", port))
    while True:
        connection, _ = server.accept()
        threading.Thread(target=_swallow, args=(connection,), daemon=True).start()


def _swallow(connection: socket.socket) -> None:
    file = connection.makefile("rb")
    while file.readline():
        length = 0
        while (line := file.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        file.read(length)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _await_port(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the OpenTelemetry Collector did not start")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--soak-minutes", type=float, default=0)
    parser.add_argument("--otelcol", help="the binary that tests/interop/run.py builds")
    parser.add_argument("--sink", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sink:
        sink(options.sink)
    with taximeter() as collector:
        if options.soak_minutes:
            soak(collector, options.soak_minutes)
        else:
            measure(collector, options.rounds, options.seconds)
    if options.otelcol:
        for config in sorted((Path(__file__).parent / "otelcol").glob("*.yaml")):
            for sends in (False, True):
                with otelcol(options.otelcol, config, sends=sends) as collector:
                    measure(collector, options.rounds, options.seconds)


if __name__ == "__main__":
    main()
