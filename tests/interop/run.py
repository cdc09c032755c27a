"""A real OpenTelemetry Collector between a client and Taximeter: `python tests/interop/run.py`.

A client sends spans, points and log records to the Collector, over gRPC and HTTP. The Collector forwards them to
`taximeter collect`, over gRPC and HTTP again, with each of its compressions. What the journal has must be what was
sent, twice, with its resource and scope. What is not supported must be refused so that the Collector says why.

    --collector PATH    a Collector that was built before; otherwise `.interop/` has one, or one is built there with Go
    --examples FOLDER   also send the specification's JSON examples: `examples/` of a checkout of opentelemetry-proto
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.e2e.collector import Collector, collecting, records, until  # noqa: E402
from tests.e2e.otlp_json import KINDS, protobuf_of, signal_of  # noqa: E402
from tests.e2e.sending import REQUESTS, GrpcSender, HttpSender  # noqa: E402

HERE = Path(__file__).parent
BUILDER = "go.opentelemetry.io/collector/cmd/builder@v0.161.0"
BUILD = ROOT / ".interop"
REQUESTS_EACH, ITEMS_EACH = 20, 50
_CONTAINERS = {
    "traces": ("resource_spans", "scope_spans", "spans"),
    "metrics": ("resource_metrics", "scope_metrics", "metrics"),
    "logs": ("resource_logs", "scope_logs", "log_records"),
}

Item = tuple[bytes, bytes, bytes]


@dataclass(frozen=True)
class Round:
    """One way of forwarding. `refused_http` and `refused_grpc` are what the Collector's log must say of it, if so."""

    grpc: str
    http: str
    refused_grpc: str = ""
    refused_http: str = ""


_BY_GRPC_ITSELF = "Error parsing 'grpc-encoding' metadata"  # its library knows gzip and deflate only
ROUNDS = (
    Round("gzip", "gzip"),
    Round("none", "none"),
    Round("gzip", "zstd"),
    Round("none", "deflate"),
    Round("none", "zlib"),
    Round("zstd", "gzip", refused_grpc=_BY_GRPC_ITSELF),
    Round("snappy", "gzip", refused_grpc=_BY_GRPC_ITSELF),
    Round("gzip", "snappy", refused_http="content-encoding 'snappy' is not supported"),
)


def build() -> Path:
    """The Collector of `manifest.yaml`, made from its Go modules."""
    binary = BUILD / "_build" / "otelcol-small"
    if not binary.exists():
        BUILD.mkdir(exist_ok=True)
        shutil.copy(HERE / "manifest.yaml", BUILD)
        print(f"building {binary.relative_to(ROOT)}: this takes some minutes", flush=True)
        subprocess.run(["go", "run", BUILDER, "--config", "manifest.yaml"], cwd=BUILD, check=True)
    return binary


@contextmanager
def forwarding(binary: Path, collector: Collector, compressions: Round, log: Path) -> Iterator[tuple[str, str]]:
    """A Collector that forwards to ours; where it listens for gRPC and HTTP."""
    for_grpc, for_http = _free_port(), _free_port()
    environment = os.environ | {
        "IN_GRPC": f"127.0.0.1:{for_grpc}",
        "IN_HTTP": f"127.0.0.1:{for_http}",
        "OUT_GRPC": collector.grpc,
        "OUT_HTTP": collector.http,
    }
    command = [str(binary), "--config", str(HERE / "forward.yaml")]
    for exporter, compression in (("otlp_grpc", compressions.grpc), ("otlp_http", compressions.http)):
        command += ["--config", f"yaml:exporters::{exporter}::compression: {compression}"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    try:
        until(lambda: process.poll() is not None or _listens(for_http), "the Collector does not start")
        if process.poll() is not None:
            raise SystemExit(f"the Collector ended with {process.returncode}:\n{log.read_text()}")
        yield f"127.0.0.1:{for_grpc}", f"http://127.0.0.1:{for_http}"
    finally:
        process.terminate()
        process.wait(60)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def items(signal: str, payload: bytes) -> Iterator[Item]:
    """Each span, point or log record with its resource and scope, as bytes that are the same for the same content."""
    of_resource, of_scope, of_items = _CONTAINERS[signal]
    for resource in getattr(KINDS[signal].FromString(payload), of_resource):
        for scope in getattr(resource, of_scope):
            for item in getattr(scope, of_items):
                for one in _points(item) if signal == "metrics" else (item,):
                    parts = (resource.resource, scope.scope, one)
                    first, second, third = (part.SerializeToString(deterministic=True) for part in parts)
                    yield first, second, third


def _points(metric: Any) -> Iterator[Any]:
    """The metric with one point at a time: a Collector may put those of several requests together."""
    for point in metric.sum.data_points:
        alone = type(metric)()
        alone.CopyFrom(metric)
        del alone.sum.data_points[:]
        alone.sum.data_points.append(point)
        yield alone


def send(grpc_target: str, http_url: str) -> dict[str, Counter[Item]]:
    """All signals over both protocols; what was sent."""
    sent: dict[str, Counter[Item]] = {signal: Counter() for signal in REQUESTS}
    for sender in (GrpcSender(grpc_target), HttpSender(http_url)):
        with sender:
            for signal, make in REQUESTS.items():
                for number in range(REQUESTS_EACH):
                    payload = make(f"{signal} {number}", ITEMS_EACH)
                    assert sender.send(payload, signal).acknowledged
                    sent[signal].update(items(signal, payload))
    return sent


def run_round(binary: Path, folder: Path, compressions: Round) -> bool:
    """Send, wait, compare; whether all is as it should be."""
    folder.mkdir()
    log = folder / "otelcol.log"
    with collecting(folder / "data") as collector:
        with forwarding(binary, collector, compressions, log) as (grpc_target, http_url):
            sent = send(grpc_target, http_url)
            wanted = sum(items.total() for items in sent.values())
            ways = {"grpc": compressions.refused_grpc, "http": compressions.refused_http}
            for way, refusal in ways.items():
                if refusal:
                    until(lambda text=refusal: text in log.read_text(), f"{way}: the Collector does not say so")
                else:
                    until(lambda way=way: _accepted(collector, way) >= wanted, f"{way}: not all arrives; see {log}")
        print(f"compression: gRPC {compressions.grpc}, HTTP {compressions.http}")
        good = _compare(collector, sent, ways)
        for way, refusal in ways.items():
            if refusal:
                print(f"  {way}: the Collector says: {_line_with(refusal, log)}")
    return good


def _accepted(collector: Collector, way: str, **labels: str) -> float:
    return collector.metric("taximeter_receiver_accepted_items_total", transport=way, **labels)


def _line_with(text: str, log: Path) -> str:
    line = next(line for line in log.read_text().splitlines() if text in line)
    error = json.loads(line[line.index("{") :]).get("error", line)
    return str(error)


def _compare(collector: Collector, sent: dict[str, Counter[Item]], ways: dict[str, str]) -> bool:
    found: dict[str, Counter[Item]] = {signal: Counter() for signal in REQUESTS}
    for record in records(collector.journal):
        signal = record.signal.name.lower()
        found[signal].update(items(signal, record.payload))
    open_ways = [way for way, refusal in ways.items() if not refusal]
    good = True
    for signal, those in sent.items():
        arrived = {way: int(_accepted(collector, way, signal=signal)) for way in ways}
        alike = found[signal] == Counter({item: count * len(open_ways) for item, count in those.items()})
        as_wanted = alike and all(arrived[way] == (those.total() if way in open_ways else 0) for way in ways)
        print(
            f"  {signal:<8} sent {those.total():>6,}   arrived over gRPC {arrived['grpc']:>6,}   over HTTP "
            f"{arrived['http']:>6,}   {'as it should be' if as_wanted else 'NOT AS IT SHOULD BE'}"
        )
        good = good and as_wanted
    return good


def run_examples(folder: Path, examples: Path) -> bool:
    """Send each document, and compare what the journal has with what it means."""
    good = True
    with collecting(folder / "data") as collector, HttpSender(collector.http) as sender:
        for file in sorted(examples.glob("*.json")):
            document = json.loads(file.read_bytes())
            signal = signal_of(document)
            answer = sender.send(file.read_bytes(), signal, content_type="application/json")
            expected = protobuf_of(document)
            *_, record = records(collector.journal)
            found = KINDS[signal].FromString(record.payload)
            as_wanted = (answer.status, answer.message, found) == (200, "{}", expected)
            verdict = "as meant" if as_wanted else "NOT AS MEANT"
            print(f"  {file.name:<14} {signal:<8} {answer.status} {answer.message}   {verdict}")
            good = good and as_wanted
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collector", type=Path)
    parser.add_argument("--examples", type=Path)
    given = parser.parse_args()
    binary = given.collector or build()
    print(subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.strip())
    results = []
    with tempfile.TemporaryDirectory(prefix="taximeter-interop-") as temporary:
        for number, compressions in enumerate(ROUNDS):
            results.append(run_round(binary, Path(temporary) / str(number), compressions))
        if given.examples:
            print("the specification's own examples, over HTTP in JSON")
            (Path(temporary) / "examples").mkdir()
            results.append(run_examples(Path(temporary) / "examples", given.examples))
    print("PASSED" if all(results) else "FAILED")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
