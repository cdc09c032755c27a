"""OTLP over gRPC, with messages as bytes."""

from __future__ import annotations

from typing import Any

import grpc

from taximeter_collector.forward.answers import Answer, Verdict, of_grpc, taken
from taximeter_collector.forward.config import Destination
from taximeter_collector.forward.credentials import Credentials
from taximeter_collector.forward.endpoint import Endpoint
from taximeter_collector.forward.grpc_compression import compressed_beforehand
from taximeter_collector.forward.sender import user_agent

__all__ = ["GrpcSender"]


class GrpcSender:
    """See `Sender`. gRPC's own retries are off: what fails is seen, counted, and sent again by us."""

    def __init__(self, place: Endpoint, destination: Destination, credentials: Credentials) -> None:
        self._place = place
        self._credentials = credentials
        self._is_gzip = destination.compression == "gzip"
        self._metadata = [(name, value) for name, value in credentials.headers.items() if name != "user-agent"]
        self._timeout_s = destination.timeout_s
        self._paths: dict[str, str] = {}
        self._calls: dict[str, Any] = {}
        self._is_closed = False
        self._channel = self._open()

    def _open(self) -> grpc.Channel:
        options = [
            ("grpc.enable_retries", 0),
            ("grpc.max_send_message_length", -1),
            ("grpc.use_local_subchannel_pool", 1),  # a connection for each sender
            ("grpc.primary_user_agent", user_agent()),
            ("grpc.initial_reconnect_backoff_ms", 200),
            ("grpc.min_reconnect_backoff_ms", 200),
            ("grpc.max_reconnect_backoff_ms", 5_000),  # our own pauses are longer
        ]
        gzip = grpc.Compression.Gzip if self._is_gzip else grpc.Compression.NoCompression
        told = self._credentials
        if self._place.tls:
            trusted = grpc.ssl_channel_credentials(told.ca, told.key, told.certificate)
            return grpc.secure_channel(self._place.place, trusted, options, gzip)
        return grpc.insecure_channel(self._place.place, options, gzip)

    def serve(self, signal: str, place: Endpoint) -> None:
        """Take requests of this signal, too."""
        self._paths[signal] = place.path

    def send(self, signal: str, payload: bytes) -> Answer:
        """See `Sender.send`."""
        try:
            call = self._calls.get(signal) or self._call(signal)
            return taken(signal, call(payload, timeout=self._timeout_s, metadata=self._metadata))
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                self._renew()
                return Answer(Verdict.LATER, "timeout", "no answer in time")
            return of_grpc(error.code(), error.details() or "", error.trailing_metadata())
        except (TypeError, ValueError) as error:  # we are ending; or a header is none that gRPC takes
            if self._is_closed:
                return Answer(Verdict.LATER, "closed", "we are shutting down")
            return Answer(Verdict.TO_PUT_RIGHT, "metadata", f"gRPC does not take a header: {error}")

    def _call(self, signal: str) -> Any:
        call: Any = self._channel.unary_unary(self._paths[signal])
        self._calls[signal] = compressed_beforehand(call) if self._is_gzip else call
        return self._calls[signal]

    def _renew(self) -> None:
        """Connect anew: a connection over which nothing comes any more would be kept for a quarter of an hour."""
        if not self._is_closed:
            self._channel.close()
            self._calls.clear()
            self._channel = self._open()
            if self._is_closed:  # by another thread, just now
                self._channel.close()

    def abort(self) -> None:
        """See `Sender.abort`."""
        self.close()

    def close(self) -> None:
        """See `Sender.close`."""
        self._is_closed = True
        self._channel.close()
