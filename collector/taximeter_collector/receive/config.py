"""What a user sets about receiving."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from taximeter_collector.settings import Address, address, count, duration, file, flag, names, secrets, setting, size

__all__ = ["ReceiveConfig"]


@dataclass(frozen=True, slots=True)
class ReceiveConfig:
    """`[receive]`: where OTLP comes in, from whom, and how much of it."""

    http: Address | None = setting(
        address, "127.0.0.1:4318", "Where OTLP/HTTP listens; `off` for not at all, port 0 for a free one."
    )
    grpc: Address | None = setting(
        address, "127.0.0.1:4317", "Where OTLP/gRPC listens; `off` for not at all, port 0 for a free one."
    )
    status: Address | None = setting(
        address,
        "off",
        "A second place for /healthz, /readyz and /metrics, without TLS and tokens; they are on `http` anyway.",
    )
    tokens: tuple[tuple[str, str], ...] = setting(
        secrets, "", "Bearer tokens, `NAME=TOKEN,NAME=TOKEN`. From the environment only.", secret=True
    )
    token_file: Path | None = setting(
        file, "", "A file of bearer tokens, a line each: `NAME TOKEN`. Read again on SIGHUP."
    )
    tls_certificate: Path | None = setting(
        file, "", "The certificate chain, PEM; TLS is on with it. Read again on SIGHUP."
    )
    tls_key: Path | None = setting(file, "", "Its private key, PEM.")
    tls_client_ca: Path | None = setting(
        file, "", "Who signs clients' certificates, PEM; with it, clients must have one."
    )
    allow_unauthenticated: bool = setting(
        flag, False, "Listen beyond this machine although neither tokens nor client certificates are asked for."
    )
    cors_origins: tuple[str, ...] = setting(
        names, [], "Origins whose pages may send, such as `https://app.example.com` or `https://*.example.com`."
    )
    max_request: int = setting(
        size, "64MiB", "The largest request in protobuf, after decompression.", at_least=1024, at_most=1 << 30
    )
    max_json_request: int = setting(
        size,
        "16MiB",
        "The largest request in JSON, after decompression; JSON takes ten times its size in memory.",
        at_least=1024,
        at_most=1 << 30,
    )
    memory: int = setting(
        size,
        "128MiB",
        "All bodies at one time; beyond it, senders are told to try again in a second.",
        at_least=1 << 20,
    )
    request_timeout_s: float = setting(duration, "60s", "How long one request may take to arrive.", at_least=0.1)
    idle_timeout_s: float = setting(duration, "5m", "How long a connection may be without a request.", at_least=0.1)
    max_connections: int = setting(count, 4096, "HTTP connections at one time.", at_least=1)
    drain_timeout_s: float = setting(
        duration, "10s", "How long requests that are under way may take to finish at shutdown."
    )
