"""Calls for the tests of billing: a table such as the lander hands to the register, and what became of each row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from taximeter_collector.bill import Register, Settled, SpanLinks
from taximeter_collector.lake.schema import CALLS

DAY = dt.date(2026, 11, 20)
NOON = 1_795_262_400_000_000_000
_TYPES = {column.name: column.type for column in CALLS.columns} | {
    "verdict": pa.string(),
    "is_aggregate": pa.bool_(),
    "rank": pa.int32(),
    "view_rank": pa.int32(),
}


@dataclass(frozen=True)
class Call:
    """A view of a call, with defaults that make it an ordinary one."""

    trace: str | int | None = 1
    span: int | None = 1
    parent: int | None = None
    response: str | None = None
    tokens: int | None = 100
    output: int | None = None
    cost: str | None = ""
    log: bool = False
    failed: bool = False
    verdict: str | None = None
    total: bool = False
    rank: int = 0
    dialect: str = "otel"
    at: int = NOON
    day: dt.date = DAY
    more: dict[str, Any] = field(default_factory=dict, hash=False)

    def but(self, **changes: Any) -> Call:
        return replace(self, **changes)

    def row(self) -> dict[str, Any]:
        output = self.tokens if self.output is None else self.output
        cost = (None if self.tokens is None else f"0.{self.tokens:06}") if self.cost == "" else self.cost
        return {
            "date": self.day,
            "start_unix_nano": self.at,
            "trace_id": None if self.trace is None else f"{self.trace:0>32}",
            "span_id": None if self.span is None else f"{self.span:016x}",
            "parent_span_id": None if self.parent is None else f"{self.parent:016x}",
            "response_id": self.response,
            "source": "log" if self.log else "span",
            "dialect": self.dialect,
            "operation": "chat",
            "status": "error" if self.failed else "ok",
            "input_tokens": self.tokens,
            "output_tokens": output,
            "cost_usd": None if cost is None else Decimal(cost),
            "cost_status": "priced"
            if cost is not None
            else "missing_usage"
            if self.tokens is None
            else "unpriced_model",
            "verdict": self.verdict,
            "is_aggregate": self.total,
            "rank": self.rank,
        } | self.more


Link = tuple[str | int, int, int | None]
"""A span that is no call: its trace, its id, its parent's."""


def links(calls: Iterable[Call], others: Iterable[Link] = ()) -> SpanLinks:
    """All spans of a commit, as the lander tells of them."""
    spans = [(call.trace, call.span, call.parent) for call in calls if not call.log and call.trace and call.span]
    all_spans = [*spans, *others]
    return SpanLinks.of(
        pa.array([bytes.fromhex(f"{trace:0>32}") for trace, _, _ in all_spans], pa.binary()),
        pa.array([span.to_bytes(8, "big") for _, span, _ in all_spans], pa.binary()),
        pa.array([parent.to_bytes(8, "big") if parent else b"" for _, _, parent in all_spans], pa.binary()),
    )


def table(calls: Sequence[Call], identities: Sequence[tuple[str, int, int]]) -> pa.Table:
    rows = [call.row() for call in calls]
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: pa.array([row.get(name) for row in rows], _TYPES[name]) for name in names}
    columns["journal_id"] = pa.array([each[0] for each in identities], pa.string())
    columns["journal_position"] = pa.array([each[1] for each in identities], pa.int64())
    columns["journal_item"] = pa.array([each[2] for each in identities], pa.int32())
    for name in ("dialect", "source", "cost_status", "verdict"):
        if name in columns:
            columns[name] = columns[name].dictionary_encode()
    return pa.table(columns)


Identity = tuple[str, int, int]


@dataclass
class Row:
    """A row of the lake: what landed, and what became of it since."""

    identity: Identity
    call: Call
    billable: bool
    because: str | None
    billed_as: str | None
    view_rank: int

    @property
    def name(self) -> str:
        journal, position, item = self.identity
        return f"{journal}/{position}.{item}"


class Ledger:
    """A lake in miniature: it appends what it is given, applies corrections with it, and knows what was landed."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.options = {"remember_days": 0} | options  # the calls of these tests are of one day, whenever they run
        self.rows: dict[Identity, Row] = {}
        self.corrections = 0
        self._position = 0
        self.register = self._open()

    def _open(self) -> Register:
        return Register.open(self.folder, self.landed, **self.options)

    def reopen(self) -> None:
        """As after a crash: nobody says goodbye."""
        self.register = self._open()

    def land(self, *calls: Call, others: Iterable[Link] = (), crash: bool = False) -> list[Row]:
        """Land calls in one commit, as one request.

        In a crash the collector dies between the lake's commit and the register's; the lake tells the next one of the
        rows, and they are handed to it again, because the cursor has not moved.
        """
        identities = self.next_identities(calls)
        batch, spans = table(calls, identities), links(calls, others)
        self.append(calls, identities, self.register.settle(batch, spans))
        if crash:
            self.reopen()
            self.append(calls, identities, self.register.settle(batch, spans))
        self.register.commit()
        return [self.rows[identity] for identity in identities]

    def fail_to_land(self, *calls: Call, others: Iterable[Link] = ()) -> None:
        """The lake does not take the commit; the same will be read again, from the same place in the journal."""
        identities = self.next_identities(calls)
        self.register.settle(table(calls, identities), links(calls, others))
        self.register.abandon()
        self._position -= 1

    def next_identities(self, calls: Sequence[Call]) -> list[Identity]:
        self._position += 1
        return [("j", self._position, item) for item in range(len(calls))]

    def append(self, calls: Sequence[Call], identities: Sequence[Identity], settled: Settled) -> None:
        for at, (call, identity) in enumerate(zip(calls, identities, strict=True)):
            if identity in self.rows:
                continue  # landed before a crash: the lake leaves it out by its position
            self.rows[identity] = Row(
                identity,
                call,
                settled.billable[at].as_py(),
                settled.because[at].as_py(),
                settled.billed_as[at].as_py(),
                settled.view_rank[at].as_py(),
            )
        for each in settled.superseded:
            row = self.rows[each.journal_id, each.journal_position, each.journal_item]
            assert each.date == row.call.day
            row.billable, row.because, row.billed_as = each.because is None, each.because, each.billed_as
            self.corrections += 1

    def landed(self, since: dt.date | None) -> Iterable[pa.RecordBatch]:
        rows = [row for row in self.rows.values() if since is None or row.call.day >= since]
        if not rows:
            return
        whole = table([row.call for row in rows], [row.identity for row in rows])
        whole = whole.drop_columns([name for name in ("verdict", "is_aggregate", "rank") if name in whole.column_names])
        whole = whole.append_column("billable", pa.array([row.billable for row in rows]))
        whole = whole.append_column("not_billable_because", pa.array([row.because for row in rows], pa.string()))
        whole = whole.append_column("billed_as", pa.array([row.billed_as for row in rows], pa.string()))
        whole = whole.append_column("view_rank", pa.array([row.view_rank for row in rows], pa.int32()))
        yield from whole.to_batches(max_chunksize=7)

    @property
    def billed(self) -> list[Row]:
        return [row for row in self.rows.values() if row.billable]

    @property
    def tokens(self) -> int:
        return sum((row.call.tokens or 0) for row in self.billed)
