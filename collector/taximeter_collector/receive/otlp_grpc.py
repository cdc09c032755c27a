"""OTLP over gRPC, on grpc.aio, with messages as bytes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import grpc

from taximeter_collector.receive.access import Identity, Tokens
from taximeter_collector.receive.compression import decompress_grpc
from taximeter_collector.receive.config import ReceiveConfig
from taximeter_collector.receive.intake import Intake
from taximeter_collector.receive.refusals import Reason, Refused, status_of
from taximeter_collector.receive.shape import SHAPES, Shape
from taximeter_collector.telemetry import metrics

__all__ = ["OtlpGrpc"]

_log = logging.getLogger("taximeter.receive")
_TRANSPORT = "grpc"
_PROFILES = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
_HEALTH = "/grpc.health.v1.Health/Check"
_SERVING = b"\x08\x01"  # HealthCheckResponse(status=SERVING)
_SHAPES = {shape.method: shape for shape in SHAPES}

Handler = Callable[[bytes, Any], Awaitable[bytes]]


class OtlpGrpc(grpc.GenericRpcHandler):
    """The export services, and gRPC's own health check."""

    def __init__(self, config: ReceiveConfig, tokens: Tokens, intake: Intake) -> None:
        self.tokens = tokens
        self._config = config
        self._intake = intake
        self._handlers = {method: self._export(shape) for method, shape in _SHAPES.items()} | {
            _PROFILES: grpc.unary_unary_rpc_method_handler(self._refuse_profiles),
            _HEALTH: grpc.unary_unary_rpc_method_handler(self._tell_health),
        }

    def service(self, details: Any) -> Any:
        """See `grpc.GenericRpcHandler.service`."""
        return self._handlers.get(details.method)

    def _export(self, shape: Shape) -> Any:
        async def export(message: bytes, context: Any) -> bytes:
            try:
                return await self._take(shape, message, context)
            except Refused as refused:
                await self._abort(context, refused)
            except (asyncio.CancelledError, grpc.aio.AbortError):
                raise
            except Exception:
                _log.exception("a request could not be answered")
                await self._abort(context, Refused(Reason.INTERNAL, "an error of ours; it is in the log"))

        return grpc.unary_unary_rpc_method_handler(export)

    async def _take(self, shape: Shape, message: bytes, context: Any) -> bytes:
        intake = self._intake
        intake.registry.add(metrics.RECEIVED_BYTES, len(message), _TRANSPORT)
        sender = self.tokens.sender_of(_authorization(context)) if self.tokens.by_name else ""
        content = decompress_grpc(message, self._config.max_request)
        intake.memory.take(len(content))
        try:
            checked = await intake.take(shape, content, _TRANSPORT, sender)
        finally:
            intake.memory.give_back(len(content))
        return shape.answer(checked).SerializeToString()

    async def _abort(self, context: Any, refused: Refused) -> NoReturn:
        self._intake.registry.add(metrics.REFUSED_REQUESTS, 1, _TRANSPORT, refused.reason.value.label)
        details = (("grpc-status-details-bin", status_of(refused).SerializeToString()),)
        await context.abort(refused.reason.value.grpc, refused.message, details)
        raise AssertionError("abort does not return")

    async def _refuse_profiles(self, message: bytes, context: Any) -> bytes:
        await self._abort(
            context,
            Refused(Reason.UNKNOWN_PATH, "profiles are not accepted; this collector takes traces, metrics and logs"),
        )

    async def _tell_health(self, message: bytes, context: Any) -> bytes:
        return _SERVING


def _authorization(context: Any) -> str | None:
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            return value if isinstance(value, str) else None
    return None


def server_options(config: ReceiveConfig) -> list[tuple[str, int]]:
    """How gRPC is to behave."""
    return [
        ("grpc.max_receive_message_length", config.max_request),
        ("grpc.per_message_decompression", 0),  # see `decompress_grpc`
        ("grpc.so_reuseport", 0),  # two collectors on one port would share the senders, and nobody would notice
        ("grpc.max_connection_idle_ms", int(config.idle_timeout_s * 1000)),
        ("grpc.keepalive_time_ms", 60_000),  # finds peers that are gone without a word
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.max_concurrent_streams", 256),
    ]


def server_credentials(load: Callable[[], Identity | None]) -> Any:
    """Credentials that are asked for at each handshake, so that a new certificate takes effect with the next."""
    identity = load()
    assert identity

    def configuration() -> Any:
        now = load()
        assert now
        return grpc.ssl_server_certificate_configuration([(now.key, now.certificate)], root_certificates=now.client_ca)

    return grpc.dynamic_ssl_server_credentials(
        configuration(), configuration, require_client_authentication=identity.client_ca is not None
    )
