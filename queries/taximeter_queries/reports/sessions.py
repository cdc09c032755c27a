"""What coding agents did in their sessions, and what it cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from taximeter_queries.answer import Answer
from taximeter_queries.columns import Column, Unit
from taximeter_queries.report import Report

__all__ = ["REPORT"]

_LISTS = ("agents", "users", "models")
_COUNTS = ("accepted", "rejected", "lines_added", "lines_removed", "commits", "pull_requests")


def _finish(answer: Answer) -> Answer:
    """Lists in order, and what was measured in whole numbers as these."""
    rows = [
        tuple(_plain(name, value) for name, value in zip(answer.names, row, strict=True))
        for row in answer.rows
        if any(value is not None for value in row[answer.grouped_by :])
    ]
    alone = sum(1 for row in rows if row[0] is None) if answer.columns[0].name in ("session", "conversation_id") else 0
    notes = ["the row without a session has what is told of no session: Codex' and Copilot's metrics"] if alone else []
    return replace(answer, rows=rows, notes=(*answer.notes, *notes))


def _plain(name: str, value: Any) -> Any:
    if name in _LISTS:
        return sorted({*(value or ())} - {None})
    return round(value) if name in _COUNTS and value is not None else value


REPORT = Report(
    name="sessions",
    sentence="What coding agents did in their sessions: calls, cost, tools, lines, commits; the most expensive first.",
    by=("session",),
    sort=("-cost_usd", "-calls", "-tool_calls"),
    reads=("calls", "spans", "logs", "metrics"),
    facts={
        "session": "conversation_id",
        "conversation_id": "conversation_id",
        "agent": "dialect",
        "dialect": "dialect",
        "user": "user_id",
        "user_id": "user_id",
        "service": "service_name",
        "service_name": "service_name",
        "model": "model",
        "tool": "tool_name",
        "tool_name": "tool_name",
    },
    columns=(
        Column("agents", Unit.NESTED, "Which coding agents.", "agent"),
        Column("users", Unit.NESTED, "Who it was done for.", "user"),
        Column("models", Unit.NESTED, "The models, of calls as the price book has them, and as metrics name them."),
        Column("start_time", Unit.TIME, "When it began.", "start"),
        Column("duration_ms", Unit.MS, "From the first thing that was told to the last.", "duration"),
        Column("active_ms", Unit.MS, "When somebody was at work, where the agent tells it.", "active", detail=True),
        Column("calls", Unit.COUNT, "Calls that count."),
        Column("errors", Unit.COUNT, "Calls that went wrong, paid for or not.", detail=True),
        Column("input_tokens", Unit.TOKENS, "All that went in.", "input"),
        Column("output_tokens", Unit.TOKENS, "All that came out.", "output"),
        Column("cost_usd", Unit.USD, "What the priced calls cost; NULL if none is.", "cost"),
        Column("reported_cost_usd", Unit.USD, "What the agent itself said that it costs.", "reported", detail=True),
        Column("tool_calls", Unit.COUNT, "Tools that were executed, as spans or events tell it.", "tools"),
        Column("accepted", Unit.COUNT, "Tools or edits that were allowed, by somebody or by settings.", detail=True),
        Column("rejected", Unit.COUNT, "Tools or edits that were not.", detail=True),
        Column("lines_added", Unit.COUNT, "Lines of code, where the agent tells it.", "lines +"),
        Column("lines_removed", Unit.COUNT, "Likewise.", "lines -"),
        Column("commits", Unit.COUNT, "Commits.", detail=True),
        Column("pull_requests", Unit.COUNT, "Pull requests.", detail=True),
    ),
    finish=_finish,
)
