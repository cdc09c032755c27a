"""What was seen lately, in memory that does not grow."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from taximeter_collector.bill.fingerprints import Keys

__all__ = ["Remembered", "again"]

_SPREAD = np.uint64(0x9E3779B97F4A7C15)


class Remembered:
    """About the last 2**bits fingerprints: each has one place, and is forgotten when another needs it.

    >>> seen = Remembered(10)
    >>> seen.add(np.array([7], np.uint64))
    >>> seen.known(np.array([7, 8], np.uint64)).tolist()
    [True, False]
    """

    def __init__(self, bits: int) -> None:
        self._places = np.zeros(1 << bits, np.uint64)
        self._shift = np.uint64(64 - bits)

    def known(self, keys: Keys) -> npt.NDArray[np.bool_]:
        """Which of them were added; never 0."""
        found: npt.NDArray[np.bool_] = (self._places[self._place(keys)] == keys) & (keys != 0)
        return found

    def add(self, keys: Keys) -> None:
        """From now on they are known."""
        self._places[self._place(keys)] = keys

    def _place(self, keys: Keys) -> npt.NDArray[np.uint64]:
        place: npt.NDArray[np.uint64] = (keys * _SPREAD) >> self._shift
        return place


def again(keys: Keys, of: npt.NDArray[np.int64] | None = None) -> npt.NDArray[np.bool_]:
    """Which keys are there before, in the same array; with `of`, only in what is of something else.

    >>> again(np.array([5, 6, 5, 0, 0], np.uint64)).tolist()
    [False, False, True, False, False]
    """
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    found = first[which] != np.arange(len(keys))
    if of is not None:
        found &= of[first[which]] != of
    told: npt.NDArray[np.bool_] = found & (keys != 0)
    return told
