"""A hundred thousand malformed requests at a real collector, while good neighbours go on over other connections.

    python tests/e2e/malformed.py --requests 100000

Real requests are damaged: as protobuf, as JSON, compressed, as HTTP, as gRPC messages, as HTTP/2 frames. At the end
there must be the same process, no more memory, no answer that blames us, and every good request in the journal, once.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import random
import socket
import struct
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import grpc
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from taximeter_collector.journal import Record, Signal

from tests.collector.receiving import JSON, PROTOBUF, AsProcess, Wire, as_process, request, spans, zstd

_PATIENCE_S = 30.0
_WORKERS = 5
_WARM_UP = 2000  # requests before memory is looked at for the first time
_GROWTH_BYTES = 32 << 20  # that allocators may keep
_METHODS = {
    Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    Signal.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
_PATHS = {Signal.TRACES: "/v1/traces", Signal.METRICS: "/v1/metrics", Signal.LOGS: "/v1/logs"}
_KINDS: dict[Signal, Any] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}
_OUR_FAULT = {"500", "HUNG", "INTERNAL", "UNKNOWN", "DEADLINE_EXCEEDED", "UNAVAILABLE"}


# What is damaged


def _attributes(container: Any) -> None:
    container.add(key="text").value.string_value = "some words \N{EURO SIGN}" * 3
    container.add(key="whole").value.int_value = -7
    container.add(key="part").value.double_value = 0.25
    container.add(key="raw").value.bytes_value = bytes(range(20))
    container.add(key="list").value.array_value.values.add().bool_value = True
    container.add(key="map").value.kvlist_value.values.add(key="inner").value.string_value = "x"


def _corpus() -> dict[Signal, bytes]:
    """A request of each signal in which about everything occurs."""
    traces, metrics, logs = (kind() for kind in _KINDS.values())
    resource = traces.resource_spans.add(schema_url="https://example.com/schema")
    _attributes(resource.resource.attributes)
    scope = resource.scope_spans.add()
    for number in range(1, 6):
        span = scope.spans.add(
            trace_id=number.to_bytes(16),
            span_id=number.to_bytes(8),
            name="chat model",
            kind=3,
            start_time_unix_nano=10**18,
        )
        _attributes(span.attributes)
        _attributes(span.events.add(name="event", time_unix_nano=10**18).attributes)
        _attributes(span.links.add(trace_id=b"t" * 16, span_id=b"s" * 8).attributes)
        span.status.message = "fine"
    found = metrics.resource_metrics.add().scope_metrics.add().metrics
    found.add(name="gauge").gauge.data_points.add(as_double=1.5, time_unix_nano=10**18)
    _attributes(found.add(name="sum").sum.data_points.add(as_int=3).attributes)
    found.add(name="histogram").histogram.data_points.add(bucket_counts=[1, 2, 3], explicit_bounds=[0.1, 1.0], count=6)
    exponential = found.add(name="exponential").exponential_histogram.data_points.add(scale=-2, zero_count=1)
    exponential.positive.bucket_counts.extend([1, 0, 300])
    found.add(name="summary").summary.data_points.add(count=2).quantile_values.add(quantile=0.5, value=1.0)
    for severity in range(1, 6):
        record = logs.resource_logs.add().scope_logs.add().log_records.add(severity_number=severity, event_name="e")
        record.body.string_value = "what happened"
        _attributes(record.attributes)
    return {signal: one.SerializeToString() for signal, one in zip(_KINDS, (traces, metrics, logs), strict=True)}


class Damage:
    """Makes malformed things out of good ones; the same for the same seed."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self._binary = _corpus()
        self._text = {
            signal: json_format.MessageToJson(_KINDS[signal].FromString(body), indent=None).encode()
            for signal, body in self._binary.items()
        }

    def signal(self) -> Signal:
        return self._random.choice(list(Signal))

    def chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def choose(self, *among: Any) -> Any:
        return self._random.choice(among)

    def protobuf(self, signal: Signal) -> bytes:
        """Damaged as bytes; or whole, with records that cannot be what they claim."""
        if self.chance(0.3):
            return self._absurd(signal)
        return self.bytes(self._binary[signal], self._binary[self.signal()])

    def json(self, signal: Signal) -> bytes:
        """Damaged as text, or a document of which a part is something else."""
        if self.chance(0.5):
            return self.bytes(self._text[signal], self._text[self.signal()])
        document = json.loads(self._text[signal])
        for _ in range(self._random.randint(1, 3)):
            self._replace_somewhere(document)
        return json.dumps(document).encode()

    def compressed(self, signal: Signal) -> tuple[str, bytes]:
        """An encoding, and something that should be in it."""
        name, compress = self.choose(("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstd.compress))
        content = self.choose(self._binary[signal], self.protobuf(signal))
        data = compress(content)
        if self.chance(0.8):
            data = self.bytes(data, data)
        return (self.choose("gzip", "deflate", "zstd", "br", "gzip, gzip") if self.chance(0.1) else name), data

    def http(self, signal: Signal) -> bytes:
        """A whole request, damaged anywhere."""
        body = self._binary[signal]
        headers = {"content-type": self.choose(PROTOBUF, JSON)}
        if self.chance(0.3):
            headers["transfer-encoding"] = "chunked"
            half = len(body) // 2
            body = b"%x\r\n%b\r\n%x;a=b\r\n%b\r\n0\r\nt: x\r\n\r\n" % (half, body[:half], len(body) - half, body[half:])
        whole = request("POST", _PATHS[signal], body, headers)
        head = self.bytes(whole[: -len(body)], whole)
        return (head + body if self.chance(0.5) else self.bytes(whole, whole)) * self.choose(1, 1, 2)

    def frames(self) -> bytes:
        """HTTP/2, more or less."""
        sent = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0\0\0\x04\0\0\0\0\0"]
        for _ in range(self._random.randint(1, 8)):
            payload = self._random.randbytes(self.choose(0, 4, 5, 8, 9, 300))
            length = len(payload) if self.chance(0.9) else self._random.getrandbits(24)
            stream = self.choose(0, 1, 3, self._random.getrandbits(31))
            head = struct.pack(">I", length)[1:] + bytes(
                [self._random.randint(0, 12), self._random.choice((0, 1, 4, 5, 255))]
            )
            sent.append(head + struct.pack(">I", stream) + payload)
        whole = b"".join(sent)
        return whole if self.chance(0.7) else self.bytes(whole, whole)

    def bytes(self, data: bytes, other: bytes) -> bytes:
        """One to four injuries."""
        injured = bytearray(data)
        for _ in range(self._random.choice((1, 1, 1, 2, 4))):
            at = self._random.randrange(len(injured) + 1)
            end = min(len(injured), at + self._random.choice((1, 1, 2, 8, 100)))
            match self._random.randrange(8):
                case 0:
                    del injured[at:]
                case 1:
                    del injured[at:end]
                case 2:
                    injured[at:end] = self._random.randbytes(end - at)
                case 3:
                    injured[at:at] = injured[at:end]
                case 4:
                    injured[at:at] = self._random.choice(
                        (b"\xff" * 10, b"\0" * 10, b"\x80", b"\r\n", b"{[", b'"', b"\xf5TXR")
                    )
                case 5:
                    start = self._random.randrange(len(other) + 1)
                    injured[at:] = other[start:]
                case 6 if at < len(injured):
                    injured[at] ^= 1 << self._random.randrange(8)
                case _ if at < len(injured):
                    injured[at] = self._random.choice((0, 1, 0x7F, 0x80, 0xFF))
        return bytes(injured)

    def _absurd(self, signal: Signal) -> bytes:
        whole = _KINDS[signal].FromString(self._binary[signal])
        if signal is Signal.TRACES:
            for span in whole.resource_spans[0].scope_spans[0].spans:
                span.trace_id = self.choose(span.trace_id, b"", bytes(16), b"x" * 17)
                span.span_id = self.choose(span.span_id, b"", bytes(8), b"x" * 1000)
        elif signal is Signal.METRICS:
            for metric in whole.resource_metrics[0].scope_metrics[0].metrics:
                metric.name = self.choose(metric.name, "")
                if metric.HasField("histogram"):
                    metric.histogram.data_points[0].bucket_counts.extend(self.choose([], [1]))
        else:
            del whole.resource_logs[self._random.randrange(len(whole.resource_logs)) :]
        return bytes(whole.SerializeToString())

    def _replace_somewhere(self, document: Any) -> None:
        place = document
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                return
            key = self._random.choice(keys)
            if isinstance(place[key], (dict, list)) and self.chance(0.85):
                place = place[key]
            else:
                break
        place[key] = self.choose(
            None, -1, 2**64, 1e308, "", "x", "\ud800", True, [], {}, [[]], {"a": {}}, "9" * 30, float("nan")
        )


# Who sends it


@dataclass
class Outcome:
    """What became of it."""

    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def count(self, kind: str, answer: str, sent: bytes = b"") -> None:
        self.answers[kind, answer] += 1
        if answer in _OUR_FAULT:
            self.problems.append(f"{kind} was answered {answer}: {sent[:200]!r}")


class Rude:
    """One sender of malformed requests, with a connection that it keeps for as long as the collector does."""

    def __init__(self, place: AsProcess, damage: Damage, outcome: Outcome) -> None:
        self._place = place
        self._damage = damage
        self._outcome = outcome
        self._wire: Wire | None = None
        self._channel = grpc.insecure_channel(str(place.grpc), [("grpc.use_local_subchannel_pool", 1)])
        self._calls = {signal: self._channel.unary_unary(method) for signal, method in _METHODS.items()}
        self._ways: list[Callable[[], None]] = [
            *[self.protobuf] * 5,
            *[self.json] * 5,
            *[self.compressed] * 4,
            *[self.http] * 3,
            *[self.grpc] * 3,
            self.frames,
        ]

    def send(self) -> None:
        self._damage.choose(*self._ways)()

    def close(self) -> None:
        if self._wire:
            self._wire.close()
        self._channel.close()

    def protobuf(self) -> None:
        signal = self._damage.signal()
        self._post("protobuf", signal, self._damage.protobuf(signal), {"content-type": PROTOBUF})

    def json(self) -> None:
        signal = self._damage.signal()
        self._post("json", signal, self._damage.json(signal), {"content-type": JSON})

    def compressed(self) -> None:
        signal = self._damage.signal()
        encoding, body = self._damage.compressed(signal)
        self._post("compressed", signal, body, {"content-type": PROTOBUF, "content-encoding": encoding})

    def http(self) -> None:
        """Over a connection of its own, at the end of which we hear what was answered first."""
        data = self._damage.http(self._damage.signal())
        said = self._say(self._place.http.port, data)
        answer = said[9:12].decode("latin-1") if said.startswith(b"HTTP/1.1 ") else "closed"
        self._outcome.count("http", answer if said != b"HUNG" else "HUNG", data)

    def frames(self) -> None:
        data = self._damage.frames()
        said = self._say(self._place.grpc.port, data)
        self._outcome.count("frames", "HUNG" if said == b"HUNG" else "closed", data)

    def grpc(self) -> None:
        signal = self._damage.signal()
        message = self._damage.protobuf(signal) if self._damage.chance(0.7) else self._damage.compressed(signal)[1]
        try:
            self._calls[signal](
                message, timeout=_PATIENCE_S, compression=self._damage.choose(None, grpc.Compression.Gzip)
            )
            self._outcome.count("grpc", "OK")
        except grpc.RpcError as error:
            self._outcome.count("grpc", error.code().name, message)

    def _post(self, kind: str, signal: Signal, body: bytes, headers: dict[str, str]) -> None:
        self._wire = self._wire or Wire(self._place.http)
        self._wire.send(request("POST", _PATHS[signal], body, headers))
        try:
            answer = self._wire.answer()
        except TimeoutError:
            self._outcome.count(kind, "HUNG", body)
            self._wire = None
            return
        self._outcome.count(kind, str(answer.status), body)
        if answer.headers.get("connection") == "close":
            self._wire.close()
            self._wire = None

    def _say(self, port: int, data: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", port), _PATIENCE_S) as connection:
            said = b""
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while more := connection.recv(1 << 16):
                    said += more
            except TimeoutError:
                return b"HUNG"
            except OSError:
                pass  # it has closed on us; what it said before counts
            return said


@dataclass
class Neighbour:
    """Someone who sends only good requests, one after another over one connection, and never has to try again."""

    name: str
    export: Callable[[bytes], bool]
    sent: list[bytes] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    slowest_s: float = 0.0

    def live(self, done: threading.Event) -> None:
        while not done.wait(0.005):
            body = spans(3)
            started = time.monotonic()
            try:
                if self.export(body):
                    self.sent.append(body)
                else:
                    self.failures.append("was not answered OK")
            except Exception as error:
                self.failures.append(repr(error))
                return
            self.slowest_s = max(self.slowest_s, time.monotonic() - started)


def _over_http(wire: Wire, body: bytes) -> bool:
    wire.send(request("POST", "/v1/traces", body, {"content-type": PROTOBUF}))
    return wire.answer().status == 200


# The run


def run(requests: int, seed: int = 1, tell: Callable[[str], object] = print) -> list[str]:
    """Send as many; what went wrong."""
    with tempfile.TemporaryDirectory() as folder, as_process(Path(folder)) as place, contextlib.ExitStack() as stack:
        wire = stack.enter_context(place.wire())
        channel = stack.enter_context(grpc.insecure_channel(str(place.grpc), [("grpc.use_local_subchannel_pool", 1)]))
        call = channel.unary_unary(_METHODS[Signal.TRACES])
        neighbours = [
            Neighbour("http", lambda body: _over_http(wire, body)),
            Neighbour("grpc", lambda body: call(body, timeout=_PATIENCE_S) == b""),
        ]
        done = threading.Event()
        living = [threading.Thread(target=neighbour.live, args=[done]) for neighbour in neighbours]
        for thread in living:
            thread.start()
        process = place.receiver
        outcome = Outcome()
        try:
            _attack(place, min(_WARM_UP, requests), f"{seed} warming up", outcome)
            before, started = place.rss, time.monotonic()
            _attack(place, requests - min(_WARM_UP, requests), f"{seed}", outcome)
            took_s = time.monotonic() - started
        finally:
            done.set()
            for thread in living:
                thread.join()
        problems = outcome.problems
        if not process.is_running() or place.receiver.pid != process.pid:
            problems.append("the receiver is not the process that it was")
        after = place.rss
        in_use = place.metric("taximeter_receiver_memory_in_use_bytes")
        records = place.records()
        _report(outcome, neighbours, records, tell)
        tell(f"{requests} requests in {took_s:.0f} s and a warm-up; pid {process.pid}, then {place.receiver.pid}")
        tell(f"memory: {before / 1e6:.0f} MB before, {after / 1e6:.0f} MB after; {in_use:.0f} bytes of bodies in use")
        if after > before + _GROWTH_BYTES:
            problems.append(f"memory grew from {before} to {after} bytes")
        if in_use:
            problems.append(f"{in_use:.0f} bytes are still counted as in use")
        problems += [problem for neighbour in neighbours for problem in _of(neighbour, records)]
        problems += _unreadable(records)
        if code := place.stop():
            problems.append(f"the collector ended with {code}")
    return problems


def _attack(place: AsProcess, requests: int, seed: str, outcome: Outcome) -> None:
    """As many requests, by several senders at a time."""
    shares = [requests // _WORKERS + (worker < requests % _WORKERS) for worker in range(_WORKERS)]
    outcomes = [Outcome() for _ in shares]

    def work(worker: int) -> None:
        rude = Rude(place, Damage(f"{seed} {worker}"), outcomes[worker])
        try:
            for _ in range(shares[worker]):
                rude.send()
        except Exception as error:
            outcomes[worker].problems.append(f"a sender failed: {error!r}")
        finally:
            rude.close()

    threads = [threading.Thread(target=work, args=[worker]) for worker in range(_WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in outcomes:
        outcome.answers += one.answers
        outcome.problems += one.problems


def _report(
    outcome: Outcome, neighbours: list[Neighbour], records: list[Record], tell: Callable[[str], object]
) -> None:
    kinds = sorted({kind for kind, _ in outcome.answers})
    for kind in kinds:
        answers = sorted((answer, count) for (of, answer), count in outcome.answers.items() if of == kind)
        total = sum(count for _, count in answers)
        tell(f"{kind:10} {total:7}  " + "  ".join(f"{answer}: {count}" for answer, count in answers))
    for neighbour in neighbours:
        tell(
            f"neighbour over {neighbour.name}: {len(neighbour.sent)} acknowledged, {len(neighbour.failures)} failed, "
            f"slowest {neighbour.slowest_s * 1000:.0f} ms"
        )
    tell(f"journal: {len(records)} records")


def _of(neighbour: Neighbour, records: list[Record]) -> list[str]:
    """What is wrong with what a neighbour sent."""
    times = Counter(record.payload for record in records)
    problems = [f"the neighbour over {neighbour.name}: {failure}" for failure in neighbour.failures]
    if wrong := [times[body] for body in neighbour.sent if times[body] != 1]:
        problems.append(f"the neighbour over {neighbour.name}: {len(wrong)} requests are there {set(wrong)} times")
    if not neighbour.sent:
        problems.append(f"the neighbour over {neighbour.name}: sent nothing")
    return problems


def _unreadable(records: list[Record]) -> list[str]:
    """Whatever was accepted can be read."""
    problems = []
    for record in records:
        try:
            _KINDS[record.signal].FromString(record.payload)
        except DecodeError as error:
            problems.append(f"record {record.position} cannot be read: {error}")
    return problems


def main() -> int:
    """Run it from the command line; 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description="Malformed requests at a real collector.")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    problems = run(given.requests, given.seed)
    for problem in problems[:20]:
        print(f"PROBLEM: {problem}")
    print(f"{len(problems)} problems" if problems else "all is well")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
