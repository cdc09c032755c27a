"""Everything that some views are compared with: what landed before, fetched until nothing more belongs to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from taximeter_collector.bill.fingerprints import Keys
from taximeter_collector.bill.index import Index
from taximeter_collector.bill.kinds import (
    ABOVE,
    BLANK_BELOW,
    BLANK_LOG,
    RESPONSE,
    SPAN,
    TELLING_BELOW,
    TELLING_LOG,
    keyed,
    numbers_of,
)
from taximeter_collector.bill.rows import VIEW, Rows
from taximeter_collector.bill.sets import distinct, without
from taximeter_collector.bill.views import AGGREGATE, LOG, TELLS, flag

__all__ = ["Gathering", "already_nested"]

Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Table = npt.NDArray[Any]

_WITNESSES = 8
"""Of what is below an agent's span, no more is looked at than it takes to know that something is."""


def already_nested(index: Index, spans: Keys, total: Mask) -> Mask:
    """Of calls by span: whether something that landed before is below them. More changes nothing."""
    found = np.zeros(len(spans), np.bool_)
    found[index.find(keyed(TELLING_BELOW, spans), 1)[0]] = True
    some = np.flatnonzero(total & ~found)
    found[some[index.find(keyed(TELLING_LOG, spans[some]), 1)[0]]] = True
    return found


@dataclass(slots=True)
class Gathering:
    """Views by number, in ascending order, and which are below which span."""

    index: Index
    landed: Rows
    has_logs: bool
    views: Table = field(default_factory=lambda: np.zeros(0, VIEW))
    numbers: Numbers = field(default_factory=lambda: np.zeros(0, np.int64))
    over: list[Keys] = field(default_factory=list)
    under: list[Numbers] = field(default_factory=list)

    def gather(self, numbers: Numbers, views: Table, more: Numbers) -> None:
        """Those that are new, with their numbers; more that landed before; and what belongs to them."""
        self._keep(numbers, views)
        new = np.concatenate([self._fetch(more), views])
        new_numbers = np.concatenate([without(self.numbers, numbers), numbers])
        while len(new):
            related = self._related(new, new_numbers)
            before = self.numbers
            new = self._fetch(related)
            new_numbers = without(self.numbers, before)

    def pairs(self) -> tuple[Numbers, Numbers]:
        """Span above and view below, by place."""
        flags = self.views["flags"]
        log = flag(flags, LOG)
        key, under = np.concatenate([np.zeros(0, np.uint64), *self.over]), np.concatenate([_NONE, *self.under])
        place = np.minimum(np.searchsorted(self.numbers, under), len(self.numbers) - 1)
        here = self.numbers[place] == under
        spans = np.flatnonzero(~log & (self.views["span"] != 0))
        over, below = _joined(self.views["span"][spans], spans, key[here], place[here])
        totals = spans[flag(flags[spans], AGGREGATE)]
        written = np.flatnonzero(log & (self.views["span"] != 0))
        of_total, in_total = _joined(self.views["span"][totals], totals, self.views["span"][written], written)
        return np.concatenate([over, of_total]), np.concatenate([below, in_total])

    def _related(self, views: Table, numbers: Numbers) -> Numbers:
        """The numbers of those that belong directly to some views."""
        flags = views["flags"]
        log, total, tells = (flag(flags, bit) for bit in (LOG, AGGREGATE, TELLS))
        found = [numbers_of(self._find(RESPONSE, views["response"])[1]), numbers_of(self._find(SPAN, views["span"])[1])]
        calls = ~log & ~total
        if self.has_logs:
            found += [numbers_of(self._find(kind, views["span"][calls])[1]) for kind in (TELLING_LOG, BLANK_LOG)]
        found.append(self._below(TELLING_BELOW, views["span"][calls], None))
        totals = ~log & total
        found.append(self._below(TELLING_BELOW, views["span"][totals], _WITNESSES))
        found.append(numbers_of(self._find(TELLING_LOG, views["span"][totals], _WITNESSES)[1]))
        answering = ~log & tells
        answering[answering] = ~already_nested(self.index, views["span"][answering], total[answering])
        found.append(self._below(BLANK_BELOW, views["span"][answering], None))
        found.append(numbers_of(self._find(BLANK_LOG, views["span"][answering & total])[1]))
        found.append(self._above(numbers[~tells]))
        return np.concatenate(found)

    def _below(self, kind: np.uint64, spans: Keys, limit: int | None) -> Numbers:
        spans = distinct(spans)
        which, values = self._find(kind, spans, limit)
        numbers = numbers_of(values)
        self.over.append(spans[which])
        self.under.append(numbers)
        return numbers

    def _above(self, numbers: Numbers) -> Numbers:
        which, spans = self.index.find(keyed(ABOVE, numbers))
        self.over.append(spans)
        self.under.append(numbers[which])
        return numbers_of(self._find(SPAN, distinct(spans))[1])

    def _find(self, kind: np.uint64, of: Keys, limit: int | None = None) -> tuple[Numbers, Keys]:
        return self.index.find(keyed(kind, of), limit)

    def _fetch(self, numbers: Numbers) -> Table:
        """Those that are not here yet, from what landed."""
        new = without(numbers, self.numbers)
        if not len(new):
            return np.zeros(0, VIEW)
        views = self.landed.take(new)
        self._keep(new, views)
        return views

    def _keep(self, numbers: Numbers, views: Table) -> None:
        if not len(self.numbers):
            self.numbers, self.views = numbers, views  # in ascending order already
            return
        everything = np.concatenate([self.numbers, numbers])
        order = np.argsort(everything)
        self.numbers = everything[order]
        self.views = np.concatenate([self.views, views])[order]


_NONE = np.zeros(0, np.int64)


def _joined(keys: Keys, places: Numbers, other_keys: Keys, other_places: Numbers) -> tuple[Numbers, Numbers]:
    """Each place with each other place of the same key."""
    order = np.argsort(keys)
    keys, places = keys[order], places[order]
    first, last = np.searchsorted(keys, other_keys), np.searchsorted(keys, other_keys, side="right")
    count = last - first
    at = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    return places[at], np.repeat(other_places, count)
