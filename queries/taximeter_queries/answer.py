"""What a question gives: rows, what their columns mean, and how far they can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from taximeter_queries.columns import Column
from taximeter_queries.window import Window

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

    from taximeter_queries.sides import Side

__all__ = ["Answer", "Coverage", "Unpriced"]


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Calls of one model without a price, and why."""

    model: str | None
    cost_status: str
    calls: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of the calls that count have a price, and what they cost together."""

    calls: int = 0
    priced_calls: int = 0
    cost_usd: Decimal = Decimal(0)
    unpriced: tuple[Unpriced, ...] = ()
    """The most frequent first."""

    @property
    def share(self) -> float | None:
        """0 to 1; None without calls."""
        return self.priced_calls / self.calls if self.calls else None


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question. Values are exact: counts are integers, money is `Decimal`, moments know their zone."""

    report: str
    columns: tuple[Column, ...]
    rows: list[tuple[Any, ...]]
    window: Window
    sql: str
    """What was asked of the engine."""
    grouped_by: int = 0
    """How many columns, from the first, are what the rows are grouped by."""
    total: tuple[Any, ...] | None = None
    """All rows together, also those beyond the limit."""
    cut: bool = False
    """Whether there are more rows than were asked for."""
    coverage: Coverage | None = None
    notes: tuple[str, ...] = ()
    """What a reader of the rows has to know."""
    sides: tuple[Side, ...] = ()
    """What is compared, of a comparison."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(column.name for column in self.columns)

    def records(self) -> list[dict[str, Any]]:
        """The rows, as a machine reads them."""
        return [dict(zip(self.names, row, strict=True)) for row in self.rows]

    def table(self) -> pa.Table:
        """The rows as an Arrow table, whose types do not depend on what is in them."""
        from taximeter_queries.arrow import table

        return table(self.columns, self.rows, self.window)
