"""The register: who has been billed for what.

A derived index: the ledger itself is the truth. Whatever the register has lost is read from the lake again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]

from taximeter_collector.bill.comparison import Comparison
from taximeter_collector.bill.fingerprints import Keys
from taximeter_collector.bill.kinds import (
    LIKE,
    SPAN,
    keyed,
    likeness_of,
    numbers_of,
)
from taximeter_collector.bill.outcomes import Outcomes
from taximeter_collector.bill.recovery import ROWS_AT_ONCE, Instead, instead_of, located
from taximeter_collector.bill.rows import VIEW
from taximeter_collector.bill.settled import Settled, SpanLinks
from taximeter_collector.bill.store import Store
from taximeter_collector.bill.views import LOG, MUTE, Views, flag, incoming

__all__ = ["Register"]

Landed = Callable[[dt.date | None], Iterable[pa.RecordBatch]]
Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Table = npt.NDArray[Any]
_EPOCH = dt.date(1970, 1, 1)
_EVER = dt.date.min
_PACKED_AT_ONCE = 4096
"""So many views stay in a processor's cache while they are written field by field."""


class Register:
    """Opened by whoever lands; by one at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._index = store.index
        self._outcomes = Outcomes(store)
        self._comparison = Comparison(store, self._outcomes)

    @classmethod
    def open(
        cls, folder: Path, landed: Landed, *, remember_days: int = 400, landed_to: Mapping[str, int] | None = None
    ) -> Register:
        """With what is on disk, and what the lake has beyond that.

        `landed(date)` tells of the rows of `calls` from that date on, with the columns of `CALL_COLUMNS`. Calls are
        remembered for about `remember_days` after their date: what is older is not read from the lake, and once it is
        a third of what is on disk, all is read anew. `landed_to` says how far the lake has come, by journal: a register
        that knows more has outlived its lake, and is read anew as well.
        """
        horizon = (dt.datetime.now(dt.UTC).date() - dt.timedelta(days=remember_days)) if remember_days else _EVER
        store = Store.open(folder, landed_to)
        if store.older_than((horizon - _EPOCH).days) * 3 > len(store.views):
            store = Store.empty(folder)
        register = cls(store)
        since = None if store.since is None else _EPOCH + dt.timedelta(days=store.since)
        first = horizon if since is None else max(since, horizon)
        register._recover(landed(None if first == _EVER else first))
        return register

    def _recover(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Settle what the lake has settled; nobody needs to be told."""
        self._outcomes.recovering = True
        known: list[Instead] = []
        for batch in batches:
            for start in range(0, batch.num_rows, ROWS_AT_ONCE):
                self._store.recovering()
                table = pa.table(batch.slice(start, ROWS_AT_ONCE))
                _, number = self._settle(table, SpanLinks.join([]), cover=False)
                known.append(instead_of(table, number, self._store.journals))
                self._store.commit()
        if known:
            self._relate(np.concatenate([each for each, _ in known]), np.concatenate([each for _, each in known]))
        self._outcomes.recovering = False
        self._store.recovered()

    def _relate(self, numbers: Numbers, billed: Keys) -> None:
        """Enter what was nested or covered through spans that are no calls."""
        instead = located(self._store.views, billed)
        numbers, instead = numbers[instead >= 0], instead[instead >= 0]
        for start in range(0, len(numbers), ROWS_AT_ONCE):
            some, others = numbers[start : start + ROWS_AT_ONCE], instead[start : start + ROWS_AT_ONCE]
            self._comparison.relate(some, others)
            self._store.commit()

    def settle(self, calls: pa.Table, spans: SpanLinks) -> Settled:
        """Say for each of the calls whether it is billed, and what is no longer true of earlier ones."""
        return self._settle(calls, spans, cover=True)[0]

    def _settle(self, calls: pa.Table, spans: SpanLinks, *, cover: bool) -> tuple[Settled, Numbers]:
        """What is said of the rows; and the numbers of the views that they are or repeat, -1 if that is none."""
        got = incoming(calls, self._store.journals, self._store.verdicts)
        views = got.views
        live = np.flatnonzero((self._store.is_new(views)) & ~flag(views.flags, MUTE))
        first = len(self._store.views)
        number, fresh, met = self._recognised(views, live, first)
        numbers = first + np.arange(len(fresh))
        everything = len(fresh) == len(views)
        rows = packed(views if everything else views.take(fresh), got.verdict_code[fresh])
        self._store.views.add(rows)
        self._store.has_logs |= bool(flag(rows["flags"], LOG).any())
        are_calls = ~flag(views.flags, LOG) & ~flag(views.flags, MUTE) & (views.span != 0)
        only_calls = len(spans.span) == int(are_calls.sum())
        entered = (
            self._comparison.compare(rows, numbers, met, spans, only_calls) if len(rows) or not only_calls else met
        )
        new = np.zeros(len(views), np.bool_)
        new[fresh] = True
        again = np.flatnonzero((number >= 0) & ~new)
        self._outcomes.repeated(views, again, number[again])
        number[fresh] = numbers
        self._store.cover(views, at_once=cover)
        asked = np.concatenate([again, fresh[entered]])
        return self._outcomes.settled(got, number, again, asked), number

    @property
    def resident_bytes(self) -> int:
        """What it holds in memory, but for what is mapped from files."""
        return self._store.resident_bytes + self._comparison.resident_bytes

    def commit(self) -> None:
        """Remember what was settled: the lake has it."""
        self._store.commit()

    def compact(self) -> None:
        """Bring what is in memory to disk. It happens by itself, too, whenever that has become much."""
        self._store.spill()

    def abandon(self) -> None:
        """Forget what was settled since the last commit: the lake does not have it."""
        self._store.abandon()

    def _recognised(self, views: Views, live: Numbers, first: int) -> tuple[Numbers, Numbers, Mask]:
        """For each row the number of the view that it repeats, or -1; the rows that repeat none, in order; and which
        of these are spans that landed before, with other details.
        """
        number = np.full(len(views), -1, np.int64)
        likeness = views.likeness[live]
        order = np.argsort(likeness)
        ordered = likeness[order]
        begins = np.concatenate(([True], ordered[1:] != ordered[:-1])) if len(order) else np.zeros(0, np.bool_)
        starts = np.flatnonzero(begins)
        unique = live if len(starts) == len(live) else live[np.sort(np.minimum.reduceat(order, starts))]
        known, met = self._known(views, unique)
        fresh, met = unique[known < 0], met[known < 0]
        if len(unique) == len(live):
            number[live] = known
            return number, fresh, met
        of_unique = np.where(known < 0, first + np.cumsum(known < 0) - 1, known)
        place = np.searchsorted(unique, live[np.minimum.reduceat(order, starts)])
        number[live[order]] = of_unique[place][np.cumsum(begins) - 1]
        return number, fresh, met

    def _known(self, views: Views, rows: Numbers) -> tuple[Numbers, Mask]:
        """The numbers of views that agree with these in everything, or -1; and which are spans that are known."""
        found = np.full(len(rows), -1, np.int64)
        likeness, span = views.likeness[rows], views.span[rows]
        loose = flag(views.flags[rows], LOG) | (span == 0)
        which, values = self._index.find(keyed(SPAN, np.where(loose, np.uint64(0), span)))
        same = likeness_of(values) == likeness_of(likeness[which])
        found[which[same]] = numbers_of(values[same])
        met = np.zeros(len(rows), np.bool_)
        met[which] = True
        if loose.any():
            which, values = self._index.find(keyed(LIKE, np.where(loose, likeness, np.uint64(0))))
            found[which] = numbers_of(values)
        return found, met


def packed(views: Views, verdict: npt.NDArray[np.uint8]) -> Table:
    """Views as they are kept."""
    rows = np.zeros(len(views), VIEW)
    columns = {name: getattr(views, name) for name in VIEW.names or () if name not in ("verdict", "unused")}
    columns["verdict"] = verdict
    for start in range(0, len(rows), _PACKED_AT_ONCE):
        some = slice(start, start + _PACKED_AT_ONCE)
        for name, values in columns.items():
            rows[name][some] = values[some]
    return rows
