"""A receiver at work, in a thread or as the real process; and a client that says to it exactly what it is given."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self

import psutil
from google.protobuf import json_format
from google.rpc import error_details_pb2  # noqa: F401 - so that a RetryInfo in a Status can be read
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from taximeter_collector import configuration
from taximeter_collector.journal import JournalReader, Record
from taximeter_collector.receive.receiver import Listening, Receiver
from taximeter_collector.settings import Address

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = [
    "IN_CHUNKS",
    "JSON",
    "LOGS",
    "METRICS",
    "PROTOBUF",
    "TRACES",
    "TYPED",
    "Answer",
    "AsProcess",
    "Certificates",
    "Collect",
    "InThread",
    "Place",
    "Receive",
    "Wire",
    "as_process",
    "chunked",
    "compress_raw",
    "in_thread",
    "logs",
    "metrics",
    "request",
    "spans",
    "until",
    "watch",
    "zstd",
]

PROTOBUF, JSON = "application/x-protobuf", "application/json"
_PATIENCE_S = 60.0
_numbers = itertools.count(1)


def until(true: Callable[[], Any], what: str = "") -> Any:
    """Wait for a condition; its value."""
    deadline = time.monotonic() + _PATIENCE_S
    while not (value := true()):
        assert time.monotonic() < deadline, f"waited in vain for {what or true}"
        time.sleep(0.005)
    return value


@dataclass
class Place:
    """A receiver: where it listens, and what became of what it was sent."""

    folder: Path
    http: Address
    grpc: Address
    status: Address
    tls: ssl.SSLContext | None = None

    def records(self) -> list[Record]:
        """All that is in the journal."""
        reader = JournalReader(self.folder / "journal")
        found: list[Record] = []
        while more := reader.read(max_bytes=1 << 30):
            found += more
        reader.close()
        return found

    def payloads(self) -> list[bytes]:
        return [record.payload for record in self.records()]

    def metric(self, name: str, token: str = "", **labels: str) -> float:
        """A value from /metrics; 0 for what was never counted."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        answer = self.ask("GET", "/metrics", headers=headers)
        assert answer.status == 200, answer
        wanted = {f'{key}="{value}"' for key, value in labels.items()}
        return sum(
            float(value)
            for found, pairs, value in re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", answer.body.decode(), re.MULTILINE)
            if found == name and wanted <= set(pairs.split(","))
        )

    def wire(self) -> Wire:
        return Wire(self.http, self.tls)

    def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """One request on a connection of its own."""
        with self.wire() as wire:
            wire.send(request(method, path, body, headers))
            return wire.answer(with_body=method != "HEAD")

    def post(self, path: str, body: bytes, content_type: str = PROTOBUF, **headers: str) -> Answer:
        """One export request on a connection of its own; underscores in names of headers are hyphens."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return self.ask("POST", path, body, {"content-type": content_type} | named)

    def is_well(self) -> None:
        """It still takes what is good, and the good is in the journal."""
        body = spans()
        assert self.post("/v1/traces", body).status == 200
        assert body in self.payloads()


def request(method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """A request in HTTP/1.1, with its length unless the headers have something to say about that."""
    given = {"host": "collector"} | dict(headers or {})
    if "transfer-encoding" not in given and "content-length" not in given and (body or method == "POST"):
        given["content-length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


@dataclass
class Answer:
    """An answer in HTTP."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")

    @property
    def problem(self) -> Status:
        """The google.rpc.Status in the body, which must be what the content type says."""
        if self.content_type == PROTOBUF:
            return Status.FromString(self.body)
        assert self.content_type == JSON, self
        return json_format.Parse(self.body, Status())


class Wire:
    """A connection, to send bytes over as they are."""

    def __init__(self, address: Address, tls: ssl.SSLContext | None = None) -> None:
        self.socket = socket.create_connection((address.host, address.port), _PATIENCE_S)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self._file: IO[bytes] = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def offer(self, data: bytes) -> None:
        """Send what the other side may not want to read to its end."""
        try:
            self.socket.sendall(data)
        except OSError:
            pass

    def answer(self, *, with_body: bool = True) -> Answer:
        """The next answer."""
        line = self._file.readline()
        assert line.startswith(b"HTTP/1.1 "), line
        answer = Answer(int(line.split()[1]))
        while (header := self._file.readline().strip()) != b"":
            name, _, value = header.decode("latin-1").partition(":")
            answer.headers[name.strip().lower()] = value.strip()
        if with_body and answer.status >= 200:
            answer.body = self._file.read(int(answer.headers.get("content-length", 0)))
        return answer

    def is_ended(self) -> bool:
        """Wait for the other side to end the connection; whether it had nothing more to say."""
        try:
            return self._file.read(1) == b""
        except ConnectionError:
            return True

    def end_sending(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Go without a word."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()

    def close(self) -> None:
        self._file.close()
        self.socket.close()


@dataclass
class InThread(Place):
    """A receiver in a thread of this process, with an event loop of its own."""

    receiver: Receiver | None = None
    loop: asyncio.AbstractEventLoop | None = None

    def reload(self) -> None:
        assert self.receiver and self.loop
        done = threading.Event()
        self.loop.call_soon_threadsafe(lambda: (self.receiver and self.receiver.reload(), done.set()))
        assert done.wait(_PATIENCE_S)

    @property
    def memory(self) -> int:
        """What is counted as in use."""
        assert self.receiver
        return self.receiver._intake.memory.used


def config_of(folder: Path, environment: Mapping[str, str] | None, settings: Mapping[str, str]) -> configuration.Config:
    flags = {"data": str(folder), "receive.http": "127.0.0.1:0", "receive.grpc": "off"}
    flags |= {key.replace("__", "."): value for key, value in settings.items()}
    return configuration.load(flags, environment or {}).config


@contextmanager
def in_thread(
    folder: Path, *, environment: Mapping[str, str] | None = None, tls: ssl.SSLContext | None = None, **settings: str
) -> Iterator[InThread]:
    """A receiver with these settings, `receive__max_request="4KiB"`. At its end, no memory may be counted as in use."""
    config = config_of(folder, environment, settings)
    started, stopping = threading.Event(), asyncio.Event()
    place: list[InThread] = []
    failed: list[BaseException] = []

    async def work() -> None:
        receiver = Receiver(config.receive, config.journal, config.run_folder)
        listening = await receiver.start()
        place.append(_place(InThread, folder, listening, tls, receiver=receiver, loop=asyncio.get_running_loop()))
        started.set()
        await stopping.wait()
        await receiver.stop()

    def run() -> None:
        try:
            asyncio.run(work())
        except BaseException as error:
            failed.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=run)
    thread.start()
    started.wait(_PATIENCE_S)
    if failed:
        raise failed[0]
    try:
        yield place[0]
    finally:
        loop = place[0].loop
        assert loop
        if thread.is_alive():
            loop.call_soon_threadsafe(stopping.set)
        thread.join(_PATIENCE_S)
        assert not thread.is_alive()
    assert not failed
    assert place[0].memory == 0


def _place(kind: type[Any], folder: Path, listening: Listening, tls: ssl.SSLContext | None, **more: Any) -> Any:
    nowhere = Address("127.0.0.1", 0)
    return kind(folder, listening.http or nowhere, listening.grpc or nowhere, listening.status or nowhere, tls, **more)


@dataclass
class AsProcess(Place):
    """`taximeter collect`."""

    supervisor: psutil.Popen | None = None

    @property
    def receiver(self) -> psutil.Process:
        """The process that receives, below the supervisor."""
        assert self.supervisor
        return until(lambda: self.supervisor and self.supervisor.children(), "the receiver's process")[0]

    @property
    def rss(self) -> int:
        return int(self.receiver.memory_info().rss)

    def reload(self) -> None:
        assert self.supervisor
        self.supervisor.send_signal(signal.SIGHUP)

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        assert self.supervisor
        self.supervisor.terminate()
        return int(self.supervisor.wait(60))


@contextmanager
def as_process(
    folder: Path, *, environment: Mapping[str, str] | None = None, tls: ssl.SSLContext | None = None, **settings: str
) -> Iterator[AsProcess]:
    """`taximeter collect` on free ports, with these settings. Its log is in `log` below the folder."""
    given = {"receive__http": "127.0.0.1:0", "receive__grpc": "127.0.0.1:0"} | settings
    sets = [f"--set={key.replace('__', '.')}={value}" for key, value in given.items()]
    command = [sys.executable, "-m", "taximeter_cli.main", "collect", "--data", str(folder), *sets]
    with (folder / "log").open("wb") as log:
        supervisor = psutil.Popen(
            command, stdout=subprocess.PIPE, stderr=log, env={**os.environ, **(environment or {})}, text=True
        )
    try:
        places = {"HTTP": Address("127.0.0.1", 0), "gRPC": Address("127.0.0.1", 0), "status": Address("127.0.0.1", 0)}
        for line in supervisor.stdout:
            if found := re.match(r"(?:OTLP/)?(HTTP|gRPC|status) .*[ /]([\d.]+):(\d+)$", line):
                places[found[1]] = Address(found[2], int(found[3]))
            if line.startswith("journal"):
                break
        else:
            raise AssertionError((folder / "log").read_text())
        yield AsProcess(folder, *places.values(), tls, supervisor)
    finally:
        if supervisor.poll() is None:
            supervisor.terminate()
        supervisor.wait(60)
        supervisor.stdout.close()


def spans(count: int = 1, *, bad_trace_ids: int = 0, bad_span_ids: int = 0, padding: str = "") -> bytes:
    """An export request of spans, unlike all others."""
    whole = ExportTraceServiceRequest()
    resource = whole.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "tests"
    scope = resource.scope_spans.add()
    for index in range(count + bad_trace_ids + bad_span_ids):
        number = next(_numbers)
        span = scope.spans.add(name=f"span {number}{padding}", trace_id=number.to_bytes(16), span_id=number.to_bytes(8))
        if index < bad_trace_ids:
            span.trace_id = b"short"
        elif index < bad_trace_ids + bad_span_ids:
            span.span_id = bytes(8)
    return whole.SerializeToString()


def metrics(count: int = 1) -> ExportMetricsServiceRequest:
    """An export request of as many gauges, with two points each."""
    whole = ExportMetricsServiceRequest()
    scope = whole.resource_metrics.add().scope_metrics.add()
    for _ in range(count):
        metric = scope.metrics.add(name=f"metric.{next(_numbers)}")
        metric.gauge.data_points.add(as_int=1)
        metric.gauge.data_points.add(as_double=2.5)
    return whole


def logs(count: int = 1) -> bytes:
    """An export request of log records."""
    whole = ExportLogsServiceRequest()
    scope = whole.resource_logs.add().scope_logs.add()
    for _ in range(count):
        scope.log_records.add().body.string_value = f"log {next(_numbers)}"
    return whole.SerializeToString()


@dataclass(frozen=True)
class Certificates:
    """Files of an authority, of a server on localhost, and of a client."""

    folder: Path

    def make_authority(self) -> None:
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                      "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=tests",
                      "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip

    def make(self, name: str) -> None:
        """A key and a certificate for localhost, signed by the authority; with all that Python 3.13 asks for."""
        (self.folder / "extensions").write_text(
            "subjectAltName=DNS:localhost,IP:127.0.0.1\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
        )
        self._openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                      "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")  # fmt: skip
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                      "-out", f"{name}.pem", "-days", "2", "-extfile", "extensions")  # fmt: skip

    def encrypt(self, name: str, into: str) -> None:
        self._openssl("ec", "-in", f"{name}.key", "-aes128", "-passout", "pass:secret", "-out", f"{into}.key")

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def replace(self, name: str, other: str) -> None:
        """Put another key and certificate in the place of these."""
        for ending in ("key", "pem"):
            (self.folder / f"{name}.{ending}").write_bytes(self.read(f"{other}.{ending}"))

    def client(self, name: str = "") -> ssl.SSLContext:
        """What a client needs that trusts the authority, with a certificate of its own or without."""
        context = ssl.create_default_context(cafile=self.path("ca.pem"))
        if name:
            context.load_cert_chain(self.path(f"{name}.pem"), self.path(f"{name}.key"))
        return context

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)


Receive = Callable[..., InThread]
Collect = Callable[..., AsProcess]

TRACES, METRICS, LOGS = "/v1/traces", "/v1/metrics", "/v1/logs"
TYPED = {"content-type": PROTOBUF}
IN_CHUNKS = TYPED | {"transfer-encoding": "chunked"}


def compress_raw(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


def chunked(*pieces: bytes, extension: bytes = b"", trailer: bytes = b"") -> bytes:
    return (
        b"".join(b"%x%s\r\n%s\r\n" % (len(piece), extension, piece) for piece in pieces) + b"0\r\n" + trailer + b"\r\n"
    )


def watch(place: AsProcess, done: threading.Event, peak: list[int]) -> None:
    """How much memory it takes at most."""
    process = place.receiver
    while not done.wait(0.005):
        peak[0] = max(peak[0], process.memory_info().rss)
