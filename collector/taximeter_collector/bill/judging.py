"""The rules of `semantics`, for many views at once: for each, whether it counts, and what counts instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from taximeter_collector.bill.fingerprints import Keys
from taximeter_collector.bill.sets import among
from taximeter_collector.bill.views import (
    AGGREGATE,
    LOG,
    NESTED,
    REASONS,
    RETRANSMITTED,
    SAME_CALL,
    SAME_RESPONSE,
    TELLS,
    VERDICT,
    flag,
)

__all__ = ["BILLED", "FIRST_VERDICT", "Judgement", "code_of", "judge"]

BILLED = 0
FIRST_VERDICT = 1 + len(REASONS)
"""Codes: 0 for what is billed, then the reasons of this room, then those of the dialects."""

Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
_NOBODY = -1


def code_of(reason: str) -> int:
    """Of a reason of this room."""
    return 1 + REASONS.index(reason)


@dataclass(slots=True)
class Judgement:
    """For each view: a code, and which view is billed instead (itself if it is billed, -1 if none is)."""

    code: npt.NDArray[np.int16]
    target: Numbers


def judge(views: npt.NDArray[Any], preferred: Numbers, over: Numbers, under: Numbers) -> Judgement:
    """What becomes of views that have everything with them that they are compared to.

    `under[i]` is below the span `over[i]`, both by place. Of equal views the more `preferred` one counts.
    """
    flags = views["flags"]
    total, tells, verdict = flag(flags, AGGREGATE), flag(flags, TELLS), flag(flags, VERDICT)
    response = responses(views)
    telling = tells[under]
    any_below = _marked(len(views), over[telling])
    own_below = _marked(len(views), over[telling & (response[over] == response[under])])
    alone = own_below | (total & any_below)
    drags = ~total & ~own_below & any_below
    nested = _marked(len(views), response[drags])
    told = _marked(len(views), response[tells])
    covers = ~told[response[under]] & ~nested[response[under]] & (tells & ~any_below)[over]
    covered = _marked(len(views), response[under[covers]])
    best = _Best(views, preferred, response)
    winner = best.of(~verdict & ~alone & ~(nested | covered)[response])
    hops = np.concatenate([np.flatnonzero(telling & drags[over]), np.flatnonzero(covers)])
    upwards = np.arange(len(hops)) >= len(hops) - int(covers.sum())
    around = response[np.where(upwards, under[hops], over[hops])]
    target = _resolved(winner, around, response[np.where(upwards, over[hops], under[hops])])
    found = target[response]
    _fill(found, over[telling], target[response[under[telling]]])
    reference = np.where(winner >= 0, winner, best.of(drags & nested[response]))[response]
    code = _reasons(views, reference, any_below, covered[response])
    code[verdict] = FIRST_VERDICT + views["verdict"][verdict].astype(np.int16)
    code[(winner[response] == np.arange(len(views)))] = BILLED
    return Judgement(code, found)


def responses(views: npt.NDArray[Any]) -> Numbers:
    """Which response each view is of: the least place among its views."""
    log, total = flag(views["flags"], LOG), flag(views["flags"], AGGREGATE)
    span = views["span"].copy()
    written = np.flatnonzero(log)
    span[written[~among(span[written], span[~log & ~total])]] = 0
    families = [_Family(keys) for keys in (views["response"], span)]
    label = np.arange(len(views))
    while True:
        before = label.copy()
        for family in families:
            family.share(label)
        label = label[label]
        if (label == before).all():
            return label


class _Family:
    """Views that have a key in common."""

    def __init__(self, keys: Keys) -> None:
        some = np.flatnonzero(keys)
        order = some[np.argsort(keys[some])]
        ordered = keys[order]
        begins = np.concatenate(([True], ordered[1:] != ordered[:-1])) if len(order) else np.zeros(0, np.bool_)
        self._order = order
        self._starts = np.flatnonzero(begins)
        self._family = np.cumsum(begins) - 1

    def share(self, label: Numbers) -> None:
        if len(self._order):
            label[self._order] = np.minimum.reduceat(label[self._order], self._starts)[self._family]


class _Best:
    """The best view of each response, among some."""

    def __init__(self, views: npt.NDArray[Any], preferred: Numbers, response: Numbers) -> None:
        self._criteria = (views["quality"], views["cost"], views["bill"], preferred, -np.arange(len(views)))
        self._response = response

    def of(self, some: Mask) -> Numbers:
        """By response: the place of the best, or -1."""
        left = np.flatnonzero(some)
        left = left[np.argsort(self._response[left], kind="stable")]
        for criterion in self._criteria:
            response = self._response[left]
            begins = np.concatenate(([True], response[1:] != response[:-1])) if len(left) else np.zeros(0, np.bool_)
            if begins.all():
                break
            values = criterion[left]
            most = np.maximum.reduceat(values, np.flatnonzero(begins))[np.cumsum(begins) - 1]
            left = left[values == most]
        found = np.full(len(self._response), _NOBODY, np.int64)
        found[self._response[left]] = left
        return found


def _resolved(winner: Numbers, response: Numbers, instead: Numbers) -> Numbers:
    """By response: who is billed for it, its own view or that of the responses that it leads to, however far."""
    found = winner.copy()
    while True:
        before = found.copy()
        _fill(found, response, found[instead])
        if (found == before).all():
            return found


def _fill(found: Numbers, places: Numbers, values: Numbers) -> None:
    """Put the first value that there is into each place that has none."""
    useful = np.flatnonzero((found[places] < 0) & (values >= 0))[::-1]
    found[places[useful]] = values[useful]


def _reasons(views: npt.NDArray[Any], reference: Numbers, nested: Mask, covered: Mask) -> npt.NDArray[np.int16]:
    other = np.maximum(reference, 0)
    span, response, is_span = views["span"], views["response"], ~flag(views["flags"], LOG)
    again = is_span & is_span[other] & (span != 0) & (span == span[other])
    same = (response != 0) & (response == response[other])
    code = np.where(again, code_of(RETRANSMITTED), np.where(same, code_of(SAME_RESPONSE), code_of(SAME_CALL)))
    code = np.where(covered, code_of(SAME_CALL), code)
    return np.where(nested, code_of(NESTED), code).astype(np.int16)


def _marked(size: int, places: Numbers) -> Mask:
    marks = np.zeros(size, np.bool_)
    marks[places] = True
    return marks
