"""What a dialect is: one wire API, described by a few functions in a module of its own under `dialects/`.

A dialect knows bytes and JSON. It knows no HTTP client (that is a tap's business) and no OpenTelemetry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any
from urllib.parse import unquote

from taximeter.call import Call
from taximeter.framing import Frame
from taximeter.jsonbytes import TooLargeError, load
from taximeter.salvage import salvage

__all__ = ["Dialect", "WireRequest", "WireResponse", "find", "is_endpoint"]

_FORM_FIELD = re.compile(rb'name="([^"]+)"(?:\r\n[^\r\n]+)*\r\n\r\n([^\r\n]{0,200})\r\n')
_FORM_EDGE_BYTES = 65_536  # form fields stand before or after the file that fills the rest


@dataclass(slots=True)
class WireRequest:
    """A request as a tap sees it. `body` is None where the client streams it and we must not touch it."""

    method: str
    host: str
    path: str
    query: str = ""
    port: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    form: Mapping[str, str] | None = None
    prose: bool = False
    _json: Any = None

    def json(self) -> dict[str, Any]:
        """The body as an object, {} where it is none; long strings may be missing unless content is captured."""
        if self._json is None:
            self._json = self._read_json()
        return self._json  # type: ignore[no-any-return]

    def _read_json(self) -> dict[str, Any]:
        if self.form is not None:
            return dict(self.form)
        if not self.body:
            return {}
        if self.body[:1] == b"-":
            return self._read_form(self.body)
        try:
            value = load(self.body, prose=self.prose)
        except TooLargeError:
            return salvage(self.body[:_FORM_EDGE_BYTES] + self.body[-_FORM_EDGE_BYTES:])
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    @staticmethod
    def _read_form(body: bytes) -> dict[str, Any]:
        edges = body if len(body) <= 2 * _FORM_EDGE_BYTES else body[:_FORM_EDGE_BYTES] + body[-_FORM_EDGE_BYTES:]
        return {name.decode(): value.decode("utf-8", "replace") for name, value in _FORM_FIELD.findall(edges)}

    def segment(self, marker: str) -> str | None:
        """The path segment that follows `marker`, decoded: `segment("models")` of `/v1/models/m:generate` is `m`."""
        _, found, rest = self.path.partition(f"/{marker}/")
        return unquote(rest.partition("/")[0]).partition(":")[0] or None if found else None


@dataclass(slots=True)
class WireResponse:
    """What came back before the body."""

    status: int
    headers: Mapping[str, str]


_DONE = (b"[DONE]\n\n", b"[DONE]\r\n\r\n")


def _is_done(data: bytes) -> bool:
    return data.endswith(_DONE)


@dataclass(frozen=True, slots=True)
class Dialect:
    """One wire API.

    `endpoints` are the endings of the paths it may live at: they keep every other request of the app cheap.
    `open` reads a request and says, by returning a Call, that it is one of this API.
    `read` takes one message of the response: the whole body of a plain response, or one event of a stream.
    `telling` are marks of the messages that hold more than content; while content is off, no others are parsed.
    `ends` says of a piece of a stream that the stream may be through with it, so that it is read now: whoever reads
    the stream may stop there.
    `finishes` says that its streams say so when they are through: one that just stops was broken off.
    `ids` says that an id may follow the endpoint: /responses/ID.
    `wraps` says that its messages carry others inside long strings, which must then be kept.
    `answer` reads status and headers, for the APIs that report usage there.
    """

    name: str
    provider: str
    endpoints: tuple[str, ...]
    open: Callable[[WireRequest], Call | None]
    read: Callable[[Call, Any, Frame], None]
    telling: tuple[bytes, ...] | None = None
    ends: Callable[[bytes], bool] = _is_done
    finishes: bool = False
    answer: Callable[[Call, WireResponse], None] | None = None
    wraps: bool = False
    methods: tuple[str, ...] = ("POST",)
    ids: bool = False


@cache
def all_dialects() -> tuple[Dialect, ...]:
    """Every dialect there is: adding one is adding a module to `dialects/`."""
    from taximeter import dialects

    modules = sorted(module.name for module in iter_modules(dialects.__path__))
    found = [getattr(import_module(f"{dialects.__name__}.{name}"), "DIALECT", None) for name in modules]
    return tuple(dialect for dialect in found if dialect is not None)


@lru_cache(maxsize=512)
def _candidates(method: str, path: str) -> tuple[Dialect, ...]:
    """The dialects whose endpoints a path may be."""
    return tuple(
        dialect
        for dialect in all_dialects()
        if method in dialect.methods
        and (
            path.endswith(dialect.endpoints)
            or (dialect.ids and any(f"{ending}/" in path for ending in dialect.endpoints))
        )
    )


def is_endpoint(method: str, path: str) -> bool:
    """Whether a path ends as those of model APIs do, or in an id behind such an ending."""
    return bool(_candidates(method, path))


def find(request: WireRequest) -> tuple[Dialect, Call] | None:
    """The dialect that a request is made in, with the call that it asks for; None if it asks no model anything."""
    for dialect in _candidates(request.method, request.path):
        if (call := dialect.open(request)) is not None:
            return dialect, call
    return None
