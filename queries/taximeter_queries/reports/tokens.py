"""Which tokens went in and came out, and what caching saved."""

from __future__ import annotations

from taximeter_queries.columns import Column, Unit
from taximeter_queries.report import Report

__all__ = ["REPORT"]

REPORT = Report(
    name="tokens",
    sentence="Which tokens went in and came out, and what caching saved.",
    by=("model",),
    sort=("-total_tokens", "-calls"),
    totals=True,
    columns=(
        Column("calls", Unit.COUNT, "Calls that count: each once, whoever told of it."),
        Column("metered_calls", Unit.COUNT, "Of these: whose tokens were told.", "metered", detail=True),
        Column("input_tokens", Unit.TOKENS, "All that went in.", "input"),
        Column("output_tokens", Unit.TOKENS, "All that came out.", "output"),
        Column("total_tokens", Unit.TOKENS, "Both together.", "total"),
        Column("cache_read_tokens", Unit.TOKENS, "Of the input: read from a cache.", "cache read"),
        Column(
            "cache_hit_share",
            Unit.SHARE,
            "Cache reads by all input, 0 to 1; of a call that told nothing of caches, none of the input is taken to be "
            "read from one. Without calls whose counts cannot be true.",
            "cache hit",
        ),
        Column("cache_write_tokens", Unit.TOKENS, "Of the input: written to a cache.", "cache write"),
        Column("cache_write_5m_tokens", Unit.TOKENS, "Of these: for five minutes.", "write 5m", detail=True),
        Column("cache_write_1h_tokens", Unit.TOKENS, "Of these: for an hour.", "write 1h", detail=True),
        Column("reasoning_tokens", Unit.TOKENS, "Of the output: reasoning.", "reasoning"),
        Column("image_input_tokens", Unit.TOKENS, "Of the input: images.", "image in", detail=True),
        Column("audio_input_tokens", Unit.TOKENS, "Of the input: sound.", "audio in", detail=True),
        Column("video_input_tokens", Unit.TOKENS, "Of the input: video.", "video in", detail=True),
        Column("image_output_tokens", Unit.TOKENS, "Of the output: images.", "image out", detail=True),
        Column("audio_output_tokens", Unit.TOKENS, "Of the output: sound.", "audio out", detail=True),
        Column("video_output_tokens", Unit.TOKENS, "Of the output: video.", "video out", detail=True),
        Column(
            "cache_saved_usd",
            Unit.USD,
            "What reading from caches saved: the tokens read at the rate of input outside of caches, less what reading "
            "cost. The rate is what the same price (`price_id`) charged for such input, by its tokens, in all that was "
            "asked for; NULL where it charged for none.",
            "saved",
        ),
        Column(
            "cache_write_extra_usd",
            Unit.USD,
            "What writing to caches cost more than the same tokens at that rate; NULL where the rate is not known.",
            "write extra",
            detail=True,
        ),
        Column(
            "cache_net_saved_usd",
            Unit.USD,
            "What caching saved in all: `cache_saved_usd` less `cache_write_extra_usd`, as far as they are known.",
            "net saved",
        ),
    ),
)
