"""What the index knows: under which key what is found. A kind is a constant that the key is combined with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from taximeter_collector.bill.fingerprints import Keys, joined

__all__ = [
    "ABOVE",
    "BLANK_BELOW",
    "BLANK_LOG",
    "INSTEAD",
    "LIKE",
    "LINK",
    "OUTCOME",
    "RESPONSE",
    "SPAN",
    "TELLING_BELOW",
    "TELLING_LOG",
    "WAITS",
    "keyed",
    "likeness_of",
    "numbers_of",
    "span_values",
]

_NUMBER_BITS = np.uint64(40)
_NUMBER = np.uint64((1 << 40) - 1)
_SALTS = [np.uint64(each) for each in (np.arange(1, 13, dtype=np.uint64) * np.uint64(0xD6E8FEB86659FD93))]

RESPONSE, SPAN, LIKE, TELLING_LOG, BLANK_LOG, TELLING_BELOW, BLANK_BELOW, LINK, WAITS, ABOVE, OUTCOME, INSTEAD = _SALTS
"""
By response id: the views with it. By span: the views that are it (with a part of their likeness); the log records that
were written in it, those that tell of usage and those that do not; the views below it, likewise; of a span that is no
call and was told of late, its parent; the views that wait to know it. By likeness: the views that have no span of their
own. By the number of a view: the spans of the calls above it; what became of it, the last being true; the views that
are not billed because it is.
"""
_BY_NUMBER = frozenset({int(ABOVE), int(OUTCOME), int(INSTEAD)})


def keyed(kind: np.uint64, of: npt.NDArray[Any]) -> Keys:
    """The keys of a kind, for fingerprints or for numbers of views. What has no fingerprint has no key."""
    if int(kind) in _BY_NUMBER:
        return joined(of.astype(np.uint64) + np.uint64(1), kind)
    return np.where(of == 0, np.uint64(0), of ^ kind)


def span_values(numbers: npt.NDArray[np.int64], likeness: Keys) -> Keys:
    """What is found by a span: a view's number, and enough of its likeness to recognise one that is sent again."""
    return (likeness & ~_NUMBER) | numbers.astype(np.uint64)


def numbers_of(values: Keys) -> npt.NDArray[np.int64]:
    return (values & _NUMBER).astype(np.int64)


def likeness_of(values: Keys) -> Keys:
    return values >> _NUMBER_BITS
