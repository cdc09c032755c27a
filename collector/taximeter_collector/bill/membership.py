"""Which keys can be known: a Bloom filter in one word a key, so that what is new is not looked for on disk."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from taximeter_collector.bill.fingerprints import Keys

__all__ = ["Membership"]

_MOST_KEYS_PER_WORD = 6
"""10.7 bits a key and two of them set: 3 % of the unknown keys are looked for."""
_LEAST_BITS = 14
_ONE = np.uint64(1)
_SIX, _BITS_OF_A_PLACE = np.uint64(6), np.uint64(63)


class Membership:
    """Says no only if a key was never added."""

    def __init__(self, keys: int = 0) -> None:
        """With room for so many; it is not added to beyond that."""
        self._bits = max(_LEAST_BITS, (keys // _MOST_KEYS_PER_WORD).bit_length())
        self._words: Keys = np.zeros(1 << self._bits, np.uint64)
        self._shift = np.uint64(64 - self._bits)
        self.room = _MOST_KEYS_PER_WORD << self._bits
        self.nbytes = self._words.nbytes

    def add(self, keys: Keys) -> None:
        """Keys in ascending order, so that memory is passed over once."""
        if not len(keys):
            return
        words = (keys >> self._shift).view(np.int64)
        firsts = np.flatnonzero(np.concatenate(([True], words[1:] != words[:-1])))
        self._words[words[firsts]] |= np.bitwise_or.reduceat(_marks(keys), firsts)

    def may_know(self, keys: Keys) -> npt.NDArray[np.bool_]:
        """Where a key may have been added."""
        marks = _marks(keys)
        return np.asarray((self._words.take((keys >> self._shift).view(np.int64)) & marks) == marks)


def _marks(keys: Keys) -> Keys:
    marks = _ONE << (keys & _BITS_OF_A_PLACE)
    marks |= _ONE << ((keys >> _SIX) & _BITS_OF_A_PLACE)
    return marks
