"""Our bill and genai-prices' own, over its whole list, over dates, tiers and usages: equal to the last digit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices.data import providers
from genai_prices.data_units import unit_data
from genai_prices.types import ConditionalPrice, ModelInfo, ModelPrice, Provider, TieredPrices
from hypothesis import given, settings
from hypothesis import strategies as st
from taximeter_collector.price.genai import PRICE_KEYS, UNCOUNTED_PRICE_KEYS, GenaiEntry
from taximeter_collector.price.meters import BY_NAME, METERS
from taximeter_collector.price.rates import Row, Status, charge, rounded_parts
from taximeter_collector.price.usage import Usage

MODELS = [(provider, model) for provider in providers for model in provider.models]
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CONTEXTS = {
    "standard": {"service_tier": "default"},
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"service_tier": "fast", "speed": "fast"},
}
# Theirs raises for details whose combinations nobody told; here all are told.
THEIRS = [key for key in unit_data if key != "requests"]

TOKENS = ["text", "read", "written", "out"]
MEDIA = ["audio", "image", "video", "audio_read", "image_read", "audio_out", "image_out", "video_out"]
UNITS = ["web", "files", "pages", "annotated", "searches", "code"]
NAMES = [*TOKENS, "written_1h", "reasoning", "cited", *MEDIA, "characters", "audio_ms", *UNITS]
leaves = st.fixed_dictionaries(
    {
        **dict.fromkeys(NAMES, st.integers(0, 50_000)),
        **dict.fromkeys(TOKENS, st.integers(0, 400_000)),
        **dict.fromkeys(UNITS, st.integers(0, 5)),
        "audio_ms": st.integers(0, 7_200_000),
    }
)
few = st.sets(st.sampled_from([*TOKENS, *TOKENS, *NAMES]), max_size=5)
at_any_time = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


def told(leaf: dict[str, int]) -> tuple[Usage, dict[str, Any]]:
    """One usage as both of us want it."""
    media_in = leaf["audio"] + leaf["image"] + leaf["video"] + leaf["audio_read"] + leaf["image_read"]
    written = leaf["written"] + leaf["written_1h"]
    media_out = leaf["audio_out"] + leaf["image_out"] + leaf["video_out"]
    ours = Usage(
        input_tokens=leaf["text"] + leaf["read"] + written + media_in,
        output_tokens=leaf["out"] + leaf["reasoning"] + leaf["cited"] + media_out,
        cache_read_tokens=leaf["read"] + leaf["audio_read"] + leaf["image_read"],
        cache_write_tokens=written,
        cache_write_1h_tokens=leaf["written_1h"],
        image_input_tokens=leaf["image"] + leaf["image_read"],
        audio_input_tokens=leaf["audio"] + leaf["audio_read"],
        video_input_tokens=leaf["video"],
        image_cache_read_tokens=leaf["image_read"],
        audio_cache_read_tokens=leaf["audio_read"],
        video_cache_read_tokens=0,
        reasoning_tokens=leaf["reasoning"],
        image_output_tokens=leaf["image_out"],
        audio_output_tokens=leaf["audio_out"],
        video_output_tokens=leaf["video_out"],
        citation_tokens=leaf["cited"],
        characters=leaf["characters"],
        audio_input_ms=leaf["audio_ms"],
        pages=leaf["pages"] + leaf["annotated"],
        annotated_pages=leaf["annotated"],
        rerank_searches=leaf["searches"],
        web_searches=leaf["web"],
        file_searches=leaf["files"],
        code_executions=leaf["code"],
    )
    theirs = dict.fromkeys(THEIRS, 0) | {
        "input_tokens": ours.input_tokens,
        "output_tokens": ours.output_tokens,
        "cache_read_tokens": ours.cache_read_tokens,
        "cache_write_tokens": ours.cache_write_tokens,
        "cache_write_1h_tokens": ours.cache_write_1h_tokens,
        "input_image_tokens": ours.image_input_tokens,
        "input_audio_tokens": ours.audio_input_tokens,
        "input_video_tokens": ours.video_input_tokens,
        "cache_image_read_tokens": ours.image_cache_read_tokens,
        "cache_audio_read_tokens": ours.audio_cache_read_tokens,
        "output_reasoning_tokens": ours.reasoning_tokens,
        "output_image_tokens": ours.image_output_tokens,
        "output_audio_tokens": ours.audio_output_tokens,
        "output_video_tokens": ours.video_output_tokens,
        "output_citation_tokens": ours.citation_tokens,
        "input_characters": ours.characters,
        "audio_seconds": Decimal(leaf["audio_ms"]) / 1000,
        "input_audio_seconds": Decimal(leaf["audio_ms"]) / 1000,
        "input_document_pages": ours.pages,
        "input_annotated_document_pages": ours.annotated_pages,
        "rerank_searches": ours.rerank_searches,
        "web_searches": ours.web_searches,
        "storage_searches": ours.file_searches,
        "code_executions": ours.code_executions,
    }
    return ours, theirs


def assert_equal(provider: Provider, model: ModelInfo, at: datetime, tier: str, leaf: dict[str, int]) -> str:
    """Price by both; what was compared."""
    row = GenaiEntry("genai-prices@test", provider, model).row(tier, at)
    prices = model.get_prices(at, CONTEXTS[tier])
    if row is None:
        assert not prices.__dict__ or tier != "standard"
        return "no row"
    ours, theirs = told(leaf)
    cost = charge(row, ours)
    if cost.status is Status.UNPRICED_MODEL:
        assert_lacks_a_rate(row, prices, str(cost.reason))
        return "no rate"
    expected = model.calc_price(
        TheirUsage(**theirs), provider, genai_request_timestamp=at, price_context=CONTEXTS[tier]
    ).total_price
    assert cost.usd == expected.quantize(Decimal("1e-12"), ROUND_HALF_EVEN), (provider.id, model.id, at, tier)
    assert cost.total_pico == sum(parts(cost))
    return "free" if cost.status is Status.FREE else "priced"


def parts(cost: Any) -> list[int]:
    return [cost.input_pico, cost.output_pico, cost.cache_read_pico, cost.cache_write_pico, cost.other_pico]


def assert_lacks_a_rate(row: Row, prices: ModelPrice, reason: str) -> None:
    """Where we say that a rate is missing, theirs would have charged nothing for it, or that of something cheaper."""
    meter = reason.removeprefix("no rate for ")
    assert meter in BY_NAME
    keys = {key for key, (meters, _) in PRICE_KEYS.items() if meter in meters}
    assert not any(prices.__dict__.get(key) is not None for key in keys)


def test_every_model_of_the_list_costs_what_genai_prices_says() -> None:
    leaf = dict.fromkeys(NAMES, 0) | {"text": 1_009, "out": 211}
    seen = [assert_equal(provider, model, NOW, "standard", leaf) for provider, model in MODELS]
    # Embeddings, sound and the like have no rate for output; what gives no price at all has no row.
    assert seen.count("priced") > 0.85 * len(MODELS)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(MODELS),
    at_any_time,
    st.sampled_from(list(CONTEXTS)),
    leaves,
    few,
)
def test_any_usage_of_any_model_at_any_time_in_any_tier_costs_what_genai_prices_says(
    one: tuple[Provider, ModelInfo], at: datetime, tier: str, leaf: dict[str, int], used: set[str]
) -> None:
    only = {name: number if name in used else 0 for name, number in leaf.items()}
    assert_equal(*one, at, tier, only)


# What has dates, tiers or uncommon units, each in the tiers that it has.
SPECIAL = [
    (provider, model, tier)
    for provider, model in MODELS
    for tier, context in CONTEXTS.items()
    if any(variant.when.items() <= context.items() for variant in model.price_variants or ())
    or (
        tier == "standard"
        and (
            isinstance(model.prices, list)
            or any(isinstance(price, TieredPrices) for price in model.prices.__dict__.values())
            or set(model.prices.__dict__) - {"input_mtok", "output_mtok", "cache_read_mtok"}
        )
    )
]


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(SPECIAL), at_any_time, leaves, few)
def test_models_with_dates_tiers_and_uncommon_units_cost_what_genai_prices_says(
    one: tuple[Provider, ModelInfo, str], at: datetime, leaf: dict[str, int], used: set[str]
) -> None:
    provider, model, tier = one
    only = {name: number if name in used else 0 for name, number in leaf.items()}
    assert_equal(provider, model, at, tier, only)


def conditions(model: ModelInfo) -> list[ConditionalPrice]:
    return model.prices if isinstance(model.prices, list) else []


@pytest.mark.parametrize(
    ("provider", "model"),
    [pytest.param(*one, id=f"{one[0].id}-{one[1].id}") for one in MODELS if len(conditions(one[1])) > 2],
)
def test_just_before_and_just_at_each_change_the_prices_are_those_of_genai_prices(
    provider: Provider, model: ModelInfo
) -> None:
    leaf = dict.fromkeys(NAMES, 0) | {"text": 1_000_003, "read": 997, "out": 211}
    entry = GenaiEntry("genai-prices@test", provider, model)
    day = datetime(2026, 11, 20, tzinfo=UTC)
    changes = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // 1000) for ns in entry.breaks.instants]
    changes += [day + timedelta(microseconds=ns // 1000) for ns in entry.breaks.times_ns]
    assert changes
    for change in changes:
        for at in (change - timedelta(microseconds=1), change):
            assert assert_equal(provider, model, at, "standard", leaf) in ("priced", "no rate")


def test_every_price_in_the_shipped_list_has_a_meter_or_is_known_to_have_none() -> None:
    keys = set()
    for _, model in MODELS:
        priced = [one.prices for one in conditions(model)] or [model.prices]
        priced += [variant.prices for variant in model.price_variants or ()]
        keys |= {key for prices in priced for key in prices.__dict__}
    assert keys <= PRICE_KEYS.keys() | UNCOUNTED_PRICE_KEYS


def test_our_units_are_those_of_genai_prices() -> None:
    per = {unit["price_key"]: unit["per"] for unit in unit_data.values()}
    seconds_to_ms = {"audio_hours", "input_audio_hours", "output_audio_hours"}
    for key, (meters, many) in PRICE_KEYS.items():
        for meter in meters:
            assert BY_NAME[meter].per * many == per[key] * (1000 if key in seconds_to_ms else 1), key


@given(st.lists(st.integers(0, 10**15), min_size=5, max_size=5), st.integers(1, 10**9))
def test_rounded_parts_add_up_to_the_rounded_sum_each_off_by_one_at_most(scaled: list[int], scale: int) -> None:
    rounded = rounded_parts(scaled, scale)
    assert sum(rounded) == round(Fraction(sum(scaled), scale))
    assert all(abs(Fraction(exact, scale) - part) <= 1 for exact, part in zip(scaled, rounded, strict=True))
    assert min(rounded) >= 0
    assert all(not part for exact, part in zip(scaled, rounded, strict=True) if not exact)


def test_a_coefficient_is_never_a_float() -> None:
    for provider, model in MODELS[::7]:
        if row := GenaiEntry("genai-prices@test", provider, model).row("standard", NOW):
            for level in row.levels:
                assert len(level.coefficients) == len(METERS)
                assert {type(number) for number in level.coefficients} <= {int, type(None)}
