"""What went wrong, and what it cost."""

from __future__ import annotations

from taximeter_queries.columns import Column, Unit
from taximeter_queries.report import Report

__all__ = ["REPORT"]

# Dimensions that are not known before a call has ended, and are no reason for it to fail.
_OUTCOMES = (
    "error_type",
    "status",
    "billable",
    "not_billable_because",
    "cost_status",
    "cost_reason",
    "finish_reason",
    "attempt",
    "response_model",
    "price_id",
)

REPORT = Report(
    name="errors",
    sentence="What went wrong: how often, of which type, and what failed and repeated calls cost.",
    by=("model", "error_type"),
    sort=("-errors", "-retries"),
    reads=("calls", "attempts"),
    totals=True,
    outcomes=_OUTCOMES,
    columns=(
        Column("errors", Unit.COUNT, "Failures, each once, whoever told of it."),
        Column(
            "of_attempts",
            Unit.COUNT,
            "Of how many: calls that count and calls that failed, also those that went otherwise. By model and error "
            "type, it is all attempts at the model.",
            "of",
        ),
        Column("error_share", Unit.SHARE, "Failures by attempts, 0 to 1.", "rate"),
        Column("error_types", Unit.COUNT, "Of how many types they are, as far as that was told.", "types", detail=True),
        Column(
            "unbilled_errors",
            Unit.COUNT,
            "Failures with no answer and no usage, which providers do not charge for.",
            "unbilled",
        ),
        Column(
            "error_cost_usd",
            Unit.USD,
            "What the others cost: calls that broke off, with usage. NULL if no cost of any is known.",
            "cost",
        ),
        Column("retries", Unit.COUNT, "Attempts that were not the first, however they ended."),
        Column(
            "retry_cost_usd",
            Unit.USD,
            "What they cost; also what is in the cost of failures, if they failed. NULL if no cost of any is known.",
            "retries cost",
        ),
        Column("last_error_time", Unit.TIME, "When the last that failed began.", "last"),
    ),
)
