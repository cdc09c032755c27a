"""What is known of the cost, and what is not."""

from __future__ import annotations

from taximeter_queries.columns import Column, Unit
from taximeter_queries.report import Report

__all__ = ["REPORT"]

REPORT = Report(
    name="coverage",
    sentence="What is priced, unpriced, inconsistent or not billed, and why.",
    by=("billable", "not_billable_because", "cost_status", "cost_reason", "model"),
    sort=("-views",),
    totals=True,
    columns=(
        Column("views", Unit.COUNT, "Everything that was told of calls; of several tellings of one, one counts."),
        Column("calls", Unit.COUNT, "Calls that count: each once, whoever told of it."),
        Column("priced_calls", Unit.COUNT, "Of these: whose cost is known.", "priced"),
        Column("unpriced_calls", Unit.COUNT, "Of the calls: whose cost is not known.", "unpriced"),
        Column(
            "inconsistent_calls",
            Unit.COUNT,
            "Of these: whose counts of tokens cannot be true.",
            "inconsistent",
            detail=True,
        ),
        Column("not_billed_views", Unit.COUNT, "What does not count.", "not billed"),
        Column("cost_usd", Unit.USD, "What the priced calls cost; NULL if none is.", "cost"),
        Column(
            "compared_calls", Unit.COUNT, "Calls with a price here, of which the sender told one as well.", "compared"
        ),
        Column("compared_cost_usd", Unit.USD, "What these cost by the prices here.", "by price"),
        Column("compared_reported_cost_usd", Unit.USD, "What their senders said that they cost.", "as reported"),
    ),
)
