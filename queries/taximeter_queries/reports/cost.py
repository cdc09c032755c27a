"""What calls cost."""

from __future__ import annotations

from taximeter_queries.columns import Column, Unit
from taximeter_queries.report import Report

__all__ = ["REPORT"]

REPORT = Report(
    name="cost",
    sentence="What calls cost, and how many of them have a price.",
    by=("model",),
    sort=("-cost_usd", "-calls"),
    totals=True,
    alone=True,
    columns=(
        Column("calls", Unit.COUNT, "Calls that count: each once, whoever told of it."),
        Column("priced_calls", Unit.COUNT, "Of these: whose cost is known.", "priced"),
        Column("input_tokens", Unit.TOKENS, "All that went in.", "input"),
        Column("output_tokens", Unit.TOKENS, "All that came out.", "output"),
        Column("cache_read_tokens", Unit.TOKENS, "Of the input: read from a cache.", "cache read"),
        Column("cache_write_tokens", Unit.TOKENS, "Of the input: written to a cache.", "cache write", detail=True),
        Column("reasoning_tokens", Unit.TOKENS, "Of the output: reasoning.", "reasoning", detail=True),
        Column("cost_usd", Unit.USD, "What the priced calls cost; NULL if none is.", "cost"),
        Column("cost_per_call_usd", Unit.USD, "What a priced call costs on average.", "per call"),
        Column("input_cost_usd", Unit.USD, "Of it: input outside caches.", "input", detail=True),
        Column("output_cost_usd", Unit.USD, "Of it: output.", "output", detail=True),
        Column("cache_read_cost_usd", Unit.USD, "Of it: reading from caches.", "cache read", detail=True),
        Column("cache_write_cost_usd", Unit.USD, "Of it: writing to caches.", "cache write", detail=True),
        Column("other_cost_usd", Unit.USD, "Of it: searches, requests, and the like.", "other", detail=True),
        Column("reported_cost_usd", Unit.USD, "What senders said that it costs.", "reported", detail=True),
    ),
)
