"""Sets of 64-bit numbers by sorting, which vector instructions do several times faster than hashing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["among", "distinct", "without"]

Array = npt.NDArray[Any]


def distinct(numbers: Array) -> Array:
    """Each once, in ascending order."""
    ordered = np.sort(numbers)
    if len(ordered) < 2:
        return ordered
    new = ordered[1:] != ordered[:-1]
    return ordered if new.all() else ordered[np.concatenate(([True], new))]


def among(numbers: Array, some: Array) -> npt.NDArray[np.bool_]:
    """Which of the numbers are among some."""
    if not len(some):
        return np.zeros(len(numbers), np.bool_)
    ordered = np.sort(some)
    if len(ordered) * 16 < len(numbers):
        return _found(ordered, numbers)
    order = np.argsort(numbers)  # looked up in ascending order, one comes out of the cache after the other
    found = np.empty(len(numbers), np.bool_)
    found[order] = _found(ordered, numbers[order])
    return found


def without(numbers: Array, some: Array) -> Array:
    """Each of the numbers that is not among some, once, in ascending order."""
    left = distinct(numbers)
    return left[~_found(np.sort(some), left)] if len(some) and len(left) else left


def _found(ordered: Array, numbers: Array) -> npt.NDArray[np.bool_]:
    return np.asarray(ordered[np.minimum(np.searchsorted(ordered, numbers), len(ordered) - 1)] == numbers)
