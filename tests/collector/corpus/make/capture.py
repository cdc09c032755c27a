"""Keeps what a library sends over OTLP as an entry of the conformance corpus.

The other modules of this folder each run a real library against the loopback provider, in an environment of its own
(`python -m venv`; without Taximeter's meter), from the root of the repository, as modules, so that none hides the
library that it is named for:

    python -m tests.collector.corpus.make.openinference

    with Corpus("openinference", "openinference-instrumentation-openai", "openai") as corpus:
        OpenAIInstrumentor().instrument()
        with corpus.case("plain", "A call, whole."):
            OpenAI(api_key="k", base_url=corpus.loopback.url + "/v1").chat.completions.create(...)

writes `../openinference/openinference-instrumentation-openai-0.1.70-plain.json`. What a person has written into it,
`says` and the rows that must come of it (`calls`, `spans`, `metrics`, `content`), stays when it is made again.

What is not written in Python is run by

    python -m tests.collector.corpus.make.capture DIALECT LIBRARY VERSION CASE -- node script.mjs

and finds both addresses in its environment: OTEL_EXPORTER_OTLP_ENDPOINT and LOOPBACK_URL.

It needs `pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http` beside the library.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

CORPUS = Path(__file__).parents[1]
sys.path.insert(0, str(CORPUS.parents[2] / "cli"))

from taximeter_cli.loopback import Answer, Asked, Loopback, Reply  # noqa: E402 - it is not installed there

BY_HAND = ("says", "calls", "spans", "logs", "metrics", "content")
WIDTH = 160


class Sink:
    """An OTLP/HTTP server that takes protobuf and JSON, and keeps it as JSON with hexadecimal ids."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                signal = self.path.rstrip("/").rpartition("/")[2]
                kind = self.headers.get("content-type", "").partition(";")[0]
                outer.requests.append({"signal": signal, "otlp": _decoded(signal, kind, self._body())})
                answer = b"{}" if kind == "application/json" else b""
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def _body(self) -> bytes:
                if self.headers.get("transfer-encoding") == "chunked":
                    body = b""
                    while size := int(self.rfile.readline(), 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    body = self.rfile.read(int(self.headers["content-length"]))
                how = self.headers.get("content-encoding", "")
                return gzip.decompress(body) if how == "gzip" else zlib.decompress(body) if how == "deflate" else body

            def log_message(self, *args: Any) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Corpus:
    """Entries of one dialect from one library, for as long as the `with` lasts.

    `beside` are the packages that it was run with, for the record. With `providers`, the global providers of traces,
    logs and metrics are set, as an app would; metrics have delta temporality, so that each case has only its own. A
    library that sets up its own finds OTEL_EXPORTER_OTLP_ENDPOINT in the environment, and gives `flush`.
    """

    def __init__(
        self,
        dialect: str,
        library: str,
        *beside: str,
        providers: bool = True,
        flush: Callable[[], object] | None = None,
        library_version: str | None = None,
    ) -> None:
        self.dialect, self.library = dialect, library
        self.version = library_version or version(library)
        self.beside = beside
        self.sink, self.loopback = Sink(), Loopback()
        self._case, self._answered = "", 0
        answers = self.loopback.answers
        answers |= {path: self._with_its_own_ids(answer) for path, answer in answers.items()}
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = self.sink.url
        os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf"
        os.environ["LOOPBACK_URL"] = self.loopback.url
        self.flush = _set_providers() if providers else flush or (lambda: None)

    def __enter__(self) -> Self:
        self.loopback.__enter__()
        return self

    def __exit__(self, *how: object) -> None:
        self.loopback.__exit__(None, None, None)
        self.sink.close()

    @contextmanager
    def case(self, name: str, says: str, *, signals: tuple[str, ...] = ("traces", "logs")) -> Iterator[None]:
        """What is sent during the block becomes the entry `name`; metrics only if `signals` has them."""
        self.flush()
        self.sink.requests.clear()
        self._case, self._answered = name, 0
        yield
        self.flush()
        kept = [request for request in self.sink.requests if request["signal"] in signals]
        beside = " with " + ", ".join(f"{name} {version(name)}" for name in self.beside) if self.beside else ""
        ports = {self.loopback.port: 8080, self.sink.port: 4318}
        store(self.dialect, self.library, self.version, name, beside=beside, says=says, requests=scrubbed(kept, ports))

    def _with_its_own_ids(self, answer: Answer) -> Answer:
        """The provider calls all its answers by one name; no two real ones have the same."""

        def answered(asked: Asked) -> Reply:
            reply = answer(asked)
            self._answered += 1
            of = f"{self.dialect} {self.library} {self.version} {self._case} {self._answered}"
            its_own = rb"\g<1>" + hashlib.sha1(of.encode()).hexdigest()[:16].encode()
            reply.chunks = [_IDS.sub(its_own, chunk) if chunk[:1] != b"\0" else chunk for chunk in reply.chunks]
            reply.headers = {key: _IDS.sub(its_own, text.encode()).decode() for key, text in reply.headers.items()}
            return reply

        return answered


_IDS = re.compile(rb"\b(chatcmpl-|cmpl-|emb-|resp_|msg_|req_|gem-|coh-|rr-)1\b")


def store(
    dialect: str,
    library: str,
    library_version: str,
    case: str,
    *,
    requests: list[dict[str, Any]],
    says: str = "",
    beside: str = "",
    made: str = "run",
) -> Path:
    """Write an entry, if anything was sent; what somebody has written by hand into an older one stays."""
    path = CORPUS / dialect / f"{library.rpartition('/')[2]}-{library_version}-{case}.json"
    if not requests:
        print(f"{path.relative_to(CORPUS)}: nothing was sent")
        return path
    entry: dict[str, Any] = {"library": f"{library} {library_version}{beside}", "made": made, "says": says}
    entry |= {"requests": requests, "calls": []}
    if path.exists():
        before = json.loads(path.read_text())
        entry |= {key: before[key] for key in BY_HAND if before.get(key)}
    path.parent.mkdir(exist_ok=True)
    path.write_text(pretty(entry) + "\n")
    sent = ", ".join(request["signal"] for request in requests)
    print(f"{path.relative_to(CORPUS)}: {path.stat().st_size:,} bytes ({sent})")
    return path


# ---------------------------------------------------------------------------------------------------------------------
# What is not to be kept: names, places and numbers of this machine

_DROPPED = ("process.", "host.", "os.", "container.", "service.instance.id", "telemetry.sdk.name", "telemetry.sdk.ver")
_FOLDERS = re.compile(r"(?:file://)?(?:/[\w.@+-]+)+/(?=[\w.@+-]+\.(?:py|js|mjs|cjs|ts)\b)")
_DIRECTIONS = re.compile(r"(?:\?|%3F)(?:status|cut|pause|usage|error|id)(?:=|%3D)[\w.]+")  # to the loopback provider
_FRAMES = re.compile(r"\n(?:  .*\n)+(?=\S)")


def scrubbed(value: Any, ports: dict[int, int]) -> Any:
    """The same without machine, paths, the ports of the day, and what the loopback provider was told to do."""
    if isinstance(value, list):
        return [scrubbed(item, ports) for item in value if not _is_dropped(item)]
    if isinstance(value, dict):
        return {key: scrubbed(item, ports) for key, item in value.items()}
    if isinstance(value, str):
        for port, instead in ports.items():
            value = re.sub(rf"(?<!\d){port}(?!\d)", str(instead), value)
        value = _DIRECTIONS.sub("", _FOLDERS.sub("", value.replace(socket.gethostname(), "host")))
        return _FRAMES.sub("\n  ...\n", value) if value.startswith("Traceback") else value
    return ports.get(value, value) if isinstance(value, int) and not isinstance(value, bool) else value


def _is_dropped(item: Any) -> bool:
    return isinstance(item, dict) and "value" in item and str(item.get("key", "")).startswith(_DROPPED)


# ---------------------------------------------------------------------------------------------------------------------


def pretty(value: Any, depth: int = 0) -> str:
    """JSON that a person can read: on one line what fits on it."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + depth <= WIDTH or not isinstance(value, (dict, list)) or not value:
        return flat
    margin, ends = " " * (depth + 1), "{}" if isinstance(value, dict) else "[]"
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {pretty(item, depth + 1)}" for key, item in value.items()]
    else:
        parts = [pretty(item, depth + 1) for item in value]
    return ends[0] + "\n" + ",\n".join(margin + part for part in parts) + "\n" + " " * depth + ends[1]


def _decoded(signal: str, kind: str, body: bytes) -> dict[str, Any]:
    if kind == "application/json":
        return dict(json.loads(body))
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    kinds = {
        "traces": ExportTraceServiceRequest,
        "logs": ExportLogsServiceRequest,
        "metrics": ExportMetricsServiceRequest,
    }
    found = MessageToDict(kinds[signal].FromString(body), use_integers_for_enums=True)
    return dict(_with_hexadecimal_ids(found))


def _with_hexadecimal_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_hexadecimal_ids(item) for item in value]
    if not isinstance(value, dict):
        return value
    ids = ("traceId", "spanId", "parentSpanId")
    return {
        key: base64.b64decode(item).hex() if key in ids else _with_hexadecimal_ids(item) for key, item in value.items()
    }


def _set_providers() -> Callable[[], object]:
    """Make the global providers of an app, and give what flushes them."""
    from opentelemetry import _logs, metrics, trace
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    os.environ.setdefault("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")
    resource = Resource.create(
        {"service.name": "shop", "service.version": "1.2", "deployment.environment.name": "test"}
    )
    spans, logs = TracerProvider(resource=resource), LoggerProvider(resource=resource)
    spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=3_600_000)
    meters = MeterProvider(metric_readers=[reader], resource=resource)
    trace.set_tracer_provider(spans)
    _logs.set_logger_provider(logs)
    metrics.set_meter_provider(meters)
    return lambda: (spans.force_flush(), logs.force_flush(), meters.force_flush())


def main(dialect: str, library: str, library_version: str, case: str, *command: str) -> None:
    """Run a program of another language, and keep what it sends."""
    corpus = Corpus(dialect, library, providers=False, library_version=library_version)
    with corpus, corpus.case(case, "", signals=("traces", "logs", "metrics")):
        subprocess.run(command, check=True)


if __name__ == "__main__":
    split = sys.argv.index("--")
    main(*sys.argv[1:split], *sys.argv[split + 1 :])
