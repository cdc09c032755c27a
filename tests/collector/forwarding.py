"""A backend that does as it is told, and a forwarder in front of it."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import socket
import ssl
import struct
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from taximeter_collector.configuration import Config, load
from taximeter_collector.forward.process import run
from taximeter_collector.journal import Entry, JournalWriter, Signal
from taximeter_collector.journal.inspection import readers
from taximeter_collector.journal.segments import Folder
from taximeter_collector.supervise.worker import Control
from taximeter_collector.telemetry.exposition import published

from tests.collector.receiving import zstd
from tests.e2e.collector import until

__all__ = ["Backend", "Behaviour", "Forwarding", "forwarding", "said", "span_ids"]

PROTOBUF = "application/x-protobuf"
_DECODERS: dict[str, Callable[[bytes], bytes]] = {"": bytes, "gzip": gzip.decompress, "zstd": zstd.decompress}


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    payload: bytes
    size: int


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Backend

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        payload = _DECODERS[headers.get("content-encoding", "")](body)
        self.asked = Asked(self.path, headers, payload, len(body))
        self.server.answer(self)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""

    def reply(self, status: int = 200, body: bytes = b"", kind: str = PROTOBUF, **headers: str) -> None:
        """Answer in order."""
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def raw(self, data: bytes) -> None:
        """Answer with bytes that may be anything, and hang up."""
        self.wfile.write(data)
        self.close_connection = True

    def reset(self) -> None:
        """Hang up in the rudest way."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True


Behaviour = Callable[[_Handler], None]


class Backend(ThreadingHTTPServer):
    """Takes requests; `then` has the next ones answered otherwise, `always` all of them."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int = 0, context: ssl.SSLContext | None = None) -> None:
        self.context = context
        self.taken: list[Asked] = []
        self.asked: list[Asked] = []
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self._next: deque[Behaviour] = deque()
        self.always: Behaviour | None = None
        super().__init__(("127.0.0.1", port), _Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        scheme = "https" if self.context else "http"
        return f"{scheme}://localhost:{self.server_address[1]}"

    def get_request(self) -> tuple[socket.socket, Any]:
        connected, address = super().get_request()
        if self.context:
            connected = self.context.wrap_socket(connected, server_side=True)
        return connected, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what is tested."""

    def then(self, *behaviours: Behaviour) -> None:
        """Answer the next requests in these ways."""
        with self.lock:
            self._next.extend(behaviours)

    def answer(self, handler: _Handler) -> None:
        """In the way that is next."""
        with self.lock:
            self.asked.append(handler.asked)
            behaviour = self._next.popleft() if self._next else self.always
        if behaviour:
            behaviour(handler)
        else:
            self.take(handler)

    def take(self, handler: _Handler, body: bytes = b"", kind: str = PROTOBUF) -> None:
        """As a backend should."""
        with self.lock:
            self.taken.append(handler.asked)
        handler.reply(200, body, kind)

    def span_ids(self) -> Counter[bytes]:
        """How often each span was taken."""
        with self.lock:
            taken = list(self.taken)
        return sum((span_ids(one.payload) for one in taken), Counter())

    def stop(self) -> None:
        """Let go of those who wait, and of the port."""
        self.ended.set()
        self.shutdown()
        self.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def span_ids(payload: bytes) -> Counter[bytes]:
    """The spans of a request."""
    request = ExportTraceServiceRequest.FromString(payload)
    return Counter(
        span.span_id for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans
    )


class _Quiet(Control):
    """Says nothing on stdout, where a test listens."""

    begun: threading.Event

    def ready(self, **facts: Any) -> None:
        self.begun.set()


@dataclass
class Forwarding:
    """A journal, and a forwarder that reads it in a thread of its own."""

    config: Config
    name: str
    journal: JournalWriter
    sent: Counter[bytes] = field(default_factory=Counter)
    _control: Control | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None

    def append(self, payload: bytes, signal: Signal = Signal.TRACES, items: int = 0) -> None:
        """Have the journal take a request."""
        ids = span_ids(payload) if signal is Signal.TRACES else Counter()
        self.sent += ids
        before = self.durable()
        self.journal.append(Entry(signal, items or ids.total(), "", payload))
        until(lambda: self.durable() > before, "the journal does not take it")

    def durable(self) -> int:
        """The position that the next record gets."""
        head = Folder(self.config.journal.dir).head()
        return head.next if head else 0

    def start(self) -> None:
        """Begin, at the cursor."""
        begun = threading.Event()

        def work() -> None:
            async def forward() -> None:
                self._loop = asyncio.get_running_loop()
                self._control = _Quiet(io.BytesIO(), {}, f"forward-{self.name}")
                self._control.begun = begun
                await run(self.config, self._control)

            asyncio.run(forward())

        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()
        assert begun.wait(60)

    def reload(self) -> None:
        """As SIGHUP does."""
        assert self._loop and self._control
        self._loop.call_soon_threadsafe(lambda: self._control and self._control.on_reload())

    def stop(self) -> None:
        """In order."""
        if self._thread and self._loop and self._control:
            self._loop.call_soon_threadsafe(self._control.stopped.set)
            self._thread.join(60)
            assert not self._thread.is_alive()
            self._thread = None

    def unread(self) -> int:
        """How many records are before the cursor."""
        return next(one.lag_records for one in readers(self.config.journal.dir) if one.name == f"forward-{self.name}")

    def is_done(self) -> bool:
        """Whether the cursor has passed everything."""
        return self.unread() == 0

    def settled(self) -> None:
        """Wait until all is delivered or put aside."""
        until(self.is_done, "not all is delivered")

    def count(self, metric: str) -> float:
        """The sum of a metric that the forwarder has published."""
        found = published(self.config.run_folder)
        return sum(value for name, _, value in found if name == f"taximeter.forward.{metric}")

    def by_label(self, metric: str) -> dict[str, float]:
        """A metric by its last label."""
        found = published(self.config.run_folder)
        return {told[-1]: value for name, told, value in found if name == f"taximeter.forward.{metric}"}

    def dead_letters(self) -> list[dict[str, Any]]:
        """What was put aside, each with its request."""
        folder = self.config.data / "dead-letter" / f"forward-{self.name}"
        files = sorted(folder.glob("*.json"))
        return [json.loads(file.read_text()) | {"request": file.with_suffix(".otlp").read_bytes()} for file in files]


@contextmanager
def forwarding(
    tmp_path: Path,
    url: str,
    environment: Mapping[str, str] | None = None,
    *,
    name: str = "backend",
    **more: object,
) -> Iterator[Forwarding]:
    """A journal in `tmp_path` and a forwarder from it to `url`, started."""
    flags = {"data": str(tmp_path / "data"), f"forward.{name}.endpoint": url, f"forward.{name}.longest_pause": "200ms"}
    flags |= {f"forward.{name}.enrich": "false"}
    flags |= {f"forward.{name}.{key}": str(value) for key, value in more.items()}
    config = load(flags, environment or {}).config
    config.run_folder.mkdir(parents=True)
    journal = JournalWriter(config.journal, settled=lambda _: None)
    made = Forwarding(config, name, journal)
    made.start()
    try:
        yield made
    finally:
        made.stop()
        journal.close()


def said(caplog: Any) -> list[str]:
    """What the forwarder has logged."""
    return [record.getMessage() for record in caplog.records if record.name == "taximeter.forward"]
