"""What there is in a lake, in figures; of the ledger, what was billed and how much of it has a price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.lake.log import ActiveFile, DeltaLog
from taximeter_collector.lake.reading import read_file, steadily
from taximeter_collector.lake.schema import TABLES

__all__ = ["Ledger", "TableFigures", "ledger_of", "table_figures"]


@dataclass(frozen=True, slots=True)
class TableFigures:
    """What one table has."""

    table: str
    rows: int
    files: int
    bytes: int
    days: int
    first_day: date | None
    last_day: date | None
    version: int
    positions: dict[str, int]

    @property
    def bytes_per_row(self) -> float | None:
        """What a row takes of the disk."""
        return self.bytes / self.rows if self.rows else None


@dataclass(slots=True)
class Ledger:
    """The sums of `calls`: of the rows that are billed, unless it says otherwise."""

    rows: int = 0
    billed_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    calls_by_cost_status: dict[str, int] = field(default_factory=dict)

    @property
    def coverage(self) -> float | None:
        """Which part of the billed calls has a cost."""
        known = sum(self.calls_by_cost_status.get(name, 0) for name in ("priced", "reported", "free"))
        return known / self.billed_calls if self.billed_calls else None


def table_figures(folder: Path, table: str) -> tuple[TableFigures, DeltaLog]:
    """A table's figures, by its log alone."""
    log = DeltaLog(folder / table, TABLES[table])
    files = log.files()
    days = sorted({file.date for file in files})
    return TableFigures(
        table,
        sum(file.rows for file in files),
        len(files),
        sum(file.bytes for file in files),
        len(days),
        days[0] if days else None,
        days[-1] if days else None,
        log.version,
        log.positions(),
    ), log


_SUMMED = ("input_tokens", "output_tokens", "cost_usd")


def ledger_of(log: DeltaLog) -> Ledger:
    """The ledger's sums, read from a few columns of it."""
    return steadily(log, lambda files: _ledger(log, files))


def _ledger(log: DeltaLog, files: Sequence[ActiveFile]) -> Ledger:
    ledger = Ledger()
    for file in files:
        for batch in read_file(log.folder, file, ["billable", "cost_status", *_SUMMED], log.table):
            billed = pa.Table.from_batches([batch]).filter(batch.column("billable"))
            ledger.rows += batch.num_rows
            ledger.billed_calls += billed.num_rows
            ledger.input_tokens += pc.sum(billed["input_tokens"]).as_py() or 0
            ledger.output_tokens += pc.sum(billed["output_tokens"]).as_py() or 0
            ledger.cost_usd += pc.sum(billed["cost_usd"]).as_py() or 0
            for row in pc.value_counts(billed["cost_status"]).to_pylist():
                by_status = ledger.calls_by_cost_status
                by_status[row["values"]] = by_status.get(row["values"], 0) + row["counts"]
    return ledger
