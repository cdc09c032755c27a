"""The tap for urllib3 2, and so for requests and botocore, which send through it.

`_make_request` is one attempt. A response is read through `_raw_read`, or chunk by chunk through `_handle_chunk`; both
give the bytes as they came off the wire.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

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
        if "://" in path:  # through a proxy, the whole address stands in the request line
            path = "/" + path.partition("://")[2].partition("/")[2]
        if not metering.wants(method, path):
            return None
        body = args[0] if args else options.get("body")
        given = (args[1] if len(args) > 1 else options.get("headers")) or {}
        return metering.start(
            method=method,
            host=pool.host.strip("[]"),
            port=None if pool.port in (80, 443) else pool.port,
            path=path,
            query=query,
            headers={str(name).lower(): _text(value) for name, value in given.items()},
            body=body.encode() if isinstance(body, str) else bytes(body) if isinstance(body, bytearray) else
            body if isinstance(body, bytes) else None,
        )
    except Exception as error:
        faults.count("taps.urllib3", error)
        return None


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _watch(response: Any, meter: Meter) -> None:
    try:
        body = getattr(response, "_body", None)
        if isinstance(body, bytes) and body:  # preloaded, and decoded
            meter.answered(response.status, response.headers, decoded=True)
            meter.first(body)
            meter.ended()
            return
        meter.answered(response.status, response.headers)
        raw_read, handle_chunk = response._raw_read, response._handle_chunk
        release_conn, close = response.release_conn, response.close
        update_chunk_length = response._update_chunk_length

        def seen(read: Callable[..., Any]) -> Callable[..., Any]:
            def reading(*args: Any, **options: Any) -> Any:
                try:
                    data = read(*args, **options)
                except BaseException as error:
                    meter.failed(error)
                    raise
                if data:
                    meter.keep(data)
                return data

            return reading

        def seen_raw_read(amount: int | None = None, **options: Any) -> Any:
            data = reading_raw(amount, **options)
            if not data or response.length_remaining == 0:
                meter.ended()
            return data

        def seen_chunk_length() -> None:
            try:
                update_chunk_length()
            except BaseException as error:
                meter.failed(error)
                raise
            if response.chunk_left == 0:
                meter.ended()

        def letting_go(let_go: Callable[[], Any]) -> Callable[[], Any]:
            def closing() -> Any:
                meter.closed()
                return let_go()

            return closing

        reading_raw = seen(raw_read)
        response._raw_read = seen_raw_read
        response._handle_chunk = seen(handle_chunk)
        response._update_chunk_length = seen_chunk_length
        response.release_conn = letting_go(release_conn)
        response.close = letting_go(close)
    except Exception as error:
        faults.count("taps.urllib3", error)
