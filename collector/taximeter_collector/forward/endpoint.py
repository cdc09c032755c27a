"""Where requests go, from what a user writes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = ["METHODS", "Endpoint", "EndpointError", "endpoint"]

METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
_SIGNAL_PATH = re.compile(r"/v1/(traces|metrics|logs)/?$")
_SCHEMES = {"http": (None, False), "https": (None, True), "grpc": ("grpc", False), "grpcs": ("grpc", True)}
_GRPC_PORT = 4317
_PORTS = {("http", False): 80, ("http", True): 443, ("grpc", False): _GRPC_PORT, ("grpc", True): 443}


class EndpointError(ValueError):
    """A URL that cannot be used; the sentence is for a person."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place that takes one signal."""

    protocol: str
    tls: bool
    host: str
    port: int
    path: str

    @property
    def place(self) -> str:
        """Host and port.

        >>> endpoint("http://[::1]:4318").place
        '[::1]:4318'
        """
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def shown(self) -> str:
        """For people: without a query, which may be a secret."""
        scheme = {"http": "http", "grpc": "grpc"}[self.protocol] + ("s" if self.tls else "")
        return f"{scheme}://{self.place}{self.path.partition('?')[0] if self.protocol == 'http' else ''}"


def endpoint(url: str, protocol: str = "auto", signal: str = "traces", *, as_it_is: bool = False) -> Endpoint:
    """What a URL means for a signal. EndpointError if it cannot be used.

    >>> endpoint("https://example.com/otlp").shown
    'https://example.com:443/otlp/v1/traces'
    >>> endpoint("http://localhost:4317").shown
    'grpc://localhost:4317'
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise EndpointError(f"{_hidden(url)!r} is no URL: {error}") from error
    if parts.scheme not in _SCHEMES or not host or re.search(r"[\s\x00-\x20]", url):
        raise EndpointError(
            f"expected a URL such as 'http://localhost:4318' or 'grpc://localhost:4317', not {_hidden(url)!r}"
        )
    if parts.username or parts.password:
        raise EndpointError("a URL with a password in it would be shown and logged; use `key` with `key_form`")
    of_scheme, tls = _SCHEMES[parts.scheme]
    spoken = of_scheme or (("grpc" if port == _GRPC_PORT else "http") if protocol == "auto" else protocol)
    if of_scheme and protocol not in ("auto", of_scheme):
        raise EndpointError(f"{parts.scheme}:// and protocol {protocol!r} contradict each other")
    path = METHODS[signal] if spoken == "grpc" else _path(parts.path, parts.query, signal, as_it_is=as_it_is)
    return Endpoint(spoken, tls, host, port or _PORTS[spoken, tls], path)


def _hidden(url: str) -> str:
    """Without what may be a password or a key."""
    return re.sub(r"//[^/]*@", "//***@", url.partition("?")[0])


def _path(path: str, query: str, signal: str, *, as_it_is: bool) -> str:
    """People also write the whole path of one signal where the base of all is meant."""
    whole = path or "/" if as_it_is else f"{_SIGNAL_PATH.sub('', path).rstrip('/')}/v1/{signal}"
    return f"{whole}?{query}" if query else whole
