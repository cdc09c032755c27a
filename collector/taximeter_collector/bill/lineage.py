"""Which calls a call is below: parents followed upwards, through spans that are no calls and those of other commits.

What is known of a span is looked up in this order: the commit itself, the calls that landed, the spans that were told
of after a call below them had landed, and a table of other spans that came lately. That table has 2 million places in
memory, and a span is forgotten when another one takes its place, or when the collector stops: a call that lands much
later than a span above it that is no call, and after which that span is told of no more, is not seen to be below
whatever is above that span. It is then billed beside what repeats it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taximeter_collector.bill.fingerprints import Keys
from taximeter_collector.bill.index import Index
from taximeter_collector.bill.kinds import ABOVE, LINK, SPAN, WAITS, keyed, numbers_of
from taximeter_collector.bill.rows import Rows
from taximeter_collector.bill.semantics import MOST_STEPS
from taximeter_collector.bill.sets import distinct

__all__ = ["Lineage", "Nodes", "Walk"]

_PLACES_BITS = 21
_PLACE = np.uint64(64 - _PLACES_BITS)

Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Nodes:
    """The spans of a commit in ascending order: their parents, and whether they are calls that landed just now."""

    span: Keys
    parent: Keys
    is_call: Mask

    @classmethod
    def of(cls, span: Keys, parent: Keys, calls: Keys, parents_of_calls: Keys) -> Nodes:
        """From the links of all spans and those of the calls that are new."""
        order = np.argsort(span)
        span, parent = span[order], parent[order]
        wanted = np.sort(calls)
        at = np.minimum(np.searchsorted(span, wanted), max(len(span) - 1, 0))
        if len(wanted) and (not len(span) or not (span[at] == wanted).all()):
            return cls.of(
                np.concatenate([span, calls]), np.concatenate([parent, parents_of_calls]), calls, parents_of_calls
            )
        is_call = np.zeros(len(span), np.bool_)
        is_call[at] = True
        return cls(span, parent, is_call)

    def find(self, keys: Keys) -> tuple[Mask, Numbers]:
        """Which of the keys are here, and where."""
        if not len(self.span):
            return np.zeros(len(keys), np.bool_), np.zeros(len(keys), np.int64)
        at = np.minimum(np.searchsorted(self.span, keys), len(self.span) - 1)
        return self.span[at] == keys, at


@dataclass(slots=True)
class Walk:
    """Where the ways up led: past calls, and to spans that nobody has told of yet."""

    below: Numbers
    call: Keys
    """`below[i]` is below the call whose span is `call[i]`."""
    waiting: Numbers
    unknown: Keys


class Lineage:
    def __init__(self, index: Index, views: Rows) -> None:
        self._index = index
        self._views = views
        self._recent: Keys = np.zeros((1 << _PLACES_BITS, 2), np.uint64)

    @property
    def resident_bytes(self) -> int:
        return self._recent.nbytes

    def notice(self, nodes: Nodes) -> None:
        """Keep in mind the spans that are no calls."""
        others = ~nodes.is_call
        if others.any():
            span = nodes.span[others]
            self._recent[span >> _PLACE] = np.column_stack((span, nodes.parent[others]))

    def resumed(self, nodes: Nodes) -> tuple[Numbers, Keys]:
        """The landed views that waited for a span that is told of now, and for which one."""
        which, waiting = self._index.find(keyed(WAITS, nodes.span))
        if not len(which):
            return np.zeros(0, np.int64), np.zeros(0, np.uint64)
        span = nodes.span[which]
        new = ~self._has(SPAN, span) & (nodes.is_call[which] | ~self._has(LINK, span))
        which, waiting, span = which[new], waiting[new], span[new]
        others = distinct(which[~nodes.is_call[which]])
        self._index.add(keyed(LINK, nodes.span[others]), nodes.parent[others])
        pairs = np.unique(np.column_stack((waiting, span)), axis=0)  # the same span may be told of twice in a commit
        return pairs[:, 0].astype(np.int64), pairs[:, 1].copy()

    def walk(self, who: Numbers, own: Keys, log: Mask, start: Keys, nodes: Nodes) -> Walk:
        """Follow the parents of each view from a span on. A log record's own span is not above it."""
        below: list[Numbers] = []
        waiting: list[Numbers] = []
        calls: list[Keys] = []
        unknown: list[Keys] = []
        current = start
        for step in range(MOST_STEPS):
            going = (current != 0) & ((current != own) | (log & (step == 0)))
            if not going.all():
                who, own, log, current = who[going], own[going], log[going], current[going]
            if not len(who):
                break
            here, at = nodes.find(current)
            parent = np.where(here, nodes.parent[at] if len(nodes.span) else 0, np.uint64(0)).astype(np.uint64)
            is_call = here & (nodes.is_call[at] if len(nodes.span) else False)
            known = here.copy()
            self._landed(current, is_call, known, parent, who, below, calls)
            passed = is_call & (current != own)
            below.append(who[passed])
            calls.append(current[passed])
            self._intermediate(current, known, parent)
            waiting.append(who[~known])
            unknown.append(current[~known])
            who, own, log, current = who[known], own[known], log[known], parent[known]
        nobody, nothing = np.zeros(0, np.int64), np.zeros(0, np.uint64)
        return Walk(
            np.concatenate([nobody, *below]),
            np.concatenate([nothing, *calls]),
            np.concatenate([nobody, *waiting]),
            np.concatenate([nothing, *unknown]),
        )

    def _landed(
        self,
        current: Keys,
        is_call: Mask,
        known: Mask,
        parent: Keys,
        who: Numbers,
        below: list[Numbers],
        calls: list[Keys],
    ) -> None:
        """Calls of the register on the way, with what was found above them when they landed."""
        which, values = self._index.find(keyed(SPAN, current), 1)
        if not len(which):
            return
        numbers = numbers_of(values)
        is_call[which] = True
        missing = ~known[which]
        parent[which[missing]] = self._views.take(numbers[missing])["parent"]
        known[which] = True
        through, above = self._index.find(keyed(ABOVE, numbers))
        below.append(who[which[through]])
        calls.append(above)

    def _intermediate(self, current: Keys, known: Mask, parent: Keys) -> None:
        open_ = np.flatnonzero(~known)
        if not len(open_):
            return
        recent = self._recent[current[open_] >> _PLACE]
        hit = recent[:, 0] == current[open_]
        parent[open_[hit]] = recent[hit, 1]
        known[open_[hit]] = True
        open_ = open_[~hit]
        which, values = self._index.find(keyed(LINK, current[open_]), 1)
        parent[open_[which]] = values
        known[open_[which]] = True

    def _has(self, kind: np.uint64, keys: Keys) -> Mask:
        found = np.zeros(len(keys), np.bool_)
        which, _ = self._index.find(keyed(kind, keys), 1)
        found[which] = True
        return found
