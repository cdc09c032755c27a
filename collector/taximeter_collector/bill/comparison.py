"""New views beside those that landed before: what they have in common, who is below whom, and what follows from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from taximeter_collector.bill.fingerprints import Keys
from taximeter_collector.bill.gathering import Gathering, already_nested
from taximeter_collector.bill.judging import BILLED, judge
from taximeter_collector.bill.kinds import (
    ABOVE,
    BLANK_BELOW,
    BLANK_LOG,
    LIKE,
    RESPONSE,
    SPAN,
    TELLING_BELOW,
    TELLING_LOG,
    WAITS,
    keyed,
    numbers_of,
    span_values,
)
from taximeter_collector.bill.lineage import Lineage, Nodes, Walk
from taximeter_collector.bill.outcomes import Outcomes
from taximeter_collector.bill.rows import VIEW
from taximeter_collector.bill.sets import among, distinct
from taximeter_collector.bill.settled import SpanLinks
from taximeter_collector.bill.store import Store
from taximeter_collector.bill.views import AGGREGATE, LOG, TELLS, VERDICT, flag

__all__ = ["Comparison"]

Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Table = npt.NDArray[Any]


class Comparison:
    """What the register does with views that it has not seen before."""

    def __init__(self, store: Store, outcomes: Outcomes) -> None:
        self._store = store
        self._index = store.index
        self._outcomes = outcomes
        self._lineage = Lineage(store.index, store.views)

    @property
    def resident_bytes(self) -> int:
        return self._lineage.resident_bytes

    def compare(self, rows: Table, numbers: Numbers, met: Mask, spans: SpanLinks, only_calls: bool) -> Mask:
        """Settle new views, with all that they have to do with. Tells which of them may not be billed."""
        landed = len(self._store.views) - len(rows)
        log = flag(rows["flags"], LOG)
        own = ~log & (rows["span"] != 0)
        nodes = Nodes.of(spans.span, spans.parent, rows["span"][own], rows["parent"][own])
        walk = self._walk(rows, numbers, met, nodes)
        concerned = self._shared(rows, log) | met
        pulled = self._pulled(walk, nodes)
        of_fresh = walk.below - landed
        concerned[of_fresh[pulled & (of_fresh >= 0)]] = True
        if len(walk.call):
            concerned |= own & among(rows["span"], walk.call)
        more = walk.below[pulled & (of_fresh < 0)]
        above = numbers_of(self._index.find(keyed(SPAN, distinct(walk.call[pulled])))[1])
        if concerned.any() or len(more):
            self._judge(rows[concerned], numbers[concerned], np.concatenate([more, above]), landed, walk)
        self._outcomes.verdicts(numbers[~concerned], rows[~concerned])
        self._enter(rows, numbers, log, walk)
        if not only_calls:
            self._lineage.notice(nodes)
        return concerned | flag(rows["flags"], VERDICT)

    def _judge(self, rows: Table, numbers: Numbers, more: Numbers, landed: int, walk: Walk) -> None:
        """Compare new views, and some that landed before, with all that belongs to them."""
        gathering = Gathering(self._index, self._store.views, self._store.has_logs)
        gathering.over.append(walk.call)
        gathering.under.append(walk.below)
        gathering.gather(numbers, rows, more)
        preferred = self._outcomes.preferred(gathering.numbers, gathering.views, landed)
        judgement = judge(gathering.views, preferred, *gathering.pairs())
        self._outcomes.judged(gathering.numbers, gathering.views, judgement, landed)

    def _walk(self, rows: Table, numbers: Numbers, met: Mask, nodes: Nodes) -> Walk:
        """What the new views are below, and those that waited for a span that is here now."""
        waited, start = self._lineage.resumed(nodes)
        former = self._store.views.take(waited)
        log = flag(np.concatenate([rows["flags"], former["flags"]]), LOG)
        walk = self._lineage.walk(
            np.concatenate([numbers, waited]),
            np.concatenate([rows["span"], former["span"]]),
            log,
            np.concatenate([rows["parent"], start]),
            nodes,
        )
        met_rows = np.flatnonzero(met)
        which, values = self._index.find(keyed(SPAN, rows["span"][met_rows]))
        through, inherited = self._index.find(keyed(ABOVE, numbers_of(values)))
        walk.below = np.concatenate([walk.below, numbers[met_rows[which[through]]]])
        walk.call = np.concatenate([walk.call, inherited])
        return walk

    def _shared(self, rows: Table, log: Mask) -> Mask:
        """Which of the new views have a response or a span in common with another one."""
        found = _repeated(rows["response"]) | _repeated(rows["span"])
        found[self._index.find(keyed(RESPONSE, rows["response"]), 1)[0]] = True
        if self._store.has_logs:
            of_spans = np.where(log, np.uint64(0), rows["span"])
            of_logs = np.where(log, rows["span"], np.uint64(0))
            for kind, keys in ((SPAN, of_logs), (TELLING_LOG, of_spans), (BLANK_LOG, of_spans)):
                found[self._index.find(keyed(kind, keys), 1)[0]] = True
        return found

    def _pulled(self, walk: Walk, nodes: Nodes) -> Mask:
        """Where what is below a call can change anything: the call is new, or nothing was below it before."""
        which, values = self._index.find(keyed(SPAN, walk.call), 1)
        total = np.zeros(len(walk.call), np.bool_)
        total[which] = (self._store.views.take(numbers_of(values))["flags"] & AGGREGATE) != 0
        here, at = nodes.find(walk.call)
        if len(nodes.span):
            here &= nodes.is_call[at]
        return here | ~already_nested(self._index, walk.call, total)

    def _enter(self, rows: Table, numbers: Numbers, log: Mask, walk: Walk) -> None:
        """What later views find these by."""
        who, tells = numbers.astype(np.uint64), flag(rows["flags"], TELLS)
        own = ~log & (rows["span"] != 0)
        below = flag(self._store.views.take(walk.below)["flags"], TELLS)
        entries = [
            (keyed(RESPONSE, rows["response"]), who),
            (keyed(SPAN, rows["span"][own]), span_values(numbers[own], rows["likeness"][own])),
            (keyed(LIKE, rows["likeness"][~own]), who[~own]),
            (keyed(TELLING_LOG, rows["span"][log & tells]), who[log & tells]),
            (keyed(BLANK_LOG, rows["span"][log & ~tells]), who[log & ~tells]),
            (keyed(TELLING_BELOW, walk.call[below]), walk.below[below].astype(np.uint64)),
            (keyed(BLANK_BELOW, walk.call[~below]), walk.below[~below].astype(np.uint64)),
            (keyed(ABOVE, walk.below), walk.call),
            (keyed(WAITS, walk.unknown), walk.waiting.astype(np.uint64)),
            *self._outcomes.entries(),
        ]
        self._index.add(*_named(entries))

    def relate(self, numbers: Numbers, instead: Numbers) -> None:
        """Enter that views are nested in what is billed instead, or covered by it, and judge them again."""
        code, _ = self._outcomes.of(numbers)
        numbers, instead = numbers[code == BILLED], instead[code == BILLED]
        views, others = self._store.views.take(numbers), self._store.views.take(instead)
        covered = flag(others["flags"], TELLS) & ~flag(views["flags"], TELLS)
        below, call = np.where(covered, numbers, instead), np.where(covered, others["span"], views["span"])
        walk = Walk(below, call, np.zeros(0, np.int64), np.zeros(0, np.uint64))
        nobody, nothing = np.zeros(0, VIEW), np.zeros(0, np.int64)
        self._enter(nobody, nothing, np.zeros(0, np.bool_), walk)
        self._judge(nobody, nothing, np.concatenate([numbers, instead]), len(self._store.views), walk)
        self._index.add(*_named(self._outcomes.entries()))


def _named(entries: list[tuple[Keys, Keys]]) -> tuple[Keys, Keys]:
    """As one, without those that have no key."""
    nothing = np.zeros(0, np.uint64)
    keys = np.concatenate([nothing, *(each for each, _ in entries)])
    values = np.concatenate([nothing, *(each for _, each in entries)])
    named = keys != 0
    return (keys, values) if named.all() else (keys[named], values[named])


def _repeated(keys: Keys) -> Mask:
    """Where a key is there more than once."""
    ordered = np.sort(keys)
    again = ordered[1:][(ordered[1:] == ordered[:-1]) & (ordered[1:] != 0)]
    if not len(again):
        return np.zeros(len(keys), np.bool_)
    return among(keys, again)
