"""OTLP over HTTP/1.1: one connection that is kept, a request at a time."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
import urllib.request
from base64 import b64encode
from typing import IO
from urllib.parse import SplitResult, unquote, urlsplit

from taximeter_collector.forward.answers import Answer, Verdict, of_http
from taximeter_collector.forward.compression import COMPRESS
from taximeter_collector.forward.config import Destination
from taximeter_collector.forward.credentials import Credentials
from taximeter_collector.forward.deadlines import Deadlines
from taximeter_collector.forward.endpoint import Endpoint
from taximeter_collector.forward.sender import user_agent

__all__ = ["HttpSender"]

_LONGEST_ANSWER_BYTES = 4 << 20  # as OTLP recommends
_READ_BYTES = 1 << 16
_STALE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError, ConnectionAbortedError)


class _Head:
    """The lines before a body: http.client takes a connection that ends among them for the end of the head."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._began = False
        self.close = stream.close

    def readline(self, limit: int = -1) -> bytes:
        line = self._stream.readline(limit)
        if not line.endswith(b"\n") and len(line) != limit and (line or self._began):
            raise http.client.IncompleteRead(line)
        self._began = True
        return line


class _Response(http.client.HTTPResponse):
    """An answer with all of its head: what is broken off may be of a backend that has kept nothing."""

    def begin(self) -> None:
        stream, head = self.fp, _Head(self.fp)
        self.fp = head  # type: ignore[assignment]
        try:
            super().begin()
        finally:
            if self.fp:  # None, if that has closed it
                self.fp = stream


class HttpSender:
    """See `Sender`."""

    def __init__(
        self, place: Endpoint, destination: Destination, credentials: Credentials, deadlines: Deadlines
    ) -> None:
        self._place = place
        self._timeout_s = destination.timeout_s
        self._compress = COMPRESS.get(destination.compression)
        self._context = credentials.context
        self._deadlines = deadlines
        self._paths: dict[str, str] = {}
        self._headers = {"user-agent": user_agent(), "content-type": "application/x-protobuf"} | credentials.headers
        if self._compress:
            self._headers["content-encoding"] = destination.compression
        self._connection: http.client.HTTPConnection | None = None

    def serve(self, signal: str, place: Endpoint) -> None:
        """Take requests of this signal, too."""
        self._paths[signal] = place.path

    def send(self, signal: str, payload: bytes) -> Answer:
        """See `Sender.send`."""
        until = time.monotonic() + self._timeout_s
        body = self._compress(payload) if self._compress else payload
        try:
            return self._exchange(signal, body, until)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return _failure(error, is_late=time.monotonic() >= until)

    def _exchange(self, signal: str, body: bytes, until: float) -> Answer:
        """A connection that was kept may have been closed by the other side: then once more, over a new one."""
        if self._connection:
            try:
                return self._ask(self._connection, signal, body, until)
            except _STALE:
                self.close()
                if time.monotonic() >= until:
                    raise
        self._connection = self._connect(until)
        return self._ask(self._connection, signal, body, until)

    def _connect(self, until: float) -> http.client.HTTPConnection:
        place, timeout = self._place, max(0.01, until - time.monotonic())
        proxy = _proxy(place)
        host, port = (proxy.hostname or "", proxy.port or 80) if proxy else (place.host, place.port)
        connection: http.client.HTTPConnection
        if place.tls:
            connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=self._context)
            if proxy:
                connection.set_tunnel(place.host, place.port, _proxy_headers(proxy))
        else:
            connection = http.client.HTTPConnection(host, port, timeout=timeout)
        connection.response_class = _Response
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _ask(self, connection: http.client.HTTPConnection, signal: str, body: bytes, until: float) -> Answer:
        assert connection.sock
        connection.sock.settimeout(max(0.01, until - time.monotonic()))
        watched = self._deadlines.begin(connection.sock, until)
        try:
            path = self._paths[signal]
            proxy = None if self._place.tls else _proxy(self._place)
            headers = self._headers | (_proxy_headers(proxy) if proxy else {})
            try:
                connection.request("POST", f"http://{self._place.place}{path}" if proxy else path, body, headers)
            except (BrokenPipeError, ConnectionResetError):  # it may have answered without reading to the end
                with contextlib.suppress(OSError, http.client.HTTPException):
                    early = connection.getresponse()
                    told = of_http(early.status, _told(early), _read(early) or b"", signal)
                    self.close()
                    return told
                raise
            response = connection.getresponse()
            answer = _read(response)
        finally:
            self._deadlines.end(watched)
        if answer is None or response.will_close:
            self.close()
        return of_http(response.status, _told(response), answer or b"", signal)

    def abort(self) -> None:
        """See `Sender.abort`: `Deadlines` does it."""

    def close(self) -> None:
        """See `Sender.close`."""
        if self._connection:
            with contextlib.suppress(OSError):
                self._connection.close()
            self._connection = None


def _told(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _read(response: http.client.HTTPResponse) -> bytes | None:
    """The body; None if it is longer than any answer has to be."""
    parts, size = [], 0
    while part := response.read1(_READ_BYTES):
        parts.append(part)
        size += len(part)
        if size > _LONGEST_ANSWER_BYTES:
            return None
    if response.length:  # what was announced did not come
        raise http.client.IncompleteRead(b"".join(parts), response.length)
    response.close()  # or the connection would wait for the end of an answer without a body
    return b"".join(parts)


def _failure(error: Exception, *, is_late: bool) -> Answer:
    """What it means that there is no answer."""
    if is_late or isinstance(error, TimeoutError):
        return Answer(Verdict.LATER, "timeout", "no answer in time")
    if isinstance(error, ssl.SSLCertVerificationError):
        return Answer(Verdict.TO_PUT_RIGHT, "tls", f"its certificate is not trusted: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        return Answer(Verdict.LATER, "tls", f"no TLS connection: {error.reason or error}")
    if isinstance(error, socket.gaierror):
        return Answer(Verdict.LATER, "dns", f"its name cannot be resolved: {error.strerror}")
    if isinstance(error, ConnectionRefusedError):
        return Answer(Verdict.LATER, "connect", "connection refused")
    if isinstance(error, (*_STALE, http.client.IncompleteRead)):
        return Answer(Verdict.LATER, "reset", "the connection was closed before there was an answer")
    if isinstance(error, http.client.HTTPException):
        return Answer(Verdict.LATER, "not-http", f"what came back is not HTTP: {type(error).__name__}")
    return Answer(
        Verdict.LATER, "connect", str(error.strerror if isinstance(error, OSError) and error.strerror else error)
    )


def _proxy(place: Endpoint) -> SplitResult | None:
    """The proxy of the environment: HTTPS_PROXY, HTTP_PROXY, NO_PROXY."""
    found = urllib.request.getproxies_environment().get("https" if place.tls else "http")
    if not found or urllib.request.proxy_bypass(place.host):
        return None
    return urlsplit(found if "://" in found else f"http://{found}")


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    told = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"proxy-authorization": f"Basic {b64encode(told.encode()).decode()}"}
