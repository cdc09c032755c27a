"""HTTP/1.1, as much of it as a receiver needs, with a limit on everything that a peer can make grow.

Written on httptools instead of a web framework: a request costs a third to two thirds of the CPU
(`python bench/http_servers.py`), and slow or endless headers, bodies that come drop by drop, and connections without a
request have an end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol

import httptools

from taximeter_collector.receive.config import ReceiveConfig
from taximeter_collector.receive.intake import Memory
from taximeter_collector.receive.refusals import Reason, Refused

__all__ = ["Connections", "Head", "HttpApp", "Request", "Response"]

_log = logging.getLogger("taximeter.receive")
_HEAD_BYTES = 64 << 10
_LINGER_S = 2.0  # how long what is refused may go on being sent, so that the answer is read before the connection ends
_SWEEP_S = 0.5
_PIPELINED = 8  # requests that may wait for their turn on one connection before no more are read
_CRUMB_BYTES = 4 << 10  # pieces of a body below it are put together at once: each object takes 33 bytes of its own


@dataclass(slots=True)
class Head:
    """A request before its body."""

    method: str = ""
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Request:
    """A request, whole."""

    head: Head
    body: bytes
    context: object


@dataclass(slots=True)
class Response:
    """What is answered."""

    status: int
    body: bytes = b""
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class HttpApp(Protocol):
    """What the requests are for."""

    def admit(self, head: Head) -> tuple[int, object]:
        """Look at a head: how large the body may be, and what `respond` needs to know. Refused to have no body sent."""

    async def respond(self, request: Request) -> Response:
        """Answer. Refused is turned into an answer by `refuse`."""

    def refuse(self, head: Head, refused: Refused) -> Response:
        """The answer to what is not accepted."""


class Connections:
    """All connections of a server: a factory of protocols, and what they share."""

    def __init__(self, config: ReceiveConfig, app: HttpApp, memory: Memory, dropped: Callable[[str], None]) -> None:
        self.config = config
        self.app = app
        self.memory = memory
        self.dropped = dropped
        self.open: set[_Connection] = set()
        self.draining = False

    def __call__(self) -> asyncio.Protocol:
        """A protocol for a new connection."""
        return _Connection(self)

    async def sweep(self) -> None:
        """Close connections that have exceeded their time, for ever."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            now = time.monotonic()
            for connection in [one for one in self.open if one.deadline < now]:
                connection.time_out()

    async def drain(self, timeout_s: float) -> None:
        """Close what is idle, and the rest when it has been answered, or when time is up."""
        self.draining = True
        deadline = time.monotonic() + timeout_s
        for connection in list(self.open):
            connection.close_if_idle()
        while self.open and time.monotonic() < deadline:  # noqa: ASYNC110 - there is no single event to wait for
            await asyncio.sleep(0.02)
        for connection in list(self.open):
            connection.abort()


_FOR_EVER = float("inf")


class _Connection(asyncio.Protocol):
    """One connection. Requests are answered in order."""

    def __init__(self, server: Connections) -> None:
        self._server = server
        self._config = server.config
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Head, Request | Refused, bool]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._untaken: asyncio.Future[None] | None = None  # there while the peer does not read its answers
        self._closing = False  # nothing more is read as a request
        self.deadline = time.monotonic() + self._config.request_timeout_s
        self._begin()

    def _begin(self) -> None:
        """Forget the last request."""
        self._head = Head()
        self._head_done = False
        self._in_request = False
        self._raw = 0
        self._barren = 0
        self._pieces: list[bytes | bytearray] = []
        self._size = 0
        self._limit = 0
        self._context: object = None
        self._refused: Refused | None = None

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if len(self._server.open) >= self._config.max_connections:
            self._server.dropped("too_many")
            transport.abort()
            return
        self._server.open.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._server.open.discard(self)
        self._transport = None
        self._forget_body()
        self._forget_waiting()
        self._closing = True
        self._all_taken()
        del self._parser  # it holds us as we hold it, and would wait for the garbage collection

    def data_received(self, data: bytes) -> None:
        while data and not self._closing:  # what is still sent of something that was refused is passed over
            data = self._parse(data)

    def eof_received(self) -> bool:
        """A peer may close its side after its last request and still wait for the answer. TLS knows no such half."""
        if not self._task:
            self._close()
        self._closing = True
        return self._task is not None and self._transport is not None and self._transport.can_write_eof()

    def pause_writing(self) -> None:
        """Nothing more is read from a peer that does not read: its answers would pile up here."""
        assert self._transport
        self._untaken = asyncio.get_running_loop().create_future()
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._all_taken()
        self._read_on()

    # What the parser calls

    def on_message_begin(self) -> None:
        self._begin_request()

    def on_url(self, url: bytes) -> None:
        self._head.path += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head_done:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            headers = self._head.headers
            headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def on_headers_complete(self) -> None:
        self._head_done = True
        if self._refused:
            return
        self._head.method = self._parser.get_method().decode("latin-1")
        if self._is_offer():
            return
        self._head.path = self._head.path.partition("?")[0]
        try:
            self._limit, self._context = self._server.app.admit(self._head)
            declared = self._head.headers.get("content-length", "")
            if declared.isdecimal() and int(declared) > self._limit:
                raise _too_large(self._limit)
        except Refused as refused:
            self._refused = refused
            self._answer_early()
        else:
            if self._head.headers.get("expect", "").lower() == "100-continue" and self._transport:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        if self._refused:
            return
        try:
            if self._size + len(data) > self._limit:
                raise _too_large(self._limit)
            self._server.memory.take(len(data))
        except Refused as refused:
            self._refused = refused
            self._answer_early()
            return
        self._size += len(data)
        pieces = self._pieces
        if not pieces or len(data) >= _CRUMB_BYTES:
            pieces.append(data)
        elif isinstance(crumbs := pieces[-1], bytearray):
            crumbs += data
        else:
            pieces.append(bytearray(data))

    def on_message_complete(self) -> None:
        if self._refused or self._is_offer():
            return
        pieces = self._pieces
        body = first if len(pieces) == 1 and isinstance(first := pieces[0], bytes) else b"".join(pieces)
        self._enqueue(self._head, Request(self._head, body, self._context), self._parser.should_keep_alive())
        self._size = 0  # from here on the answering gives it back
        self._begin()
        if self._transport and len(self._waiting) >= _PIPELINED:
            self._transport.pause_reading()

    # Ours

    def _is_offer(self) -> bool:
        return self._parser.should_upgrade() and self._head.method != "CONNECT"

    def _parse(self, data: bytes) -> bytes:
        """Parse, and give back what is to be parsed then."""
        self._raw += len(data)
        head, size = self._head, self._size
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            return self._declined() + data[offer.args[0] :]
        except httptools.HttpParserError as error:
            self._fail(Refused(Reason.MALFORMED, f"this is not HTTP/1.1: {error}"))
        else:
            is_barren = self._size == size and self._head is head  # the end of a request is the end of its size, too
            self._barren = self._barren + len(data) if is_barren else 0
            self._limit_framing()
        return b""

    def _declined(self) -> bytes:
        """The head again, without its offer of another protocol: with it, the parser would pass over the body.

        The HTTP client of the JDK makes this offer with its first request to a server without TLS.
        """
        head = self._head
        lines = [f"{name}: {value}" for name, value in head.headers.items() if name not in ("connection", "upgrade")]
        self._begin()
        return "\r\n".join((f"{head.method} {head.path} HTTP/1.1", *lines, "", "")).encode("latin-1")

    def _limit_framing(self) -> None:
        overhead = self._raw - self._size
        if not self._head_done:
            if overhead > _HEAD_BYTES:
                self._fail(Refused(Reason.HEADERS_TOO_LARGE, f"headers of more than {_HEAD_BYTES} bytes"))
        elif overhead > 2 * _HEAD_BYTES + 8 * self._size or self._barren > 2 * _HEAD_BYTES:
            self._fail(Refused(Reason.MALFORMED, "chunks or trailers that are nearly nothing but framing"))

    def _begin_request(self) -> None:
        self._in_request = True
        if not self._task:
            self.deadline = time.monotonic() + self._config.request_timeout_s

    def _answer_early(self) -> None:
        """Say no before the body is read; it is passed over for a while, so that the peer gets to read the answer."""
        assert self._refused
        self._forget_body()
        self._closing = True
        self._enqueue(self._head, self._refused, False)
        self._head = Head()  # what follows in the same bytes is not of this one

    def _forget_body(self) -> None:
        self._server.memory.give_back(self._size)
        self._size = 0
        self._pieces.clear()

    def _forget_waiting(self) -> None:
        for _, what, _ in self._waiting:
            if isinstance(what, Request):
                self._server.memory.give_back(len(what.body))
        self._waiting.clear()

    def _fail(self, refused: Refused) -> None:
        if not self._closing:
            self._refused = refused
            self._answer_early()

    def _enqueue(self, head: Head, what: Request | Refused, keep_alive: bool) -> None:
        self._waiting.append((head, what, keep_alive))
        if not self._task:
            self.deadline = _FOR_EVER
            self._task = asyncio.get_running_loop().create_task(self._answer_all())

    async def _answer_all(self) -> None:
        try:
            while self._waiting:
                head, what, keep_alive = self._waiting.popleft()
                response = await self._answer(head, what)
                keep_alive = keep_alive and not self._server.draining
                self._write(response, head, keep_alive)
                if not keep_alive:
                    self._closing = True
                    self._forget_waiting()
                elif self._untaken:
                    await self._until_taken(self._untaken)
        finally:
            self._task = None
            self._after_answers()

    async def _answer(self, head: Head, what: Request | Refused) -> Response:
        app = self._server.app
        if isinstance(what, Refused):
            return app.refuse(head, what)
        size = len(what.body)
        try:
            return await app.respond(what)
        except Refused as refused:
            return app.refuse(head, refused)
        except Exception:
            _log.exception("a request could not be answered")
            return app.refuse(head, Refused(Reason.INTERNAL, "an error of ours; it is in the log"))
        finally:
            self._server.memory.give_back(size)

    async def _until_taken(self, untaken: asyncio.Future[None]) -> None:
        self.deadline = time.monotonic() + self._config.request_timeout_s
        await untaken
        self.deadline = _FOR_EVER

    def _all_taken(self) -> None:
        untaken, self._untaken = self._untaken, None
        if untaken and not untaken.done():
            untaken.set_result(None)

    def _after_answers(self) -> None:
        if not self._transport:
            return
        if self._refused and self._closing:
            self._linger()
        elif self._closing:
            self._close()
        else:
            timeout = self._config.request_timeout_s if self._in_request else self._config.idle_timeout_s
            self.deadline = time.monotonic() + timeout
            self._read_on()

    def _linger(self) -> None:
        """Read on for a moment after a refusal: closing at once would take the answer away from the peer, too."""
        assert self._transport
        self.deadline = time.monotonic() + _LINGER_S
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._transport.resume_reading()

    def _read_on(self) -> None:
        if self._transport and not self._untaken and not self._task and not self._transport.is_closing():
            self._transport.resume_reading()

    def _write(self, response: Response, head: Head, keep_alive: bool) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(_encode(response, keep_alive, with_body=head.method != "HEAD"))

    def _close(self) -> None:
        if self._transport:
            self.deadline = time.monotonic() + self._config.request_timeout_s
            self._transport.close()

    # What the server calls

    def time_out(self) -> None:
        """Time is up for whatever was going on."""
        if self._in_request and not self._closing and not self._untaken:
            self._server.dropped("slow_request")
            self._fail(
                Refused(Reason.TOO_SLOW, f"the request took more than {self._config.request_timeout_s:g} s to arrive")
            )
        else:
            if not self._closing:
                self._server.dropped("slow_reader" if self._untaken else "idle")
            self.abort()

    def close_if_idle(self) -> None:
        """End a connection that waits for a request."""
        if not self._task and not self._in_request:
            self._close()

    def abort(self) -> None:
        """End it now."""
        if self._transport:
            self._transport.abort()


def _too_large(limit: int) -> Refused:
    return Refused(Reason.TOO_LARGE, f"the body is larger than {limit} bytes")


_PHRASES = {status.value: status.phrase for status in HTTPStatus}


def _encode(response: Response, keep_alive: bool, *, with_body: bool) -> bytes:
    lines = [f"HTTP/1.1 {response.status} {_PHRASES[response.status]}"]
    if response.content_type:
        lines.append(f"content-type: {response.content_type}")
    if response.status != HTTPStatus.NO_CONTENT:
        lines.append(f"content-length: {len(response.body)}")
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    if not keep_alive:
        lines.append("connection: close")
    return "\r\n".join((*lines, "", "")).encode("latin-1") + (response.body if with_body else b"")
