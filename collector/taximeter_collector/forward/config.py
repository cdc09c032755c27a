"""What a user sets about a destination."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from taximeter_collector.forward.endpoint import EndpointError, endpoint
from taximeter_collector.forward.treatment.config import SIGNALS, TreatmentConfig, problems
from taximeter_collector.settings import Kind, choice, count, duration, file, flag, names, setting, size, text

__all__ = ["HEADER_NAME", "NAME", "Destination", "contradictions", "pairs_of"]

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LOOKS_SECRET = re.compile(r"authorization|cookie|key|token|secret|password|x-honeycomb-team", re.IGNORECASE)


def _read_headers(value: Any) -> tuple[str, ...]:
    found: tuple[str, ...] = names.read(value)
    if any(not HEADER_NAME.fullmatch(name) or "\n" in told or "\r" in told for name, told in pairs_of(found)):
        raise ValueError("headers such as 'name=value,name=value'")
    return found


def pairs_of(headers: tuple[str, ...]) -> list[tuple[str, str]]:
    """Headers as names and values; percent signs in values are undone, as in OTEL_EXPORTER_OTLP_HEADERS.

    >>> pairs_of(("X-Scope-OrgID=shop", "note=a%2Cb"))
    [('x-scope-orgid', 'shop'), ('note', 'a,b')]
    """
    parts = (item.partition("=") for item in headers)
    return [(name.strip().lower(), unquote(told.strip())) for name, _, told in parts]


headers_kind = Kind("list", _read_headers, list)


@dataclass(frozen=True, slots=True)
class Destination(TreatmentConfig):
    """`[forward.NAME]`: a backend that gets what is received."""

    enabled: bool = setting(flag, True, "Whether anything is sent there; if not, the journal waits for it.")
    preset: str = setting(text, "", "A backend that is known by name; its settings hold where you make none.")
    endpoint: str = setting(
        text, "", "Where it is: http://, https://, grpc:// or grpcs://; over HTTP, /v1/traces and so on are appended."
    )
    region: str = setting(text, "", "What stands for `{region}` in a preset's endpoint.")
    protocol: str = setting(
        choice("auto", "http", "grpc"), "auto", "`auto` goes by the scheme; http:// and https:// at port 4317 are gRPC."
    )
    traces_endpoint: str = setting(text, "", "Where traces go instead, as it is: nothing is appended.")
    metrics_endpoint: str = setting(text, "", "Where metrics go instead, likewise.")
    logs_endpoint: str = setting(text, "", "Where log records go instead, likewise.")
    key: str = setting(text, "", "The key that the backend asks for. From the environment only.", secret=True)
    key_file: Path | None = setting(file, "", "A file with the key; read again on SIGHUP.")
    key_header: str = setting(text, "authorization", "The header that the key is sent in.")
    key_form: str = setting(
        choice("bearer", "basic", "plain"),
        "bearer",
        "How: after `Bearer`, as `Basic` in base64 (a key USER:PASSWORD), or as it is.",
    )
    headers: tuple[str, ...] = setting(headers_kind, [], "More headers, `name=value,name=value`; no secrets.")
    secret_headers: tuple[str, ...] = setting(
        headers_kind, "", "Headers that are secrets, likewise. From the environment only.", secret=True
    )
    headers_file: Path | None = setting(
        file, "", "A file of headers, a line each: `NAME: VALUE`; read again on SIGHUP."
    )
    compression: str = setting(
        choice("gzip", "zstd", "none"), "gzip", "How requests are compressed; `zstd` over HTTP only."
    )
    tls_ca: Path | None = setting(file, "", "Who signed the backend's certificate, PEM, instead of the system's list.")
    tls_certificate: Path | None = setting(file, "", "Our certificate for it, PEM.")
    tls_key: Path | None = setting(file, "", "Its private key, PEM.")
    timeout_s: float = setting(duration, "30s", "How long an answer may take, all in all.", at_least=0.1, at_most=600)
    requests: int = setting(count, 4, "Requests at one time; 1 keeps their order.", at_least=1, at_most=64)
    in_flight: int = setting(size, "32MiB", "Bytes in requests that are being sent or wait for it.", at_least=1 << 16)
    longest_pause_s: float = setting(
        duration, "1m", "The longest pause between attempts, unless the backend asks for more.", at_least=0.1
    )
    drain_timeout_s: float = setting(
        duration, "5s", "How long sending may go on at shutdown; the rest is sent after the next start.", at_most=60
    )
    dead_letter_size: int = setting(
        size,
        "1GiB",
        "What refused requests may take of the disk; beyond it sending stops until there is room.",
        at_least=1 << 20,
    )

    def urls(self) -> Iterator[tuple[str, str, str]]:
        """Each signal that is sent, the URL for it, and the key of the setting that has it."""
        for signal in SIGNALS:
            if signal in self.signals:
                own = getattr(self, f"{signal}_endpoint")
                key = f"{signal}_endpoint" if own else "endpoint"
                yield signal, (own or self.endpoint).replace("{region}", self.region or "{region}"), key


def contradictions(name: str, destination: Destination, presets: tuple[str, ...]) -> Iterator[str]:
    """Settings of a destination that are right one by one, and wrong together."""
    where = f"forward.{name}"
    if destination.preset and destination.preset not in presets:
        yield f"{where}.preset = {destination.preset!r}: expected one of {', '.join(presets)}"
    for key, why in problems(destination):
        yield f"{where}.{key}: {why}"
    yield from _endpoint_problems(where, destination)
    if bool(destination.tls_certificate) != bool(destination.tls_key):
        yield f"{where}.tls_certificate, {where}.tls_key: each needs the other"
    for header, _ in pairs_of(destination.headers):
        if _LOOKS_SECRET.search(header):
            yield f"{where}.headers: {header!r} looks like a secret; use {where}.secret_headers or .headers_file"


def _endpoint_problems(where: str, destination: Destination) -> Iterator[str]:
    told = set()
    for signal, url, key in destination.urls():
        if (key, url) in told:
            continue
        told.add((key, url))
        if not url:
            yield f"{where}.endpoint: needed, such as 'http://localhost:4318'"
        elif "{region}" in url:
            yield f"{where}.region: needed for the endpoint {url}"
        else:
            yield from _problems_of_url(f"{where}.{key}", destination, url, signal)


def _problems_of_url(key: str, destination: Destination, url: str, signal: str) -> Iterator[str]:
    try:
        found = endpoint(url, destination.protocol, signal, as_it_is=not key.endswith(".endpoint"))
    except EndpointError as error:
        yield f"{key}: {error}"
        return
    if found.protocol == "grpc" and destination.compression == "zstd":
        yield f"{key}: compression 'zstd' is for HTTP; over gRPC use 'gzip' or 'none'"
    if not found.tls and (destination.tls_ca or destination.tls_certificate):
        yield f"{key}: {found.shown} is not TLS; with a certificate use https:// or grpcs://"
