"""The tap for httpx and httpx2: two libraries with the same insides, or one under both names after `alias_httpx()`.

`_send_single_request` is where every request passes, whatever the transport, once an attempt and redirect. The body
of the response is seen by standing between its stream and whoever reads it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from taximeter import faults
from taximeter.metering import Metering
from taximeter.taps import Patches

if TYPE_CHECKING:
    from taximeter.meter import Meter

__all__ = ["install"]


def install(module: Any, metering: Metering, patches: Patches) -> None:
    seen, async_seen = _streams(module)

    def tap(send: Callable[..., Any]) -> Callable[..., Any]:
        def _send_single_request(self: Any, request: Any) -> Any:
            meter = _meter(metering, request)
            if meter is None:
                return send(self, request)
            try:
                response = send(self, request)
            except BaseException as error:
                meter.failed(error)
                raise
            _watch(response, meter, seen)
            return response

        return _send_single_request

    def async_tap(send: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def _send_single_request(self: Any, request: Any) -> Any:
            meter = _meter(metering, request)
            if meter is None:
                return await send(self, request)
            try:
                response = await send(self, request)
            except BaseException as error:
                meter.failed(error)
                raise
            _watch(response, meter, async_seen)
            return response

        return _send_single_request

    patches.replace(module.Client, "_send_single_request", tap)
    patches.replace(module.AsyncClient, "_send_single_request", async_tap)


def _meter(metering: Metering, request: Any) -> Meter | None:
    try:
        url = request.url
        # Not `url.path`, which is decoded: an ARN in it has slashes of its own, which must not look like ours.
        path, _, query = url.raw_path.decode("ascii", "replace").partition("?")
        if not metering.wants(request.method, path):
            return None
        body, form = _body(request)
        return metering.start(
            method=request.method,
            host=url.host,
            port=url.port,
            path=path,
            query=query,
            headers=request.headers,
            body=body,
            form=form,
        )
    except Exception as error:
        faults.count("taps.httpx", error)
        return None


def _body(request: Any) -> tuple[bytes | None, dict[str, str] | None]:
    """The body if it is at hand. A stream is the client's to read, but a form can be asked for its fields."""
    if hasattr(request, "_content"):
        return request.content, None
    fields = getattr(request.stream, "fields", None)
    if fields is None:
        return None, None
    form = {}
    for field in fields:
        value = getattr(field, "value", None)
        if isinstance(value, (str, bytes)):
            form[str(field.name)] = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return None, form


def _watch(response: Any, meter: Meter, seen: Callable[[Any, Meter], Any]) -> None:
    try:
        meter.answered(response.status_code, response.headers)
        if hasattr(response, "_content"):  # it was made with a body, or a hook has read it: there is no stream to watch
            _read_decoded(response, meter)
        else:
            response.stream = seen(response.stream, meter)
    except Exception as error:
        faults.count("taps.httpx", error)


def _read_decoded(response: Any, meter: Meter) -> None:
    meter.answered(response.status_code, response.headers, decoded=True)
    meter.first(response.content)
    meter.ended()


def _streams(module: Any) -> tuple[Callable[[Any, Meter], Any], Callable[[Any, Meter], Any]]:
    """The two streams that pass bytes on and tell the meter; of the library's own kinds, because clients check."""

    class SeenStream(module.SyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any, meter: Meter) -> None:
            self._stream = stream
            self._meter = meter

        def __iter__(self) -> Iterator[bytes]:
            # No generator stands between the app and its bytes, only C: what it costs is one call a chunk. An error in
            # mid-stream is seen in `close`, which the library calls while the error passes.
            stream = iter(self._stream)
            return chain(self._first(stream), map(self._meter.keep, stream), self._end())

        def _first(self, stream: Iterator[bytes]) -> Iterator[bytes]:
            for data in stream:
                yield self._meter.first(data)
                return

        def _end(self) -> Iterator[bytes]:
            self._meter.ended()
            yield from ()

        def close(self) -> None:
            self._meter.let_go()
            self._stream.close()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._stream, name)

    class SeenAsyncStream(module.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any, meter: Meter) -> None:
            self._stream = stream
            self._meter = meter

        async def __aiter__(self) -> AsyncIterator[bytes]:
            meter = self._meter
            keep: Callable[[bytes], bytes] = meter.first
            try:
                async for data in self._stream:
                    yield keep(data)
                    keep = meter.keep
            except BaseException as error:
                meter.failed(error)
                raise
            meter.ended()

        async def aclose(self) -> None:
            self._meter.let_go()
            await self._stream.aclose()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._stream, name)

    return SeenStream, SeenAsyncStream
