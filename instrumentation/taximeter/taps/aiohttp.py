"""The tap for aiohttp: around `ClientSession._request`, and at the one place where all reading takes its bytes.

The trace hooks that aiohttp offers do not see a body that is streamed, so the reader of the response is given a class
of ours. aiohttp has undone the content encoding by then, unless it was told not to.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import finalize

from taximeter import faults
from taximeter.metering import Metering
from taximeter.taps import Patches

if TYPE_CHECKING:
    from taximeter.meter import Meter

__all__ = ["install"]


def install(module: Any, metering: Metering, patches: Patches) -> None:
    meters: dict[int, Meter] = {}  # by the id of the reader, which can neither hold a meter nor be referred to weakly
    reader = _reader(module, meters)

    def tap(request: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def _request(self: Any, method: str, str_or_url: Any, **options: Any) -> Any:
            meter = _meter(metering, self, method, str_or_url, options)
            if meter is None:
                return await request(self, method, str_or_url, **options)
            try:
                response = await request(self, method, str_or_url, **options)
            except BaseException as error:
                meter.failed(error)
                raise
            _watch(response, meter, meters, reader, decoded=getattr(self, "_auto_decompress", True))
            return response

        return _request

    def close_tap(close: Callable[..., Any]) -> Callable[..., Any]:
        def closed(self: Any) -> Any:
            if (meter := meters.get(id(getattr(self, "content", None)))) is not None:
                meter.let_go()
            return close(self)

        return closed

    patches.replace(module.ClientSession, "_request", tap)
    patches.replace(module.ClientResponse, "close", close_tap)
    patches.replace(module.ClientResponse, "release", close_tap)


def _meter(metering: Metering, session: Any, method: str, str_or_url: Any, options: dict[str, Any]) -> Meter | None:
    try:
        url = session._build_url(str_or_url)
        method = method.upper()
        if not metering.wants(method, url.path):
            return None
        # An iterator of headers is the client's to read, once.
        given = options.get("headers")
        pairs = given.items() if isinstance(given, Mapping) else given if isinstance(given, (list, tuple)) else ()
        headers = {str(name).lower(): str(value) for name, value in pairs}
        for name, value in session.headers.items():
            headers.setdefault(str(name).lower(), str(value))
        body, form = _body(session, options)
        return metering.start(
            method=method,
            host=url.host or "",
            port=url.explicit_port,
            path=url.raw_path,
            query=url.raw_query_string,
            headers=headers,
            body=body,
            form=form,
        )
    except Exception as error:
        faults.count("taps.aiohttp", error)
        return None


def _body(session: Any, options: dict[str, Any]) -> tuple[bytes | None, dict[str, str] | None]:
    if (value := options.get("json")) is not None:
        return session._json_serialize(value).encode(), None
    data = options.get("data")
    if isinstance(data, (bytes, bytearray)):
        return bytes(data), None
    if isinstance(data, str):
        return data.encode(), None
    fields = getattr(data, "_fields", None)
    if fields is None:
        return None, None
    return None, {field[0].get("name", ""): field[2] for field in fields if isinstance(field[2], str)}


def _watch(response: Any, meter: Meter, meters: dict[int, Meter], reader: type, *, decoded: bool) -> None:
    try:
        meter.answered(response.status, response.headers, decoded=decoded)
        content: Any = response.content
        if type(content) is reader.__base__:
            meters[id(content)] = meter
            finalize(response, _forget, meters, id(content))
            content.__class__ = reader  # the bytes stay where they are; only how they are read changes
            if response.content.at_eof():
                meter.ended()
        else:  # an empty body, or somebody else's reader
            meter.ended()
    except Exception as error:
        faults.count("taps.aiohttp", error)


def _forget(meters: dict[int, Meter], reader_id: int) -> None:
    """The response is gone; if nobody read it to its end, it was abandoned."""
    if (meter := meters.pop(reader_id, None)) is not None:
        meter.closed()


def _reader(module: Any, meters: dict[int, Meter]) -> type:
    class SeenReader(module.StreamReader):  # type: ignore[misc]
        __slots__ = ()

        def _read_nowait_chunk(self, n: int) -> bytes:
            data: bytes = super()._read_nowait_chunk(n)
            if (meter := meters.get(id(self))) is not None:
                keep = meter.keep if meter.begun else meter.first
                keep(data)
                if self.at_eof():
                    meter.ended()
            return data

        def set_exception(self, exc: Any, *more: Any, **options: Any) -> None:
            if (meter := meters.get(id(self))) is not None:
                meter.failed(exc if isinstance(exc, BaseException) else exc())
            super().set_exception(exc, *more, **options)

        def feed_eof(self) -> None:
            super().feed_eof()
            if (meter := meters.get(id(self))) is not None and not self._buffer:
                meter.ended()

    return SeenReader
