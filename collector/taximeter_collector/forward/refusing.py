"""When a refused request is parted, to find the record that it is because of: one bad record costs itself."""

from __future__ import annotations

from taximeter_collector.forward.parcel import Piece

__all__ = ["Refusing"]

_FRUITLESS = 24  # a bad record among a million is found after 20 refusals
_MOST = 128
_PARCELS_IN_VAIN = 3


class Refusing:
    """Bounded for each request, and suspended while a backend refuses whatever it gets."""

    def __init__(self) -> None:
        self._in_vain = 0  # parcels of which nothing was taken, in a row
        self._taken = 0

    def is_worth_parting(self, piece: Piece, taken: int) -> bool:
        """A piece was refused; `taken` counts the requests that the backend has taken so far."""
        progress = piece.progress
        progress.refused += 1
        if taken > self._taken:
            self._taken, self._in_vain = taken, 0
        most = _MOST if progress.taken else _FRUITLESS
        return piece.items > 1 and progress.refused < most and self._in_vain < _PARCELS_IN_VAIN

    def settled(self, piece: Piece) -> None:
        """The last piece of a parcel is settled."""
        if piece.progress.refused > 1 and not piece.progress.taken:
            self._in_vain += 1
