"""OTLP over gRPC, on grpc.aio, with messages as bytes."""

from __future__ import annotations

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
_NO_PROFILES = "profiles are not accepted; this collector takes traces, metrics and logs"
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
            _PROFILES: self._refusal(Refused(Reason.UNKNOWN_PATH, _NO_PROFILES)),
            _HEALTH: grpc.unary_unary_rpc_method_handler(self._tell_health),
        }

    def service(self, details: Any) -> Any:
        """See `grpc.GenericRpcHandler.service`. Who may not send is told so before a message is read."""
        if self.tokens.by_name and details.method in _SHAPES:
            try:
                self.tokens.sender_of(_authorization(details.invocation_metadata))
            except Refused as refused:
                return self._refusal(refused)
        return self._handlers.get(details.method)

    def _export(self, shape: Shape) -> Any:
        async def export(message: bytes, context: Any) -> bytes:
            answer = await self._answer(shape, message, context)
            if isinstance(answer, Refused):
                del message  # what is aborted waits for the garbage collection, and its body must not
                await self._abort(context, answer)
            return answer

        return grpc.unary_unary_rpc_method_handler(export)

    async def _answer(self, shape: Shape, message: bytes, context: Any) -> bytes | Refused:
        """What to say. A refusal is made anew, because the one that was raised holds on to all it passed through."""
        try:
            return await self._take(shape, message, context)
        except Refused as refused:
            return Refused(refused.reason, refused.message)
        except Exception:
            _log.exception("a request could not be answered")
            return Refused(Reason.INTERNAL, "an error of ours; it is in the log")

    async def _take(self, shape: Shape, message: bytes, context: Any) -> bytes:
        intake = self._intake
        intake.registry.add(metrics.RECEIVED_BYTES, len(message), _TRANSPORT)
        sender = self.tokens.sender_of(_authorization(context.invocation_metadata())) if self.tokens.by_name else ""
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

    def _refusal(self, refused: Refused) -> Any:
        """Says no without waiting for a message."""

        async def refuse(messages: Any, context: Any) -> bytes:
            await self._abort(context, refused)

        return grpc.stream_unary_rpc_method_handler(refuse)

    async def _tell_health(self, message: bytes, context: Any) -> bytes:
        return _SERVING


def _authorization(metadata: Any) -> str | None:
    for key, value in metadata or ():
        if key == "authorization":
            return value if isinstance(value, str) else None
    return None


def server_options(config: ReceiveConfig) -> list[tuple[str, int]]:
    """How gRPC is to behave."""
    return [
        ("grpc.max_receive_message_length", config.max_request),
        ("grpc.per_message_decompression", 0),  # see `decompress_grpc`
        ("grpc.so_reuseport", 0),  # two collectors on one port would share the senders, and nobody would notice
        ("grpc.max_connection_idle_ms", min(int(config.idle_timeout_s * 1000), 2**31 - 1)),
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
