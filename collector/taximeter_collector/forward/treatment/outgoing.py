"""What comes out of a treatment."""

from __future__ import annotations

from dataclasses import dataclass

from taximeter_collector.journal import Signal

__all__ = ["Outgoing", "SetAside"]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request for the backend."""

    signal: Signal
    payload: bytes
    """An Export*ServiceRequest."""
    items: int
    """Spans, log records or data points in it."""
    first: int
    last: int
    """The journal positions that it came from. Those of several requests may overlap, and with `keep` they come in any
    order: the cursor may pass a position when no request that is not delivered begins at or before it."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """What is not sent, for the dead-letter file."""

    signal: Signal
    payload: bytes
    """A request of its own; as it was received if it could not be read."""
    items: int
    position: int
    reason: str
    treated: bool
    """Whether it is as it would have been sent, redacted and all. What is not must pass a treatment if it is sent."""
