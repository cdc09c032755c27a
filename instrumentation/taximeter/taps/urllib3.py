"""The tap for urllib3 2, and so for requests and botocore, which send through it.

`_make_request` is one attempt. A response is read through `_raw_read`, or chunk by chunk through `_handle_chunk`; both
give the bytes as they came off the wire.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import ref

from taximeter import faults
from taximeter.metering import Metering
from taximeter.taps import Patches

if TYPE_CHECKING:
    from taximeter.meter import Meter

__all__ = ["install"]


def install(module: Any, metering: Metering, patches: Patches) -> None:
    def tap(make_request: Callable[..., Any]) -> Callable[..., Any]:
        def _make_request(self: Any, conn: Any, method: str, url: str, *args: Any, **options: Any) -> Any:
            meter = _meter(metering, self, method, url, args, options)
            if meter is None:
                return make_request(self, conn, method, url, *args, **options)
            try:
                response = make_request(self, conn, method, url, *args, **options)
            except BaseException as error:
                meter.failed(error)
                raise
            _watch(response, meter)
            return response

        return _make_request

    patches.replace(module.connectionpool.HTTPConnectionPool, "_make_request", tap)


def _meter(
    metering: Metering, pool: Any, method: str, url: str, args: tuple[Any, ...], options: dict[str, Any]
) -> Meter | None:
    try:
        path, _, query = url.partition("?")
        host, port = pool.host.strip("[]"), pool.port
        if "://" in path:  # through a proxy, the whole address stands in the request line
            address = urlsplit(path)
            path, host, port = address.path, address.hostname or host, address.port
        if not metering.wants(method, path):
            return None
        body = args[0] if args else options.get("body")
        given = (args[1] if len(args) > 1 else options.get("headers")) or {}
        return metering.start(
            method=method,
            host=host,
            port=None if port in (80, 443) else port,
            path=path,
            query=query,
            headers={str(name).lower(): _text(value) for name, value in given.items()},
            body=_bytes(body),
        )
    except Exception as error:
        faults.count("taps.urllib3", error)
        return None


def _bytes(body: Any) -> bytes | None:
    """The body if it is at hand; a file or an iterator is the client's to read."""
    if isinstance(body, str):
        return body.encode()
    return bytes(body) if isinstance(body, (bytes, bytearray)) else None


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _watch(response: Any, meter: Meter) -> None:
    try:
        body = getattr(response, "_body", None)
        if isinstance(body, bytes):  # preloaded, and decoded
            meter.answered(response.status, response.headers, decoded=True)
            meter.first(body)
            meter.ended()
            return
        meter.answered(response.status, response.headers)
        _Seen(response, meter)
    except Exception as error:
        faults.count("taps.urllib3", error)


class _Seen:
    """Stands in front of the methods of one response through which all its bytes, and its end, must pass.

    The response holds it, and not the other way round, so that a response that is forgotten is freed at once.
    """

    def __init__(self, response: Any, meter: Meter) -> None:
        self._response = ref(response)
        self._kind = type(response)
        self._meter = meter
        self._reading = False
        self._released = False
        response._raw_read = self.raw_read
        response._handle_chunk = self.handle_chunk
        response._update_chunk_length = self.update_chunk_length
        response.release_conn = self.release_conn
        response.close = self.close

    def raw_read(self, *args: Any, **options: Any) -> Any:
        data = self._watched(self._kind._raw_read, *args, **options)
        if self._released or not data or getattr(self._response(), "length_remaining", None) == 0:
            self._meter.ended()
        return data

    def handle_chunk(self, *args: Any) -> Any:
        return self._watched(self._kind._handle_chunk, *args)

    def update_chunk_length(self) -> None:
        self._watched(self._kind._update_chunk_length)
        if getattr(self._response(), "chunk_left", None) == 0:
            self._meter.ended()

    def release_conn(self) -> Any:
        """The connection goes back to its pool. In the middle of a read that means: this read was the last."""
        if self._reading:
            self._released = True
        else:
            self._meter.let_go()
        return self._kind.release_conn(self._response())

    def close(self) -> Any:
        self._meter.let_go()
        return self._kind.close(self._response())

    def _watched(self, read: Callable[..., Any], *args: Any, **options: Any) -> Any:
        self._reading = True
        try:
            data = read(self._response(), *args, **options)
        except BaseException as error:
            self._meter.failed(error)
            raise
        finally:
            self._reading = False
        if data:
            keep = self._meter.keep if self._meter.begun else self._meter.first
            keep(data)
        return data
