"""The tree of a trace, with a waterfall."""

from __future__ import annotations

from rich.console import RenderableType
from taximeter_queries.answer import Answer

__all__ = ["is_trace", "render"]


def is_trace(answer: Answer) -> bool:
    """Whether the rows are spans of one trace."""
    return answer.report == "trace" and {"span_id", "parent_span_id"} <= set(answer.names)


def render(answer: Answer, width: int | None = None) -> RenderableType:
    """A trace as a tree of its spans."""
    from taximeter_cli.reporting import tables

    return tables.rows_of(answer, width)
