"""The reports that one wants first, in the order in which one would ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from taximeter_cli.demo.assistant import CONVERSATION

__all__ = ["dearest_trace", "reports"]

_TYPED = 8


def reports(trace: str | None, without: list[str]) -> Iterator[tuple[str, ...]]:
    """The commands, as one would type them."""
    yield ("cost",)
    yield ("latency", "--by", "service,stream")
    yield ("errors", "--by", "model")
    if trace:
        yield ("trace", trace[:_TYPED])
    if len(without) < 2:
        yield ("conversation", CONVERSATION)
    yield ("sessions",)
    yield ("coverage", "--by", "cost_status,not_billable_because")


def dearest_trace(lake: Path) -> str | None:
    """The trace that cost most."""
    from taximeter_queries import Lake, ask

    rows = ask(Lake(lake), "traces", limit=1).records()
    return str(rows[0]["trace_id"]) if rows else None
