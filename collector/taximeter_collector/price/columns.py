"""Many calls at once: names are resolved once for each combination, and quantities are multiplied as arrays of int64.

What does not fit an int64 product, or needs more than one row of the book, goes through the arithmetic for one call;
both give the same picodollars.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.price.book import Book, Resolved, Schedule
from taximeter_collector.price.meters import METERS, Part
from taximeter_collector.price.rates import LARGEST_PICO, Cost, Level, Status
from taximeter_collector.price.source import DAY_NS, Breaks
from taximeter_collector.price.tiers import tier_of
from taximeter_collector.price.usage import COUNTERS, INVARIANTS, NOTHING_TOLD, Usage, quantities

__all__ = ["KEYS", "PRICE_SCHEMA", "price_table"]

KEYS = ("provider", "response_model", "request_model", "service_tier", "processing", "speed", "region")
MONEY = pa.decimal128(18, 12)
_TEXT = pa.dictionary(pa.int32(), pa.string())
PRICE_SCHEMA = pa.schema(
    [
        ("model", _TEXT),
        ("cost_usd", MONEY),
        *((f"{part}_cost_usd", MONEY) for part in Part),
        ("cost_status", _TEXT),
        ("cost_reason", _TEXT),
        ("price_id", _TEXT),
    ]
)

Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

# Counts up to here add up, and products up to here sum up, within an int64.
_LARGEST_COUNT = 2**40
_LARGEST_PRODUCT = 2**57
_FEE = next(at for at, meter in enumerate(METERS) if meter.name == "request")
_STATUSES = list(Status)


def price_table(book: Book, calls: pa.Table | pa.RecordBatch) -> pa.Table:
    """What each call costs, row by row: the columns of `PRICE_SCHEMA`.

    Of `calls` it reads `start_unix_nano` (which must be there, without nulls), the texts of `KEYS`, and the counters
    of `Usage`, each under its own name; a column that is missing is one that nobody told. Raises ValueError for a
    table without times, and for nothing else.
    """
    table = pa.table(calls) if isinstance(calls, pa.RecordBatch) else calls
    if "start_unix_nano" not in table.column_names or table["start_unix_nano"].null_count:
        raise ValueError("start_unix_nano: every call needs the time at which it is priced")
    times = table["start_unix_nano"].cast(pa.int64()).to_numpy()
    counts = _Counts.of(table)
    groups, group = _groups(book, table, times)
    bill = _Bill.of(groups, group, counts)
    for at, cost in _one_by_one(book, table, np.flatnonzero(bill.apart)):
        bill.put(at, cost)
    return bill.table()


@dataclass(slots=True)
class _Counts:
    """The counters as arrays: 0 where nobody said, or the number 0 if nobody said it of any call."""

    rows: int
    by_name: dict[str, Ints | int]
    told: dict[str, Mask]
    outsized: Mask

    @classmethod
    def of(cls, table: pa.Table) -> _Counts:
        rows = table.num_rows
        by_name: dict[str, Ints | int] = {}
        told: dict[str, Mask] = {}
        outsized = np.zeros(rows, dtype=np.bool_)
        for name in COUNTERS:
            column = table[name] if name in table.column_names else None
            if column is None or column.null_count == rows:
                by_name[name] = 1 if name == "requests" else 0
                continue
            values = column.cast(pa.int64())
            told[name] = np.asarray(values.is_valid().to_numpy())
            numbers = values.fill_null(1 if name == "requests" else 0).to_numpy()
            if rows and numbers.max() > _LARGEST_COUNT:
                outsized |= numbers > _LARGEST_COUNT
                numbers = np.where(numbers > _LARGEST_COUNT, 0, numbers)
            by_name[name] = numbers
        return cls(rows, by_name, told, outsized)

    def __call__(self, name: str) -> Ints | int:
        return self.by_name[name]

    def is_told(self, name: str) -> Mask:
        found = self.told.get(name)
        return np.zeros(self.rows, dtype=np.bool_) if found is None else found

    def inconsistencies(self) -> Iterator[tuple[str, Mask]]:
        """As `usage.inconsistency` says it, in the same order."""
        for name in COUNTERS:
            numbers = self.by_name[name]
            if not isinstance(numbers, int) and self.rows and numbers.min() < 0:
                yield f"{name} < 0", numbers < 0
        for invariant in INVARIANTS:
            details: Any = sum(self.by_name[name] for name in invariant.details)
            if not isinstance(details, int):
                yield invariant.reason, details > self.by_name[invariant.whole]


def _groups(book: Book, table: pa.Table, times: Ints) -> tuple[list[Resolved], npt.NDArray[np.int32]]:
    """What holds for the calls, and for each call which of it: calls of a group have names and rates in common."""
    combinations, group = _combinations(table)
    groups: list[Resolved] = []
    if not len(times):
        return groups, group
    first, last = int(times.min()), int(times.max())
    moved: list[tuple[Mask, int]] = []
    for number, named in enumerate(combinations):
        schedule = _schedule(book, named)
        groups.append(schedule.at(first))
        if not _is_one_stretch(schedule.breaks, first, last):
            moved.append((group == number, number))
    for mask, number in moved:
        schedule = _schedule(book, combinations[number])
        own = times[mask]
        stretch = _stretches(schedule.breaks, own)
        begins, which = np.unique(stretch, return_index=True)[1], np.unique(stretch, return_inverse=True)[1]
        group[mask] = len(groups) + which
        groups += [schedule.at(int(own[begin])) for begin in begins]
    return groups, group


def _schedule(book: Book, named: Sequence[str | None]) -> Schedule:
    provider, response_model, request_model, service_tier, processing, speed, region = named
    return book.schedule(provider, response_model, request_model, tier_of(service_tier, processing, speed), region)


def _combinations(table: pa.Table) -> tuple[list[tuple[str | None, ...]], npt.NDArray[np.int32]]:
    """The combinations of texts that occur, and for each row which one."""
    rows: list[tuple[str | None, ...]] = [()]
    which = np.zeros(table.num_rows, dtype=np.int64)
    for name in KEYS:
        if name not in table.column_names or table[name].null_count == table.num_rows:
            rows = [(*row, None) for row in rows]
            continue
        column = table[name].combine_chunks()
        encoded = column if pa.types.is_dictionary(column.type) else pc.dictionary_encode(column)
        texts = [*encoded.dictionary.to_pylist(), None]
        codes = encoded.indices.cast(pa.int64()).fill_null(len(texts) - 1).to_numpy()
        # Numbered anew after each column, so that they count what occurs together, and never outgrow an int64.
        again = pa.array(which * len(texts) + codes).dictionary_encode()
        which = again.indices.cast(pa.int64()).to_numpy()
        rows = [(*rows[code // len(texts)], texts[code % len(texts)]) for code in again.dictionary.to_pylist()]
    return rows, which.astype(np.int32)


def _is_one_stretch(breaks: Breaks, first: int, last: int) -> bool:
    if breaks.times_ns and first // DAY_NS != last // DAY_NS:
        return False
    return breaks.segment(first) == breaks.segment(last)


def _stretches(breaks: Breaks, times: Ints) -> Ints:
    of_time = np.searchsorted(np.array(breaks.instants, dtype=np.int64), times, side="right")
    of_day = np.searchsorted(np.array(breaks.times_ns, dtype=np.int64), times % DAY_NS, side="right")
    stretch: Ints = of_time * (len(breaks.times_ns) + 1) + of_day
    return stretch


@dataclass(slots=True)
class _Bill:
    """The columns that come out."""

    level: Ints
    levels: list[str]
    models: list[str]
    status: Ints
    reason: Ints
    reasons: list[str]
    parts: dict[Part, Ints]
    apart: Mask

    @classmethod
    def of(cls, groups: list[Resolved], group: npt.NDArray[np.int32], counts: _Counts) -> _Bill:
        """Everything that arrays can say; `apart` are the calls that they cannot."""
        rates = _Rates.of(groups)
        level = rates.base[group] + _steps(groups, group, counts("input_tokens"))
        bill = cls(
            level=level,
            levels=rates.ids,
            models=rates.models,
            status=rates.status[group],
            reason=rates.reason[group],
            reasons=rates.reasons,
            parts={part: np.zeros(counts.rows, dtype=np.int64) for part in Part},
            apart=counts.outsized | rates.apart[level],
        )
        bill._multiply(rates, counts)
        bill._judge(counts)
        return bill

    def _multiply(self, rates: _Rates, counts: _Counts) -> None:
        for at, (meter, quantity) in enumerate(zip(METERS, quantities(counts, np.minimum), strict=True)):
            if isinstance(quantity, int) and not quantity:
                continue
            coefficients = rates.coefficients[:, at]
            most = int(coefficients.max(initial=0))
            if at != _FEE and rates.absent[:, at].any():
                self.apart |= (quantity > 0) & rates.absent[self.level, at]
            if not most:
                continue
            coefficient = coefficients[self.level]
            if int(np.max(quantity, initial=0)) * most > _LARGEST_PRODUCT:
                outsized = np.asarray(quantity, dtype=np.float64) * coefficient > _LARGEST_PRODUCT
                self.apart |= outsized
                quantity = np.where(outsized, 0, quantity)
            self.parts[meter.part] += quantity * coefficient

    def _judge(self, counts: _Counts) -> None:
        """Free is free; of the others, first what cannot be, then what was not told."""
        charged = self.status != _STATUSES.index(Status.FREE)
        self.apart &= charged
        told_input, told_output = counts.is_told("input_tokens"), counts.is_told("output_tokens")
        told = told_input | told_output
        if not told.all():
            for name in COUNTERS:
                if name != "requests":
                    told = told | counts.is_told(name)
            self._say(charged & ~told, Status.MISSING_USAGE, NOTHING_TOLD)
        is_priced = self.status == _STATUSES.index(Status.PRICED)
        self.apart |= is_priced & told & ~(told_input & told_output)
        self.apart |= is_priced & (sum(self.parts.values()) > LARGEST_PICO)
        settled = ~charged | counts.outsized
        for reason, mask in counts.inconsistencies():
            self._say(mask & ~settled, Status.INCONSISTENT_USAGE, reason)
            self.apart &= ~(mask & ~settled)
            settled |= mask

    def _say(self, mask: Mask, status: Status, reason: str) -> None:
        if not mask.any():
            return
        self.status[mask] = _STATUSES.index(status)
        self.reason[mask] = len(self.reasons)
        self.reasons.append(reason)

    def put(self, at: int, cost: Cost) -> None:
        """The price of one call that was priced by itself."""
        self.status[at] = _STATUSES.index(cost.status)
        self.reason[at] = len(self.reasons)
        self.reasons.append(cost.reason or "")
        self.level[at] = len(self.levels)
        self.levels.append(cost.price_id or "")
        self.models.append(cost.model or "")
        for part, pico in zip(Part, _parts(cost), strict=True):
            self.parts[part][at] = pico or 0

    def table(self) -> pa.Table:
        """As Arrow: unknown is null."""
        free, priced = _STATUSES.index(Status.FREE), _STATUSES.index(Status.PRICED)
        known = (self.status == free) | (self.status == priced)
        total: Ints = np.sum(list(self.parts.values()), axis=0, dtype=np.int64)
        columns = {
            "model": _texts(self.level, self.models, np.ones(len(known), dtype=np.bool_)),
            "cost_usd": _money(total, known),
            **{f"{part}_cost_usd": _money(pico, known) for part, pico in self.parts.items()},
            "cost_status": _texts(self.status, [str(status) for status in _STATUSES], np.ones(len(known), np.bool_)),
            "cost_reason": _texts(self.reason, self.reasons, ~known),
            "price_id": _texts(self.level, self.levels, known),
        }
        return pa.table(columns, schema=PRICE_SCHEMA)


@dataclass(slots=True)
class _Rates:
    """The levels of the first row of each group, one below the other; a group without rows has one without rates."""

    base: Ints
    status: Ints
    reason: Ints
    reasons: list[str]
    ids: list[str]
    models: list[str]
    coefficients: Ints
    absent: Mask
    apart: Mask

    @classmethod
    def of(cls, groups: list[Resolved]) -> _Rates:
        base: list[int] = []
        statuses: list[int] = []
        why: list[int] = []
        reasons = [""]
        ids: list[str] = []
        models: list[str] = []
        apart: list[bool] = []
        coefficients: list[tuple[int, ...]] = []
        absent: list[tuple[bool, ...]] = []
        for resolved in groups:
            row = resolved.rows[0] if resolved.rows else None
            base.append(len(ids))
            priced = Status.FREE if row and row.is_free else Status.PRICED
            statuses.append(_STATUSES.index(priced if row else Status.UNPRICED_MODEL))
            why.append(len(reasons) if resolved.reason else 0)
            reasons += [resolved.reason] if resolved.reason else []
            for level in row.levels if row else (None,):
                by_itself = row is not None and (row.scale != 1 or bool(row.minimum) or _is_outsized(level))
                known = level.coefficients if level and not by_itself else (0,) * len(METERS)
                ids.append(level.price_id if level else "")
                models.append(row.model if row else "")
                coefficients.append(tuple(number or 0 for number in known))
                absent.append(tuple(number is None for number in known))
                apart.append(by_itself)
        shape = (len(ids), len(METERS))
        return cls(
            np.array(base, dtype=np.int64),
            np.array(statuses, dtype=np.int64),
            np.array(why, dtype=np.int64),
            reasons,
            ids,
            models,
            np.array(coefficients, dtype=np.int64).reshape(shape),
            np.array(absent, dtype=np.bool_).reshape(shape),
            np.array(apart, dtype=np.bool_),
        )


def _is_outsized(level: Level | None) -> bool:
    return level is not None and any((number or 0) > _LARGEST_PRODUCT for number in level.coefficients)


def _steps(groups: list[Resolved], group: npt.NDArray[np.int32], input_tokens: Ints | int) -> Ints | int:
    """For each call, how many levels its input tokens are above the first."""
    if isinstance(input_tokens, int) or not len(input_tokens):
        return 0
    most = int(input_tokens.max())
    steps = np.zeros(len(group), dtype=np.int64)
    for number, resolved in enumerate(groups):
        starts = [level.over for level in resolved.rows[0].levels[1:]] if resolved.rows else []
        if starts and most > starts[0]:
            mask = group == number
            steps[mask] = np.searchsorted(np.array(starts), input_tokens[mask], side="left")
    return steps


def _one_by_one(book: Book, table: pa.Table, rows: npt.NDArray[np.int64]) -> Iterator[tuple[int, Cost]]:
    if not len(rows):
        return
    names = [name for name in ("start_unix_nano", *KEYS, *COUNTERS) if name in table.column_names]
    for at, call in zip(rows.tolist(), table.select(names).take(pa.array(rows)).to_pylist(), strict=True):
        told = {name: call[name] for name in COUNTERS if call.get(name) is not None}
        yield (
            at,
            book.price(
                Usage(**told),
                at_unix_nano=call["start_unix_nano"],
                provider=call.get("provider"),
                response_model=call.get("response_model"),
                request_model=call.get("request_model"),
                tier=tier_of(call.get("service_tier"), call.get("processing"), call.get("speed")),
                region=call.get("region"),
            ),
        )


def _parts(cost: Cost) -> tuple[int | None, ...]:
    return (cost.input_pico, cost.output_pico, cost.cache_read_pico, cost.cache_write_pico, cost.other_pico)


def _money(pico: Ints, known: Mask) -> pa.Array:
    """int64 picodollars as decimals: the same number, and twelve digits of it behind the point."""
    wide = np.zeros((len(pico), 2), dtype="<i8")  # 128 bits, and no bill is negative
    wide[:, 0] = pico
    exact = pa.Array.from_buffers(MONEY, len(pico), [None, pa.py_buffer(wide.tobytes())])
    return pc.if_else(pa.array(known), exact, pa.scalar(None, MONEY))


def _texts(index: Ints, texts: list[str], known: Mask) -> pa.Array:
    """Texts by their number; the empty one is none at all."""
    said = np.array([bool(text) for text in texts], dtype=np.bool_)
    mask = ~(known & said[index]) if texts else np.ones(len(index), dtype=np.bool_)
    return pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32), mask=mask), pa.array(texts, pa.string()))
