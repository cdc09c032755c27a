"""How long answers took, and how fast they came."""

from __future__ import annotations

from taximeter_queries.columns import Column, Unit
from taximeter_queries.report import Report

__all__ = ["REPORT"]

REPORT = Report(
    name="latency",
    sentence="How long answers took: percentiles, time to the first token, tokens per second.",
    by=("model", "stream"),
    sort=("-calls",),
    totals=True,
    columns=(
        Column("calls", Unit.COUNT, "Calls that count and were answered, each once; those with an error are left out."),
        Column(
            "p50_duration_ms",
            Unit.MS,
            "How long half of them took at most, from the request to the last byte.",
            "time p50",
        ),
        Column(
            "p90_duration_ms",
            Unit.MS,
            "How long 90 % of them took at most, from the request to the last byte.",
            "time p90",
            detail=True,
        ),
        Column(
            "p95_duration_ms",
            Unit.MS,
            "How long 95 % of them took at most, from the request to the last byte.",
            "time p95",
        ),
        Column(
            "p99_duration_ms",
            Unit.MS,
            "How long 99 % of them took at most, from the request to the last byte.",
            "time p99",
        ),
        Column("mean_duration_ms", Unit.MS, "How long they took on average.", "time mean"),
        Column("max_duration_ms", Unit.MS, "How long the longest took.", "time max"),
        Column("ttft_calls", Unit.COUNT, "Calls that told the time to their first token.", "first told", detail=True),
        Column("p50_ttft_ms", Unit.MS, "How long the first token took in half of them at most.", "first p50"),
        Column(
            "p90_ttft_ms", Unit.MS, "How long the first token took in 90 % of them at most.", "first p90", detail=True
        ),
        Column("p95_ttft_ms", Unit.MS, "How long the first token took in 95 % of them at most.", "first p95"),
        Column("p99_ttft_ms", Unit.MS, "How long the first token took in 99 % of them at most.", "first p99"),
        Column("mean_ttft_ms", Unit.MS, "How long the first token took on average.", "first mean", detail=True),
        Column("max_ttft_ms", Unit.MS, "How long the slowest first token took.", "first max", detail=True),
        Column(
            "p50_output_tokens_per_second",
            Unit.PER_SECOND,
            "Output tokens per second in half of them at most: after the first token where answers came in pieces, in "
            "the whole duration otherwise. Of a stream that did not tell when it began, unknown.",
            "tokens/s p50",
        ),
        Column(
            "p5_output_tokens_per_second", Unit.PER_SECOND, "The same in the slowest 5 %.", "tokens/s p5", detail=True
        ),
        Column("p95_output_tokens_per_second", Unit.PER_SECOND, "The same in 95 %.", "tokens/s p95", detail=True),
        Column(
            "mean_output_tokens_per_second",
            Unit.PER_SECOND,
            "All of these tokens by all of this time.",
            "tokens/s mean",
        ),
    ),
)
