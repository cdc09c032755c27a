"""What became of each view, and of the rows that repeat it: kept as entries, of which the last is true."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.bill.fingerprints import Keys
from taximeter_collector.bill.judging import BILLED, FIRST_VERDICT, Judgement, code_of
from taximeter_collector.bill.kinds import INSTEAD, OUTCOME, keyed
from taximeter_collector.bill.rows import AGAIN
from taximeter_collector.bill.sets import among, distinct
from taximeter_collector.bill.settled import Settled, Superseded
from taximeter_collector.bill.store import Store
from taximeter_collector.bill.views import (
    BILLED_BEFORE,
    FAILED,
    MUTE,
    REASONS,
    RETRANSMITTED,
    VERDICT,
    Incoming,
    Views,
    flag,
)

__all__ = ["Outcomes"]

Numbers = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int16]
Mask = npt.NDArray[np.bool_]
Table = npt.NDArray[Any]

_POSITION_BITS = 48
_CODE_SHIFT = np.uint64(40)
_TARGET = np.uint64((1 << 40) - 1)
_NONE = np.zeros(0, np.int64)


class Outcomes:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._index = store.index
        self._entries: list[tuple[Keys, Keys]] = []
        self._superseded: list[Superseded] = []
        self.recovering = False

    def preferred(self, numbers: Numbers, views: Table, landed: int) -> Numbers:
        """Of equal views, who is billed already stays so; a register that is rebuilt asks the lake."""
        code, _ = self.of(numbers)
        stays: Numbers = ((numbers < landed) & (code == BILLED)).astype(np.int64)
        if self.recovering:
            stays += 2 * flag(views["flags"], BILLED_BEFORE)
        return stays

    def of(self, numbers: Numbers) -> tuple[Codes, Numbers]:
        """What became of views: a code, and who is billed instead (themselves, if they are; -1 if nobody)."""
        which, values = self._index.find(keyed(OUTCOME, numbers))
        code, target = np.zeros(len(numbers), np.int16), numbers.copy()
        code[which] = (values >> _CODE_SHIFT).astype(np.int16)
        target[which] = (values & _TARGET).astype(np.int64) - 1
        return code, target

    def judged(self, numbers: Numbers, views: Table, judgement: Judgement, landed: int) -> None:
        """Take note of a judgement about new views and earlier ones, and of what follows for others."""
        code, target = judgement.code, np.where(judgement.target < 0, -1, numbers[judgement.target])
        old_code, old_target = self.of(numbers)
        former = numbers < landed
        billed = numbers[code == BILLED]
        still = (old_target < 0) == (target < 0)
        still &= (old_target < 0) | among(old_target, billed) | ~among(old_target, numbers)
        stays = former & (code != BILLED) & (old_code != BILLED) & still
        code, target = np.where(stays, old_code, code), np.where(stays, old_target, target)
        changed = np.flatnonzero(~former | (code != old_code) | (target != old_target))
        fallen = former & (old_code == BILLED) & (code != BILLED)
        referring = self._referring(
            numbers[fallen], numbers, dict(zip(numbers[fallen].tolist(), target[fallen].tolist(), strict=True))
        )
        self._enter(numbers[changed], code[changed], target[changed], ~former[changed])
        self._enter(*referring, np.zeros(len(referring[0]), np.bool_))
        was = changed[former[changed]]
        self._correct(
            np.concatenate([numbers[was], referring[0]]),
            np.concatenate([code[was], referring[1]]),
            np.concatenate([target[was], referring[2]]),
        )

    def verdicts(self, numbers: Numbers, rows: Table) -> None:
        """New views that their dialect does not count, and that have nothing to do with any other."""
        given = flag(rows["flags"], VERDICT)
        code = FIRST_VERDICT + rows["verdict"][given].astype(np.int16)
        self._enter(numbers[given], code, np.full(len(code), -1, np.int64), np.ones(len(code), np.bool_))

    def entries(self) -> list[tuple[Keys, Keys]]:
        """What the index is to know of all this."""
        entries, self._entries = self._entries, []
        return entries

    def _enter(self, numbers: Numbers, code: Codes, target: Numbers, new: Mask) -> None:
        if not len(numbers):
            return
        values = (code.astype(np.uint64) << _CODE_SHIFT) | (target + 1).astype(np.uint64)
        plain = (code == BILLED) & new
        self._entries.append((keyed(OUTCOME, numbers[~plain]), values[~plain]))
        led = (code != BILLED) & (target >= 0)
        self._entries.append((keyed(INSTEAD, target[led]), numbers[led].astype(np.uint64)))

    def _referring(self, fallen: Numbers, judged: Numbers, instead: dict[int, int]) -> tuple[Numbers, Codes, Numbers]:
        """Views that said of others that these are billed instead of them, and what they say now."""
        which, values = self._index.find(keyed(INSTEAD, fallen))
        numbers = values.astype(np.int64)
        code, target = self.of(numbers)
        true = (target == fallen[which]) & (code != BILLED) & ~among(numbers, judged)
        numbers, first = np.unique(numbers[true], return_index=True)
        new = np.array([instead[each] for each in target[true][first].tolist()], np.int64)
        return numbers, code[true][first], new

    def repeated(self, views: Views, rows: Numbers, numbers: Numbers) -> None:
        """Rows that repeat views."""
        if not len(rows):
            return
        again = np.zeros(len(rows), AGAIN)
        again["view"] = numbers
        for name in ("position", "item", "journal", "day"):
            again[name] = getattr(views, name)[rows]
        self._store.again.add(again)

    def _correct(self, numbers: Numbers, code: Codes, target: Numbers) -> None:
        """Say so of rows that landed before: the views', and those that repeat them."""
        if not len(numbers) or self.recovering:
            return
        views = self._store.views.take(numbers)
        self._report(views, code, target, code == BILLED)
        again, of = self._store.repeats(numbers)
        verdict = flag(views["flags"], VERDICT)[of]
        self._report(
            again,
            np.where(verdict, code[of], code_of(RETRANSMITTED)).astype(np.int16),
            target[of],
            np.zeros(len(of), np.bool_),
        )

    def _report(self, rows: Table, code: Codes, target: Numbers, billed: Mask) -> None:
        names = self._names(np.where(billed, -1, target)).to_pylist()
        reasons = [None, *REASONS, *self._store.verdicts]
        journals = list(self._store.journals)
        epoch = dt.date(1970, 1, 1)
        columns = (rows[name].tolist() for name in ("day", "journal", "position", "item"))
        for day, journal, position, item, why, name in zip(*columns, code.tolist(), names, strict=True):
            date = epoch + dt.timedelta(days=day)
            self._superseded.append(Superseded(date, journals[journal], position, item, reasons[why], name))

    def _names(self, numbers: Numbers) -> pa.StringArray:
        """`journal_id/journal_position.journal_item` of views; null for -1."""
        named = np.flatnonzero(numbers >= 0)
        if not len(named):
            return pa.nulls(len(numbers), pa.string())
        some = numbers[named]
        if (some[1:] > some[:-1]).all():  # a request that was sent again, as a rule: in the order of the first time
            texts = self._texts(self._store.views.take(some))
            if len(named) == len(numbers):
                return texts
            places = np.cumsum(numbers >= 0) - 1
        else:
            unique = distinct(some)
            texts = self._texts(self._store.views.take(unique))
            places = np.searchsorted(unique, numbers)
        return texts.take(pa.array(places, mask=numbers < 0))

    def _texts(self, rows: Table) -> pa.StringArray:
        """The names of rows: there are few requests, and the items of all of them are numbered alike."""
        request = (rows["journal"].astype(np.int64) << _POSITION_BITS) | rows["position"]
        requests = distinct(request)
        journal = pa.array(list(self._store.journals)).take(pa.array(requests >> _POSITION_BITS))
        position = pa.array(requests & ((1 << _POSITION_BITS) - 1)).cast(pa.string())
        heads = pc.binary_join_element_wise(journal, position, "/").take(pa.array(np.searchsorted(requests, request)))
        item = np.ascontiguousarray(rows["item"])
        few = pa.array(np.arange(int(item.max()) + 1)) if item.max() < len(item) else None
        items = pa.array(item).cast(pa.string()) if few is None else few.cast(pa.string()).take(pa.array(item))
        return pc.binary_join_element_wise(heads, items, ".")

    def settled(self, got: Incoming, number: Numbers, again: Numbers, asked: Numbers) -> Settled:
        """What is said of the rows that came in, by the number of the view that each is or repeats, or -1.

        Those in `again` repeat a view; those that are not `asked` about have nothing to do with any other.
        """
        flags = got.views.flags
        verdict = flag(flags, VERDICT)
        code, target = np.zeros(len(number), np.int16), number.copy()
        code[asked], target[asked] = self.of(number[asked])
        code[again] = code_of(RETRANSMITTED)
        code[(number < 0) & flag(flags, MUTE)] = code_of(FAILED)
        code[(number < 0) & ~flag(flags, MUTE)] = code_of(RETRANSMITTED)  # landed before a crash: nobody reads this
        code[verdict] = FIRST_VERDICT + got.verdict_code[verdict].astype(np.int16)
        billable = code == BILLED
        reasons = pa.array([*REASONS, *self._store.verdicts], pa.string())
        because = pa.array(code - 1, pa.int16(), mask=billable)
        superseded, self._superseded = self._superseded, []
        return Settled(
            pa.array(billable),
            pa.DictionaryArray.from_arrays(because, reasons),
            self._names(np.where(billable, -1, target)),
            pa.array(got.view_rank),
            superseded,
        )
