"""What costs most."""

from __future__ import annotations

from taximeter_queries.columns import Column, Unit
from taximeter_queries.report import Report

__all__ = ["REPORT"]

REPORT = Report(
    name="top",
    sentence="What costs most: models, users, conversations, or whatever else calls can be grouped by.",
    by=("model",),
    sort=("-cost_usd", "-calls"),
    columns=(
        Column("calls", Unit.COUNT, "Calls that count: each once, whoever told of it."),
        Column("priced_calls", Unit.COUNT, "Of these: whose cost is known.", "priced"),
        Column("input_tokens", Unit.TOKENS, "All that went in.", "input"),
        Column("output_tokens", Unit.TOKENS, "All that came out.", "output"),
        Column("cost_usd", Unit.USD, "What the priced calls cost; NULL if none is.", "cost"),
        Column("cost_share", Unit.SHARE, "Its share of all cost that is known, 0 to 1; NULL of nothing.", "share"),
        Column(
            "cumulative_cost_share",
            Unit.SHARE,
            "The share of all that cost as much or more, together with it, by cost, whatever the rows are sorted by.",
            "cumulative",
        ),
        Column("max_cost_usd", Unit.USD, "What its most expensive call cost.", "dearest call"),
        Column(
            "max_cost_trace_id",
            Unit.TEXT,
            "The trace of that call; of several as expensive, of the last.",
            "trace of it",
        ),
    ),
)
