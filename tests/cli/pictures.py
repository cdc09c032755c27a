"""Answers to draw, made up, and how they look at a width."""

from __future__ import annotations

import io
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from taximeter_queries import Answer, Column, Coverage, Unit, Unpriced, Window, report

__all__ = ["COVERAGE", "DAY", "MODEL", "answer", "cost", "looks", "of_trace"]

MODEL, DAY = Column("model", Unit.TEXT), Column("day", Unit.DAY)
COVERAGE = Coverage(788, 774, Decimal("15.55"), (Unpriced("acme-13b", "unpriced_model", 14),))
_SPAN = dict.fromkeys((column.name for column in report("trace").columns), None)


def answer(
    name: str, columns: Sequence[Column], rows: Sequence[tuple[Any, ...]], grouped_by: int, **more: Any
) -> Answer:
    """An answer with what it is told."""
    window = more.pop("window", Window(timezone=ZoneInfo("UTC")))
    return Answer(name, tuple(columns), list(rows), window, "", grouped_by, **more)


def cost(by: Sequence[Column], rows: Sequence[tuple[Any, ...]], **more: Any) -> Answer:
    """What calls cost: the rows have what they are grouped by, calls, input tokens, and cost."""
    columns = (
        *by,
        Column("calls", Unit.COUNT),
        Column("input_tokens", Unit.TOKENS, title="input"),
        Column("cost_usd", Unit.USD, title="cost"),
        Column("input_cost_usd", Unit.USD, title="input", detail=True),
    )
    return answer("cost", columns, [(*row, None) if len(row) < len(columns) else row for row in rows], len(by), **more)


def of_trace(*spans: dict[str, Any]) -> Answer:
    """A trace, of spans in the order of the tree."""
    told = [{**_SPAN, "status": "ok", **span} for span in spans]
    return answer("trace", report("trace").columns, [tuple(one.values()) for one in told], 0)


def looks(shown: Any, width: int = 80, encoding: str = "utf-8", **console: Any) -> str:
    """What is printed, without the spaces at the ends of lines."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=file, width=width, **{"highlight": False, **console}).print(shown)
    file.flush()
    text = file.buffer.getvalue().decode(encoding)
    return "\n".join(line.rstrip() for line in text.rstrip("\n").split("\n"))
