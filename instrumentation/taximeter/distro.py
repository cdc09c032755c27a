"""What `opentelemetry-instrument` needs to work without a single variable: defaults, where the user chose nothing."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]
from opentelemetry.sdk._configuration import _OTelSDKConfigurator

__all__ = ["TaximeterConfigurator", "TaximeterDistro", "program_name"]

_EXPORTERS = ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER")
_PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_GRPC_PORT = ":4317"

# Options of the interpreter that take the next word as their value.
_INTERPRETER_OPTIONS_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")


class TaximeterDistro(BaseDistro):  # type: ignore[misc] # the base is untyped
    """Fills the gaps: OTLP over http/protobuf to localhost:4318, as the specification has it."""

    def _configure(self, **kwargs: Any) -> None:
        for exporter in _EXPORTERS:
            os.environ.setdefault(exporter, "otlp")
        if not _speaks_grpc():
            os.environ.setdefault(_PROTOCOL, "http/protobuf")


def _speaks_grpc() -> bool:
    """Whether the endpoint that the user named is a gRPC one, and can be spoken to."""
    return (
        _GRPC_PORT in os.environ.get(_ENDPOINT, "") and find_spec("opentelemetry.exporter.otlp.proto.grpc") is not None
    )


class TaximeterConfigurator(_OTelSDKConfigurator):
    """The SDK's own configuration, with the program's name for a service that nobody named.

    The name goes to this process only. In a variable, every child would inherit it.
    """

    def _configure(self, **kwargs: Any) -> None:
        named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        name = program_name(sys.orig_argv)
        if not named and name and not os.environ.get("OTEL_CONFIG_FILE"):
            kwargs["resource_attributes"] = {**(kwargs.get("resource_attributes") or {}), "service.name": name}
        super()._configure(**kwargs)  # type: ignore[no-untyped-call]


def program_name(command: list[str]) -> str | None:
    """What a Python command line runs: its script or module; None for code from the prompt.

    >>> program_name(["python", "-X", "dev", "app.py", "--port", "80"])
    'app'
    >>> program_name(["python", "-m", "shop.checkout"])
    'shop.checkout'
    """
    words = iter(command[1:])
    for word in words:
        if word == "-c":
            return None
        if word == "-m":
            return next(words, None)
        if word in _INTERPRETER_OPTIONS_WITH_VALUE:
            next(words, None)
        elif not word.startswith("-"):
            script = Path(word)
            return script.parent.resolve().name if script.stem == "__main__" else script.stem or None
    return None
