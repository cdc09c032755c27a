"""`taximeter schema`, as people read it: sentences go on in the next line, where a table would shorten them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taximeter_queries.answer import Answer
from taximeter_queries.columns import Unit

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["sheet"]

_WIDEST = 40  # types of nested columns are longer than a line


def sheet(answer: Answer) -> Table:
    """Names and their sentences."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for place, column in enumerate(answer.columns):
        is_count, is_last = column.unit is Unit.COUNT, place == len(answer.columns) - 1
        table.add_column(
            column.name,
            justify="right" if is_count else "left",
            no_wrap=place == 0,
            overflow="fold",
            max_width=None if is_last else _WIDEST,
        )
    for row in answer.rows:
        table.add_row(*(Text("yes" if cell is True else "no" if cell is False else str(cell)) for cell in row))
    return table
