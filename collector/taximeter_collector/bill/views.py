"""The views of a batch as arrays: all that decides who is billed, in twelve numbers a view.

`CALL_COLUMNS` are the columns of `calls` that are read; a column that is missing is one that nobody told.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.bill.columns import UNTOLD, Columns, numbered
from taximeter_collector.bill.fingerprints import (
    Keys,
    dictionary_fingerprints,
    hex_ids,
    joined,
    lengths_of,
    span_keys,
    text_fingerprints,
)
from taximeter_collector.price.usage import COUNTERS

__all__ = ["CALL_COLUMNS", "LEAST_ID", "REASONS", "Incoming", "Views", "flag", "incoming"]

Flags: TypeAlias = npt.NDArray[np.bool_]
Ints: TypeAlias = npt.NDArray[np.int64]

LEAST_ID = 16
"""Shorter response ids, such as `chatcmpl-1`, come from mocks and local servers, and identify nothing."""

FAILED, RETRANSMITTED, SAME_RESPONSE, SAME_CALL, NESTED = REASONS = (
    "failed",
    "retransmitted",
    "same_response",
    "same_call",
    "nested",
)
"""Why this room does not bill a view. Any other reason is a verdict of its dialect."""

_USAGE = tuple(name for name in COUNTERS if name != "requests")
_IDENTITY = ("journal_id", "journal_position", "journal_item", "date")
_TOLD_APART_BY = ("conversation_id", "user_id", "agent_name", "request_model", "response_model", "service_name")
CALL_COLUMNS = (
    *_IDENTITY,
    *("trace_id", "span_id", "parent_span_id", "response_id", "source", "dialect", "operation", "status"),
    *("start_unix_nano", "duration_ms", *_TOLD_APART_BY),
    *_USAGE,
    *("cost_usd", "reported_cost_usd", "cost_status", "billable", "not_billable_because", "billed_as", "view_rank"),
)
"""The columns of `calls` that a register is rebuilt from."""

# In `flags`, and in the int32 of `view_rank`, whose other bits are the dialect's rank.
LOG, TELLS, AGGREGATE, VERDICT, MUTE, NESTED_BEFORE, BILLED_BEFORE = (1 << bit for bit in range(7))
_RANK_BITS, _MOST_RANK = 2, 511
_DETAIL_BITS, _MOST_DETAILS = 6, 63
_OUTPUT_BITS = 44


def flag(flags: npt.NDArray[Any], bit: int) -> Flags:
    """Where it is set."""
    return np.asarray((flags & np.uint8(bit)) != 0)


@dataclass(slots=True)
class Views:
    """Arrays of one length. `response`, `span`, `parent` and `likeness` are fingerprints, 0 for none."""

    response: Keys
    """Of the response id, if it identifies anything."""
    span: Keys
    """Of the span, or of the one that a log record was written in."""
    parent: Keys
    """Of the span around it; of a log record, of its own span."""
    likeness: Keys
    """Of everything that is looked at here: two views that share it are one view that was sent twice."""
    quality: Keys
    """How good a view it is: more is better."""
    cost: Ints
    """In picodollars; the least number of all if it is not known."""
    bill: Keys
    """Of usage and cost: two views that share it make no difference to the bill."""
    flags: npt.NDArray[np.uint8]
    day: npt.NDArray[np.int32]
    position: Ints
    item: npt.NDArray[np.int32]
    journal: npt.NDArray[np.int32]
    """Which of the journals that the register knows."""

    def __len__(self) -> int:
        return len(self.span)

    def take(self, rows: npt.NDArray[Any]) -> Views:
        """Some of them."""
        return Views(*(getattr(self, each.name)[rows] for each in fields(self)))


@dataclass(slots=True)
class Incoming:
    """A batch as it comes in: its views, and what is settled for each of them before any other is looked at."""

    views: Views
    view_rank: npt.NDArray[np.int32]
    """What the ledger keeps of rank, verdict and being a total."""
    verdict_code: npt.NDArray[np.uint8]
    """Which of the verdicts that the register knows; 0 also if there is none."""


def incoming(calls: pa.Table, journals: dict[str, int], verdicts: dict[str, int]) -> Incoming:
    """The views of a table of calls, new ones or those of the lake.

    `journals` and `verdicts` grow by what is met for the first time.
    """
    table = Columns(calls)
    usage = _Usage.of(table)
    verdict = table.dictionary("verdict") if "verdict" in table else _former_verdict(table)
    has_verdict = verdict.is_valid().to_numpy(zero_copy_only=False)
    log = table.equals("source", "log")
    if "view_rank" in table and "rank" not in table:
        stored = table.integers("view_rank", 0)
        rank, aggregate = stored >> _RANK_BITS, (stored & 1) != 0
    else:
        rank, aggregate = np.clip(table.integers("rank", 0), -_MOST_RANK - 1, _MOST_RANK), table.truth("is_aggregate")
    trace, own, around = (hex_ids(table.text(name), digits) for name, digits in _IDS)
    span, identified = span_keys(trace, own[0]), table.text("response_id")
    failed = table.equals("status", "error") & ~usage.tells & (lengths_of(identified) == 0) & ~has_verdict
    response = text_fingerprints(identified)
    names = response.copy()
    response[lengths_of(identified) < LEAST_ID] = 0
    around[0][around[0] == own[0]] = 0
    flags = LOG * log + TELLS * usage.tells + AGGREGATE * aggregate + VERDICT * has_verdict
    flags = flags + MUTE * (failed | (has_verdict & aggregate))
    flags = flags + BILLED_BEFORE * table.truth("billable")
    flags = flags + NESTED_BEFORE * table.equals("not_billable_because", NESTED)
    views = Views(
        response=response,
        span=span,
        parent=np.where(log, span, span_keys(trace, around[0])),
        likeness=np.zeros(0, np.uint64),
        quality=_quality(usage, log, aggregate, rank),
        cost=usage.cost,
        bill=usage.bill,
        flags=flags.astype(np.uint8),
        day=table.days(),
        position=table.integers("journal_position", 0),
        item=table.integers("journal_item", 0).astype(np.int32),
        journal=table.journals(journals),
    )
    views.likeness = _likeness(table, views, names)
    view_rank = (rank << _RANK_BITS) | (has_verdict << 1) | aggregate
    return Incoming(views, view_rank.astype(np.int32), numbered(verdict, verdicts).astype(np.uint8))


_IDS = (("trace_id", 32), ("span_id", 16), ("parent_span_id", 16))


def _quality(usage: _Usage, log: Flags, aggregate: Flags, rank: Ints) -> Keys:
    """In one number, the weightiest first: a price, usage, no total, a span, rank, details, tokens that came out."""
    quality = (usage.tells & usage.priced).astype(np.uint64)
    for yes in (usage.tells, ~aggregate, ~log):
        quality = (quality << np.uint64(1)) | yes
    quality = (quality << np.uint64(10)) | (rank + _MOST_RANK + 1).astype(np.uint64)
    quality = (quality << np.uint64(_DETAIL_BITS)) | np.minimum(usage.details, _MOST_DETAILS).astype(np.uint64)
    output = np.clip(usage.output, 0, (1 << _OUTPUT_BITS) - 1).astype(np.uint64)
    return (quality << np.uint64(_OUTPUT_BITS)) | output


def _likeness(table: Columns, views: Views, names: Keys) -> Keys:
    """Of a span: the span, and what it says. Of what has no span of its own: all by which two events differ."""
    said = views.flags & np.uint8(~(NESTED_BEFORE | BILLED_BEFORE) & 0xFF)
    hashes = joined(said.astype(np.uint64), views.span)
    for more in (views.parent, views.response, views.quality, views.bill):
        hashes = joined(hashes, more)
    loose = np.flatnonzero(flag(views.flags, LOG) | (views.span == 0))
    if len(loose):
        some = table.select(("trace_id", "dialect", *_TOLD_APART_BY, "start_unix_nano", "duration_ms")).take(loose)
        apart = joined(hashes[loose], names[loose])
        for name in ("trace_id", "dialect", *_TOLD_APART_BY):
            apart = joined(apart, dictionary_fingerprints(some.column(name, pa.string())))
        apart = joined(apart, some.integers("start_unix_nano", 0).view(np.uint64))
        duration = some.column("duration_ms", pa.float64()).cast(pa.float64()).fill_null(-1.0)
        hashes[loose] = joined(apart, duration.to_numpy(zero_copy_only=False).view(np.uint64))
    hashes[hashes == 0] = 1
    return hashes


def _former_verdict(table: Columns) -> pa.Array:
    """What the dialect had said of a row of the lake: any reason that is none of ours."""
    because = table.dictionary("not_billable_because")
    ours = pc.is_in(because.dictionary, value_set=pa.array(REASONS))
    kept = pc.if_else(ours, pa.scalar(None, pa.string()), because.dictionary)
    return kept.take(because.indices).dictionary_encode()


@dataclass(slots=True)
class _Usage:
    """What the views tell of usage and cost."""

    tells: Flags
    priced: Flags
    details: Ints
    output: Ints
    cost: Ints
    bill: Keys

    @classmethod
    def of(cls, table: Columns) -> _Usage:
        rows = table.rows
        tells = np.zeros(rows, np.bool_)
        details = np.zeros(rows, np.int64)
        bill: Keys = np.ones(rows, np.uint64)
        output = np.zeros(rows, np.int64)
        for at, name in enumerate((*_USAGE, "cost_usd", "reported_cost_usd")):
            column = table.told(name)
            if column is None:
                continue
            numbers = table.picodollars(column) if pa.types.is_decimal(column.type) else table.integers(name, UNTOLD)
            told = numbers != UNTOLD
            tells |= numbers > 0
            details += told
            bill = np.where(told, joined(bill, (numbers * 64 + at).view(np.uint64)), bill)
            if name == "output_tokens":
                output = numbers
        status = table.column("cost_status", pa.string())
        priced = np.zeros(rows, np.bool_)
        for name in ("priced", "reported", "free"):
            priced |= table.equals("cost_status", name)
        bill = joined(bill, dictionary_fingerprints(status))
        cost = table.told("cost_usd")
        known = np.full(rows, UNTOLD, np.int64) if cost is None else table.picodollars(cost)
        return cls(tells, priced, details, output, known, bill)
