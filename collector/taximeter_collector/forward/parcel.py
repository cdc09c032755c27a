"""A request on its way, whole or in pieces."""

from __future__ import annotations

from dataclasses import dataclass, field

from taximeter_collector.forward.dead_letter import Letter
from taximeter_collector.forward.splitting import halves
from taximeter_collector.journal import Signal

__all__ = ["Again", "Parcel", "Piece"]


@dataclass(slots=True)
class Again:
    """A dead letter that is sent again, and how many parcels with something of it are not settled."""

    letter: Letter
    parcels: int = 1


@dataclass(frozen=True, slots=True)
class Parcel:
    """A request to be delivered. `first` is where it begins in the window; None for one that was put aside before."""

    signal: Signal
    payload: bytes
    items: int
    first: int | None = None
    last: int | None = None
    again: Again | None = None


@dataclass(slots=True)
class _Progress:
    """Of one parcel."""

    pieces: int = 1  # that are not settled
    taken: int = 0
    refused: int = 0
    stopped: bool = False


@dataclass(slots=True, eq=False)
class Piece:
    """A parcel, or a part of it: it is taken, put aside, or parted again."""

    parcel: Parcel
    payload: bytes
    items: int
    failures: int = 0  # of the backend, over this piece
    passed: int = 0  # how many requests had been taken before its first try
    progress: _Progress = field(default_factory=_Progress)

    @property
    def is_whole(self) -> bool:
        """Whether it is the parcel."""
        return self.payload is self.parcel.payload

    def parted(self, passed: int) -> list[Piece]:
        """It in two, if it can be parted."""
        try:
            parts = halves(self.parcel.signal, self.payload) if self.items > 1 else []
        except Exception:  # what cannot be read goes, or stays, as a whole
            return []
        if len(parts) < 2:
            return []
        return [Piece(self.parcel, payload, items, 0, passed, self.progress) for payload, items in parts]
