"""Conversations, and what they cost."""

from __future__ import annotations

from dataclasses import replace

from taximeter_queries.answer import Answer
from taximeter_queries.columns import Column, Unit
from taximeter_queries.report import Report

__all__ = ["REPORT"]

_LISTS = ("users", "services", "models")


def _finish(answer: Answer) -> Answer:
    """Lists in order, without what is not known."""
    places = {answer.names.index(name) for name in _LISTS}
    rows = [
        tuple(sorted({*(value or ())} - {None}) if at in places else value for at, value in enumerate(row))
        for row in answer.rows
    ]
    return replace(answer, rows=rows)


REPORT = Report(
    name="conversations",
    sentence="Conversations, and coding agents' sessions, and what they cost; the most expensive first.",
    can_group=False,
    sort=("-cost_usd", "-turns", "conversation_id"),
    first=(
        *("conversation_id", "start_time", "last_time", "turns"),
        *("input_tokens", "output_tokens", "priced_calls", "cost_usd"),
    ),
    columns=(
        Column("conversation_id", Unit.TEXT, "As whoever told of it calls it.", "conversation"),
        Column("start_time", Unit.TIME, "When its first call began.", "start"),
        Column("last_time", Unit.TIME, "When its last call began.", "last", detail=True),
        Column("duration_ms", Unit.MS, "From its first call to the end of its last.", "duration"),
        Column("users", Unit.NESTED, "Who it was done for."),
        Column("services", Unit.NESTED, "The services that called.", detail=True),
        Column("models", Unit.NESTED, "The models that were called."),
        Column("turns", Unit.COUNT, "Calls that count."),
        Column("errors", Unit.COUNT, "Calls that went wrong, paid for or not."),
        Column("input_tokens", Unit.TOKENS, "All that went in.", "input"),
        Column("output_tokens", Unit.TOKENS, "All that came out.", "output"),
        Column("priced_calls", Unit.COUNT, "Calls whose cost is known.", "priced", detail=True),
        Column("cost_usd", Unit.USD, "What the priced calls cost; NULL if none is.", "cost"),
    ),
    finish=_finish,
)
