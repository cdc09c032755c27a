"""Variables that switch telemetry off, lead it elsewhere, or mean nothing to anybody."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from urllib import request
from urllib.parse import urlsplit

from taximeter_cli.doctoring.finding import Finding, error, note, ok, warning
from taximeter_cli.doctoring.subject import NoSettings, Subject

__all__ = ["TITLE", "check"]

TITLE = "Variables"

_SIGNALS = ("TRACES", "METRICS", "LOGS")
_LOCAL = ("localhost", "127.0.0.1", "::1", "0.0.0.0")
_OURS = ("otlp", "taximeter_print", "console")
_TRUE = ("true", "1", "yes", "on")
_MODULES = (
    "opentelemetry.environment_variables",
    "opentelemetry.sdk.environment_variables",
    "opentelemetry.instrumentation.environment_variables",
    "opentelemetry.util.genai.environment_variables",
)
# Of instrumentations and of coding agents, each of which reads some of its own.
_OF_OTHERS = re.compile(
    r"OTEL_(INSTRUMENTATION|PYTHON|SEMCONV|EXPORTER_(OTLP|PROMETHEUS)|RESOURCE|LOG_|METRICS_INCLUDE|NODE|JAVA|DOTNET)"
)


def check(subject: Subject) -> Iterator[Finding]:
    """Those of OpenTelemetry, of ours, and of proxies."""
    environment = subject.environment
    found = [*_off(environment), *_elsewhere(subject), *_protocol(environment), *_unknown(environment)]
    found += _ours(subject)
    found += _proxies(environment)
    told = sorted(name for name in environment if name.startswith(("OTEL_", "TAXIMETER_")))
    if not found:
        yield ok(f"{', '.join(told) if told else 'none of OTEL_* and TAXIMETER_* is set'}; nothing leads astray")
    yield from found


def _off(environment: Mapping[str, str]) -> Iterator[Finding]:
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        yield error("OTEL_SDK_DISABLED=true switches all telemetry off", "unset OTEL_SDK_DISABLED")
    disabled = [one.strip() for one in environment.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")]
    if {"taximeter", "*"} & set(disabled):
        yield error(
            f"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS={','.join(disabled)}: apps are not metered",
            "take taximeter out of it; for one app alone, set it for that app",
        )
    for signal in _SIGNALS:
        name = f"OTEL_{signal}_EXPORTER"
        exporters = {one.strip() for one in environment.get(name, "otlp").split(",")}
        if not exporters & set(_OURS):
            say = warning if signal == "TRACES" else note
            yield say(
                f"{name}={environment[name]}: an app's {signal.lower()} do not reach a collector", f"unset {name}"
            )
    sampler = environment.get("OTEL_TRACES_SAMPLER", "")
    if sampler and "always_on" not in sampler:
        share = environment.get("OTEL_TRACES_SAMPLER_ARG", "")
        yield warning(
            f"OTEL_TRACES_SAMPLER={sampler}{f', {share}' if share else ''}: calls whose span is not sampled are not "
            "in the ledger, and what they cost is missing",
            "unset it; to send a backend fewer spans, let the collector sample: forward.NAME.sample",
        )


def _elsewhere(subject: Subject) -> Iterator[Finding]:
    """Endpoints that are not one of the places where the collector of these settings listens."""
    try:
        ours = {place.port for place in (subject.config.receive.http, subject.config.receive.grpc) if place}
    except NoSettings:
        ours = {4317, 4318}
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", *(f"OTEL_EXPORTER_OTLP_{one}_ENDPOINT" for one in _SIGNALS)):
        if not (value := subject.environment.get(name)):
            continue
        try:
            parts = urlsplit(value)
            host, port = parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        except ValueError as problem:
            yield error(f"{name} is no URL: {problem}", "expected such as http://localhost:4318")
            continue
        if host in _LOCAL and port in ours:
            yield ok(f"{name}={value}: where a collector with these settings listens")
        else:
            yield warning(
                f"{name}={value} leads telemetry of apps elsewhere than to a collector with these settings",
                "unset it; for a backend, set forward.NAME.endpoint in the collector, which sends on",
            )


def _protocol(environment: Mapping[str, str]) -> Iterator[Finding]:
    protocol = environment.get("OTEL_EXPORTER_OTLP_PROTOCOL", "")
    endpoint = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    if protocol == "grpc" and not find_spec("opentelemetry.exporter.otlp.proto.grpc"):
        yield error(
            "OTEL_EXPORTER_OTLP_PROTOCOL=grpc, and its exporter is not installed: apps would send nothing",
            "unset it, or pip install opentelemetry-exporter-otlp-proto-grpc",
        )
    if (protocol.startswith("http") and endpoint.rstrip("/").endswith(":4317")) or (
        protocol == "grpc" and endpoint.rstrip("/").endswith(":4318")
    ):
        yield warning(
            f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol} and {endpoint}: 4317 is the port for gRPC, 4318 that for HTTP",
            "change one of the two",
        )


def _unknown(environment: Mapping[str, str]) -> Iterator[Finding]:
    known = _known()
    for name in sorted(environment):
        if name.startswith("OTEL_") and name not in known:
            close = difflib.get_close_matches(name, known, 1, 0.9)
            if close:
                yield warning(f"{name} is read by nobody", f"did you mean {close[0]}?")
            elif not _OF_OTHERS.match(name):
                yield note(f"{name} is read by nothing in this environment; another program may read it")


def _known() -> set[str]:
    """What the libraries that are installed say that they read."""
    modules = {one.value for one in entry_points(group="opentelemetry_environment_variables")}
    found: set[str] = set()
    for module in {*modules, *_MODULES} - {"taximeter_cli.precedence"}:
        try:
            declared = vars(import_module(module))
        except ImportError:
            continue
        found |= {value for value in declared.values() if isinstance(value, str) and value.startswith("OTEL_")}
    return found


def _ours(subject: Subject) -> Iterator[Finding]:
    for problem in subject.problems:
        if found := re.match(r"(TAXIMETER_\w+) \(environment\): (unknown .*)", problem):
            yield error(f"{found[1]}: {found[2]}", f"unset {found[1]}, or write what is meant")


def _proxies(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Exporters go through a proxy, also to this machine, unless they are told otherwise."""
    if environment != dict(os.environ):
        return
    proxies = request.getproxies()
    if "http" in proxies and not request.proxy_bypass("localhost"):
        yield warning(
            f"http_proxy={proxies['http']} without localhost in no_proxy: apps send telemetry for this machine there",
            "export NO_PROXY=localhost,127.0.0.1,::1",
        )
