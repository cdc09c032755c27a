"""How models are used."""

from __future__ import annotations

from taximeter_queries.columns import Column, Unit
from taximeter_queries.report import Report

__all__ = ["REPORT"]

REPORT = Report(
    name="models",
    sentence="How models are used: how much, at what cost, by how many, since when.",
    by=("model", "provider"),
    sort=("-cost_usd", "-calls"),
    totals=True,
    columns=(
        Column("calls", Unit.COUNT, "Calls that count: each once, whoever told of it."),
        Column("priced_calls", Unit.COUNT, "Of these: whose cost is known.", "priced"),
        Column("services", Unit.COUNT, "Services that called it.", detail=True),
        Column("users", Unit.COUNT, "Users that it was called for.", detail=True),
        Column("input_tokens", Unit.TOKENS, "All that went in.", "input"),
        Column("output_tokens", Unit.TOKENS, "All that came out.", "output"),
        Column("cache_read_tokens", Unit.TOKENS, "Of the input: read from a cache.", "cache read", detail=True),
        Column("cost_usd", Unit.USD, "What the priced calls cost; NULL if none is.", "cost"),
        Column("cost_per_1000_calls_usd", Unit.USD, "What a thousand priced calls cost on average.", "per 1000"),
        Column("p50_duration_ms", Unit.MS, "How long half of the answered calls took at most.", "p50"),
        Column("first_time", Unit.TIME, "When the first of them began.", "first", detail=True),
        Column("last_time", Unit.TIME, "When the last of them began.", "last"),
    ),
)
