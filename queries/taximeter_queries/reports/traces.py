"""Traces that have calls, and what these cost."""

from __future__ import annotations

from dataclasses import replace

from taximeter_queries.answer import Answer
from taximeter_queries.columns import Column, Unit
from taximeter_queries.report import Report

__all__ = ["REPORT"]

_COLUMNS = (
    Column("trace_id", Unit.TEXT, "32 hexadecimal digits.", "trace"),
    Column("start_time", Unit.TIME, "When the first of its calls began.", "start"),
    Column("duration_ms", Unit.MS, "From the first beginning to the last end of what is known of it.", "duration"),
    Column("name", Unit.TEXT, "The name of the span that is in no other; of the earliest, if all are in others."),
    Column("services", Unit.NESTED, "The services whose spans and calls are in it."),
    Column("models", Unit.NESTED, "The models that were called."),
    Column("spans", Unit.COUNT, "Spans that landed."),
    Column("calls", Unit.COUNT, "Calls that count."),
    Column("errors", Unit.COUNT, "Calls that went wrong, paid for or not."),
    Column("input_tokens", Unit.TOKENS, "All that went in.", "input"),
    Column("output_tokens", Unit.TOKENS, "All that came out.", "output"),
    Column("priced_calls", Unit.COUNT, "Calls whose cost is known.", "priced", detail=True),
    Column("cost_usd", Unit.USD, "What the priced calls cost; NULL if none is.", "cost"),
)


def _finish(answer: Answer) -> Answer:
    """Lists in order, without what is not known, and one of services: of calls and of spans."""
    places = {name: place for place, name in enumerate(answer.names)}
    rows = []
    for row in answer.rows:
        told = dict(zip(answer.names, row, strict=True))
        services = {*(row[places["services"]] or ()), *(row[places["more_services"]] or ())} - {None}
        told |= {"services": sorted(services), "models": sorted({*(told["models"] or ())} - {None})}
        rows.append(tuple(told[column.name] for column in _COLUMNS))
    return replace(answer, columns=_COLUMNS, rows=rows)


REPORT = Report(
    name="traces",
    sentence="Traces that have calls, and what these cost; the most expensive first.",
    can_group=False,
    columns=_COLUMNS,
    sort=("-cost_usd", "-calls", "trace_id"),
    first=("trace_id", "start_time", "calls", "input_tokens", "output_tokens", "priced_calls", "cost_usd"),
    reads=("calls", "spans"),
    finish=_finish,
)
