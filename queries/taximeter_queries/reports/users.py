"""Who calls models."""

from __future__ import annotations

from taximeter_queries.columns import Column, Unit
from taximeter_queries.report import Report

__all__ = ["REPORT"]

REPORT = Report(
    name="users",
    sentence="Who calls models: how much, at what cost, and with what luck.",
    by=("user_id",),
    sort=("-cost_usd", "-calls"),
    reads=("calls", "failures"),
    totals=True,
    columns=(
        Column("calls", Unit.COUNT, "Calls that count: each once, whoever told of it."),
        Column("priced_calls", Unit.COUNT, "Of these: whose cost is known.", "priced"),
        Column("conversations", Unit.COUNT, "Conversations, or sessions of coding agents."),
        Column("input_tokens", Unit.TOKENS, "All that went in.", "input"),
        Column("output_tokens", Unit.TOKENS, "All that came out.", "output"),
        Column("cost_usd", Unit.USD, "What the priced calls cost; NULL if none is.", "cost"),
        Column("errors", Unit.COUNT, "Failures, each once, as `errors` counts them; most are not among the calls."),
        Column("error_share", Unit.SHARE, "Failures by calls and failures, 0 to 1.", "rate", detail=True),
        Column("first_time", Unit.TIME, "When the first call began.", "first", detail=True),
        Column("last_time", Unit.TIME, "When the last call began.", "last"),
    ),
)
