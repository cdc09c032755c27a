"""Calls to what is written into their items: the same prices as in the ledger, and who of several views carries them.

What a bill can be made of is decided by the same register as in the lander, on what this treatment has seen: about the
last million calls, and nothing from before it began. A view that turns out to be the better one after another was sent
with its cost does not carry the cost again: in the backend the call costs what the earlier view told.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]

from taximeter_collector.bill import Register, Settled, SpanLinks
from taximeter_collector.bill.fingerprints import Keys, joined
from taximeter_collector.forward.treatment.attributes import Column, Doubles, Ints, Texts, encode_text, encoded
from taximeter_collector.forward.treatment.figures import Figures
from taximeter_collector.forward.treatment.names import Names
from taximeter_collector.forward.treatment.remembered import Remembered
from taximeter_collector.journal import Signal
from taximeter_collector.land.calls import priced
from taximeter_collector.normalise.dialect import COUNTS
from taximeter_collector.price import Book

__all__ = ["JOURNAL", "OWN", "Calls", "Enriching"]

JOURNAL = "forward"
"""What the register takes for the journal's name."""
OWN = "taximeter."
_MOST_CALLS = 1_000_000
_SENT_BITS = 18
_COSTS = ("cost_usd", "input_cost_usd", "output_cost_usd")
_PARTS = ("cache_read_cost_usd", "cache_write_cost_usd", "other_cost_usd")
"""Of these, nothing is written where they are 0, which is nearly everywhere."""
_TEXTS = ("cost_status", "cost_reason", "price_id", "model", "dialect")
_NUMBERS = tuple(name for name in COUNTS if name != "attempt")

KEYS = frozenset(OWN + name for name in (*_COSTS, *_PARTS, *_TEXTS, *_NUMBERS, "billable", "not_billable_because"))
"""What another Taximeter may have written on the way here: it is written anew."""


@dataclass(slots=True)
class Calls:
    """The views of calls in a batch of one signal."""

    signal: Signal
    rows: npt.NDArray[np.int64]
    """Which item of the batch each is."""
    table: pa.Table
    """Not priced yet."""
    present: Mapping[str, npt.NDArray[np.bool_]] = field(default_factory=dict)
    """Of a name that a backend reads, which of the calls have it from their sender."""
    attributes: list[bytes] = field(default_factory=list)
    """Comes out: what is appended to each."""
    stripped: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    """Comes out: which of them lose what their sender wrote under the names for cost."""
    billed_usd: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """Comes out: what each adds to the bill; 0 for what is not known."""


class Enriching:
    """Prices, the bill, and attributes."""

    def __init__(self, names: Names, book: Callable[[], Book], scratch: Path | None) -> None:
        self._names = names
        self._book = book
        self._scratch = scratch
        self._sent = Remembered(_SENT_BITS)
        self._pending: list[Keys] = []
        self.superseded = self.unsettled = 0
        """Of what was settled last: views that are no longer what was sent of them; calls that nobody settled."""
        self._register: Register | None = None
        self._open()

    def _open(self) -> None:
        """With nothing remembered."""
        self._folder = tempfile.TemporaryDirectory(prefix="bill-", dir=self._scratch, ignore_cleanup_errors=True)
        self._register = Register.open(Path(self._folder.name) / "register", lambda since: [])
        self._calls = 0

    @property
    def read(self) -> frozenset[str]:
        """The names that are written for costs: what senders wrote there may have to go."""
        return frozenset(self._names.costs) | ({self._names.breakdown} if self._names.breakdown else frozenset())

    @property
    def filled(self) -> frozenset[str]:
        """The names that are written where the sender has not."""
        return frozenset(self._names.counts) | frozenset(self._names.texts)

    def settle(self, several: Sequence[Calls], links: SpanLinks) -> None:
        """Price the calls, find out which are billed, and write what each item gets."""
        tables = [calls.table for calls in several]
        table = pa.table({})
        if tables:
            table = priced(pa.concat_tables(tables, promote_options="permissive"), self._book()).combine_chunks()
        verdict = self._settled(table, links)
        self._calls += table.num_rows
        self.superseded = len(verdict.superseded)
        if not tables:
            return
        view = Figures.of(table, verdict, self._sent_before(table, verdict))
        known = view.billed & view.valid("cost_usd")
        self._pending.append(_identities(table)[known])
        at = 0
        for calls in several:
            self._write(calls, view.slice(at, len(calls.rows)))
            at += len(calls.rows)

    def _settled(self, table: pa.Table, links: SpanLinks) -> Settled:
        """What the register says. On a disk that takes nothing there is none, and then each call is by itself."""
        self.unsettled = 0
        try:
            if self._register is None:
                self._open()
            if self._register is not None:
                return self._register.settle(table, links)
        except OSError:
            self._give_up()
        self.unsettled = table.num_rows
        return _each_by_itself(table)

    def commit(self) -> None:
        """Remember what was settled."""
        for keys in self._pending:
            self._sent.add(keys)
        self._pending = []
        if self._register is None:
            return
        try:
            self._register.commit()
            if self._calls > _MOST_CALLS:
                self._folder.cleanup()
                self._open()
        except OSError:
            self._give_up()

    def abandon(self) -> None:
        """Forget what was settled since: none of it goes out."""
        if self._register is not None:
            self._register.abandon()
        self._pending = []

    def _give_up(self) -> None:
        self._register = None
        self._folder.cleanup()

    def close(self) -> None:
        """Remove what is on disk."""
        self._folder.cleanup()

    def _sent_before(self, table: pa.Table, verdict: Settled) -> npt.NDArray[np.bool_]:
        """Which of the rows are billed instead of one that was sent with its cost."""
        found = np.zeros(table.num_rows, np.bool_)
        fallen = [one for one in verdict.superseded if one.because and one.billed_as]
        if not fallen:
            return found
        places = np.array([(one.journal_position, one.journal_item) for one in fallen], np.int64)
        sent = self._sent.known(_identity(places[:, 0], places[:, 1]))
        names = {one.billed_as for one, was_sent in zip(fallen, sent.tolist(), strict=True) if was_sent}
        if not names:
            return found
        position, item = table["journal_position"].to_pylist(), table["journal_item"].to_pylist()
        own = [f"{JOURNAL}/{one}.{other}" in names for one, other in zip(position, item, strict=True)]
        return found | np.array(own, np.bool_)

    def _write(self, calls: Calls, view: Figures) -> None:
        columns = [*_own(view), *self._named(view, calls.present)]
        calls.attributes = encoded(calls.signal, columns, len(calls.rows))
        if self._names.breakdown:
            for at, text in enumerate(view.breakdowns()):
                if text:
                    calls.attributes[at] += encode_text(calls.signal, self._names.breakdown, text)
        calls.billed_usd = np.where(view.billed & view.valid("cost_usd"), view.usd("cost_usd"), 0.0)
        calls.stripped = ~view.billed | view.valid("cost_usd")

    def _named(self, view: Figures, present: Mapping[str, npt.NDArray[np.bool_]]) -> list[Column]:
        """What the backend reads. What is not known is not written, and what is not billed has no cost."""
        columns: list[Column] = []
        for key, name in self._names.costs.items():
            columns.append(Doubles(key, view.usd(name), view.valid(name) & view.billed))
        for key, name in self._names.counts.items():
            columns.append(Ints(key, view.number(name), view.valid(name) & ~_at(present, key, view.size)))
        for key, name in self._names.texts.items():
            column = view.text(key, name)
            column.codes = np.where(_at(present, key, view.size), -1, column.codes)
            columns.append(column)
        return [column for column in columns if isinstance(column, Texts) or column.valid.any()]


def _at(present: Mapping[str, npt.NDArray[np.bool_]], key: str, size: int) -> npt.NDArray[np.bool_]:
    found = present.get(key)
    return np.zeros(size, np.bool_) if found is None else found


def _own(view: Figures) -> list[Column]:
    columns: list[Column] = [view.text(OWN + name, name) for name in _TEXTS]
    columns.append(Texts.flags(OWN + "billable", view.billed))
    columns.append(view.text(OWN + "not_billable_because", "not_billable_because"))
    told = [name for name in _NUMBERS if view.valid(name).any()]
    columns += [Ints(OWN + name, view.number(name), view.valid(name)) for name in told]
    for name in (*_COSTS, *_PARTS):
        valid = view.valid(name) & ((view.usd(name) != 0) | (name in _COSTS))
        if valid.any():
            columns.append(Doubles(OWN + name, view.usd(name), valid))
    return columns


def _each_by_itself(table: pa.Table) -> Settled:
    """Billed is what its dialect does not say otherwise of."""
    size = table.num_rows
    verdict = table["verdict"].combine_chunks().cast(pa.string()) if size else pa.nulls(0, pa.string())
    nobody = pa.nulls(size, pa.string())
    return Settled(verdict.is_null(), verdict.dictionary_encode(), nobody, pa.array(np.zeros(size, np.int32)), [])


def _identities(table: pa.Table) -> Keys:
    return _identity(
        table["journal_position"].to_numpy(zero_copy_only=False), table["journal_item"].to_numpy(zero_copy_only=False)
    )


def _identity(position: npt.NDArray[Any], item: npt.NDArray[Any]) -> Keys:
    seed = np.full(len(position), np.uint64(0x9E3779B97F4A7C15))
    return joined(joined(seed, position.astype(np.uint64)), item.astype(np.uint64))
