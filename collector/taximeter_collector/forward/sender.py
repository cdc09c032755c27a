"""What sends a request: one interface, two protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from taximeter_collector.forward.config import Destination
from taximeter_collector.forward.credentials import Credentials
from taximeter_collector.forward.deadlines import Deadlines
from taximeter_collector.forward.endpoint import Endpoint, endpoint

if TYPE_CHECKING:  # gRPC is loaded by those who send
    from taximeter_collector.forward.answers import Answer

__all__ = ["Sender", "Senders", "endpoints", "user_agent"]


class Sender(Protocol):
    """For one thread at a time. Whatever happens is an `Answer`."""

    def send(self, signal: str, payload: bytes) -> Answer:
        """Send a request and wait for what comes of it, not for longer than the timeout."""

    def serve(self, signal: str, place: Endpoint) -> None:
        """Take requests of this signal, too, and send them there."""

    def abort(self) -> None:
        """End what is under way, from another thread."""

    def close(self) -> None:
        """Let go of connections."""


def endpoints(destination: Destination) -> dict[str, Endpoint]:
    """Where each signal goes."""
    return {
        signal: endpoint(url, destination.protocol, signal, as_it_is=key != "endpoint")
        for signal, url, key in destination.urls()
    }


def user_agent() -> str:
    """Who we are, for the backend's logs."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"taximeter-collector/{version('taximeter')}"
    except PackageNotFoundError:
        return "taximeter-collector"


class Senders:
    """A sender for each signal, of the protocol that its endpoint speaks. For one thread."""

    def __init__(self, destination: Destination, credentials: Credentials, deadlines: Deadlines) -> None:
        from taximeter_collector.forward.grpc_sender import GrpcSender
        from taximeter_collector.forward.http_sender import HttpSender

        self._by_signal: dict[str, Sender] = {}
        made: dict[tuple[str, str, bool], Sender] = {}
        for signal, place in endpoints(destination).items():
            key = (place.protocol, place.place, place.tls)
            if key not in made:
                made[key] = (
                    GrpcSender(place, destination, credentials)
                    if place.protocol == "grpc"
                    else HttpSender(place, destination, credentials, deadlines)
                )
            self._by_signal[signal] = made[key]
            made[key].serve(signal, place)
        self._all = list(made.values())

    def send(self, signal: str, payload: bytes) -> Answer:
        """See `Sender.send`."""
        return self._by_signal[signal].send(signal, payload)

    def abort(self) -> None:
        """See `Sender.abort`."""
        for sender in self._all:
            sender.abort()

    def close(self) -> None:
        """See `Sender.close`."""
        for sender in self._all:
            sender.close()
