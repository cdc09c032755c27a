"""Records to rows without a journal and a lake: what the lander makes of requests, in memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from taximeter_collector.bill import Register, SpanLinks
from taximeter_collector.journal import Record, Signal
from taximeter_collector.lake.schema import CALLS
from taximeter_collector.land.calls import priced, settled
from taximeter_collector.land.rows import table_of
from taximeter_collector.land.stages import Batch, Stages
from taximeter_collector.price import Book
from taximeter_collector.receive.otlp_json import to_protobuf
from taximeter_collector.receive.shape import SHAPES
from taximeter_collector.redact import RedactConfig, Redaction

BOOK = Book.load()
RECEIVED_UNIX_NANO = 1_795_250_000 * 10**9  # 2026-11-21


def record(signal: str, request: Mapping[str, Any] | bytes, position: int = 0) -> Record:
    """A request as the journal has it, from OTLP in JSON or in protobuf."""
    kind = Signal[signal.upper()]
    if not isinstance(request, bytes):
        request = to_protobuf(
            next(shape for shape in SHAPES if shape.signal == kind).request.DESCRIPTOR, json.dumps(request).encode()
        )
    return Record(position, RECEIVED_UNIX_NANO, kind, 0, "", request)


def stages(**settings: Any) -> Stages:
    """The way from bytes to rows, with settings of [redact] and `keep_content`."""
    keep_content = settings.pop("keep_content", True)
    return Stages("j", Redaction.of(RedactConfig(**settings)), keep_content=keep_content)


def land(
    folder: Path, commits: Iterable[Iterable[Record]], way: Stages | None = None
) -> dict[str, list[dict[str, Any]]]:
    """All rows that there are when these have been committed, by table, with later corrections made."""
    way = way or stages()
    register = Register.open(folder / "register", lambda since: [])
    rows: dict[str, list[dict[str, Any]]] = {}
    for records in commits:
        batch = way.run(list(records))
        assert not batch.refused, batch.refused
        for table, parts in batch.rows.items():
            if table != CALLS.name:
                rows.setdefault(table, []).extend(
                    row for part in parts for row in part.to_pylist(maps_as_pydicts="strict")
                )
        _settle(register, batch, rows.setdefault(CALLS.name, []))
    return rows


def _settle(register: Register, batch: Batch, ledger: list[dict[str, Any]]) -> None:
    parts = batch.rows.get(CALLS.name)
    calls = priced(pa.concat_tables(parts, promote_options="permissive"), BOOK) if parts else pa.table({})
    if parts or batch.links:
        verdict = register.settle(calls, SpanLinks.join(batch.links))
        if parts:
            ledger += table_of(CALLS, settled(calls, verdict), calls.num_rows).to_pylist(maps_as_pydicts="strict")
        for one in verdict.superseded:
            for row in ledger:
                if (row["journal_position"], row["journal_item"]) == (one.journal_position, one.journal_item):
                    row["billable"] = one.because is None
                    row["not_billable_because"], row["billed_as"] = one.because, one.billed_as
    register.commit()
