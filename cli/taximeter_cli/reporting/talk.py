"""A conversation, turn by turn."""

from __future__ import annotations

from rich.console import RenderableType
from taximeter_queries.answer import Answer

__all__ = ["is_conversation", "render"]


def is_conversation(answer: Answer) -> bool:
    """Whether the rows are turns of one conversation."""
    return answer.report == "conversation" and "start_time" in answer.names


def render(answer: Answer, width: int | None = None, *, full: bool = False) -> RenderableType:
    """A conversation, a turn after the other; what was said is shortened, unless it is wanted in `full`."""
    from taximeter_cli.reporting import tables

    return tables.rows_of(answer, width)
