"""Bills worked out by hand from the providers' price pages, and what is said where there is no bill."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from typing import Any

import pytest
from taximeter_collector.price import Book, Cost, Overrides, Status, Usage, inconsistency, tier_of
from taximeter_collector.price.source import unix_nano

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def book() -> Book:
    return Book.load()


def bill(book: Book, provider: str | None, model: str | None, at: datetime = NOON, **more: Any) -> Cost:
    names = {name: more.pop(name) for name in ("tier", "region", "request_model") if name in more}
    return book.price(Usage(**more), provider=provider, response_model=model, at_unix_nano=unix_nano(at), **names)


def dollars(*products: tuple[int, str]) -> Decimal:
    """Tokens times dollars a million."""
    return sum((tokens * Decimal(rate) for tokens, rate in products), Decimal(0)) / 10**6


def test_anthropic_with_cache_reads_and_writes_for_five_minutes_and_an_hour(book: Book) -> None:
    cost = bill(
        book,
        "anthropic",
        "claude-sonnet-4-5-20250929",
        input_tokens=10_000,
        output_tokens=100,
        cache_read_tokens=5_000,
        cache_write_tokens=3_000,
        cache_write_1h_tokens=2_000,
    )
    assert cost.usd == dollars((2_000, "3"), (5_000, "0.3"), (1_000, "3.75"), (2_000, "6"), (100, "15"))
    assert (cost.input_pico, cost.cache_read_pico) == (6_000_000_000, 1_500_000_000)
    assert (cost.cache_write_pico, cost.output_pico, cost.other_pico) == (15_750_000_000, 1_500_000_000, 0)
    assert cost.price_id == f"genai-prices@{version('genai-prices')}|anthropic|claude-sonnet-4-5|undated|standard"


def test_openai_with_cached_and_reasoning_tokens_charges_each_of_them_once(book: Book) -> None:
    usage = {"input_tokens": 2_000, "cache_read_tokens": 1_024, "output_tokens": 500, "reasoning_tokens": 448}
    cost = bill(book, "openai", "gpt-5-2025-08-07", **usage)
    assert cost.usd == dollars((976, "1.25"), (1_024, "0.125"), (500, "10"))


@pytest.mark.parametrize(("tier", "rates"), [("batch", ("0.625", "5")), ("flex", ("0.625", "5"))])
def test_openai_at_half_price(book: Book, tier: str, rates: tuple[str, str]) -> None:
    cost = bill(book, "openai", "gpt-5", tier=tier, input_tokens=1_000, output_tokens=100)
    assert cost.usd == dollars((1_000, rates[0]), (100, rates[1]))
    assert str(cost.price_id).endswith(f"|{tier}")


def test_a_tier_without_a_rate_is_not_priced_as_if_it_were_the_standard_one(book: Book) -> None:
    cost = bill(book, "openai", "gpt-5", tier=tier_of("scale"), input_tokens=1_000, output_tokens=100)
    assert (cost.status, cost.usd, cost.reason) == (Status.UNPRICED_MODEL, None, "no rates for the tier scale")


@pytest.mark.parametrize(
    ("tokens", "rates", "suffix"), [(200_000, ("1.25", "10"), ""), (200_001, ("2.5", "15"), "|>200000")]
)
def test_gemini_above_200k_charges_all_tokens_at_the_higher_rate(
    book: Book, tokens: int, rates: tuple[str, str], suffix: str
) -> None:
    cost = bill(book, "gcp.vertex_ai", "gemini-2.5-pro", input_tokens=tokens, output_tokens=1_000)
    assert cost.usd == dollars((tokens, rates[0]), (1_000, rates[1]))
    assert str(cost.price_id).endswith(f"|standard{suffix}")


def test_gemini_sound_costs_more_than_text_and_its_flex_tier_comes_from_the_second_source(book: Book) -> None:
    usage = {"input_tokens": 3_000, "audio_input_tokens": 2_000, "output_tokens": 100}
    cost = bill(book, "gcp.gemini", "models/gemini-2.5-flash", **usage)
    assert cost.usd == dollars((1_000, "0.3"), (2_000, "1"), (100, "2.5"))
    flex = bill(book, "gcp.gemini", "gemini-2.5-flash", tier="flex", input_tokens=1_000, output_tokens=100)
    assert flex.usd == dollars((1_000, "0.15"), (100, "1.25"))
    assert str(flex.price_id).startswith("litellm@")


def test_a_bedrock_inference_profile_by_its_arn(book: Book) -> None:
    profile = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
    cost = bill(book, "aws.bedrock", profile, input_tokens=1_000, output_tokens=100)
    assert cost.usd == dollars((1_000, "3.3"), (100, "16.5"))


def test_a_bedrock_geography_with_prices_of_its_own(book: Book) -> None:
    cost = bill(book, "aws.bedrock", "eu.amazon.nova-pro-v1:0", input_tokens=1_000, output_tokens=100)
    assert cost.usd == dollars((1_000, "1.05"), (100, "4.2"))


def test_azure_by_the_model_that_answered_whatever_the_deployment_is_called(book: Book) -> None:
    usage = {"input_tokens": 1_000, "output_tokens": 100}
    cost = bill(book, "azure.ai.openai", "gpt-4o-2024-08-06", request_model="prod-chat", **usage)
    assert cost.usd == dollars((1_000, "2.5"), (100, "10"))
    assert bill(book, "azure.ai.openai", None, request_model="prod-chat", **usage).reason == "unknown model"


@pytest.mark.parametrize(
    ("model", "rates"),
    [
        ("ft:gpt-4o-mini-2024-07-18:acme::9xYz", ("0.3", "1.2")),
        ("ft:gpt-4.1-mini-2025-04-14:acme:support:9xYz", ("0.8", "3.2")),
    ],
)
def test_a_fine_tuned_model_has_a_price_of_its_own(book: Book, model: str, rates: tuple[str, str]) -> None:
    cost = bill(book, "openai", model, input_tokens=1_000, output_tokens=100)
    assert cost.usd == dollars((1_000, rates[0]), (100, rates[1]))


def test_a_fine_tuned_model_is_never_priced_as_its_base(book: Book) -> None:
    cost = bill(book, "openai", "ft:gpt-5:acme::1", input_tokens=1_000, output_tokens=100)
    assert (cost.status, cost.reason) == (Status.UNPRICED_MODEL, "unknown model")


@pytest.mark.parametrize(
    ("hour", "rates"), [(0, ("0.15", "0.6")), (1, ("0.3", "1.2")), (4, ("0.15", "0.6")), (9, ("0.3", "1.2"))]
)
def test_deepseek_costs_less_off_peak(book: Book, hour: int, rates: tuple[str, str]) -> None:
    at = NOON.replace(hour=hour)
    cost = bill(book, "deepseek", "deepseek-v4-flash", at, input_tokens=1_000, output_tokens=100)
    assert cost.usd == dollars((1_000, rates[0]), (100, rates[1]))


def test_a_call_is_priced_at_its_own_time(book: Book) -> None:
    usage = {"input_tokens": 300_000, "output_tokens": 100}
    before = bill(book, "anthropic", "claude-opus-4-6", datetime(2026, 3, 12, 23, 59, 59, tzinfo=UTC), **usage)
    after = bill(book, "anthropic", "claude-opus-4-6", datetime(2026, 3, 13, tzinfo=UTC), **usage)
    assert before.usd == dollars((300_000, "10"), (100, "37.5"))
    assert after.usd == dollars((300_000, "5"), (100, "25"))
    assert "|2026-03-13|" in str(after.price_id)


def test_anthropic_charges_a_tenth_more_for_tokens_that_must_stay_in_the_us(book: Book) -> None:
    usage = {"input_tokens": 1_000, "output_tokens": 100, "web_searches": 2}
    cost = bill(book, "anthropic", "claude-opus-4-6", region="us", **usage)
    assert cost.usd == dollars((1_000, "5.5"), (100, "27.5")) + Decimal("0.02")
    assert str(cost.price_id).endswith("|*1.1|us")


def test_perplexity_charges_for_the_request_too(book: Book) -> None:
    cost = bill(book, "perplexity", "sonar-pro", input_tokens=1_000, output_tokens=100)
    assert cost.usd == dollars((1_000, "3"), (100, "15")) + Decimal("0.014")
    assert cost.other_pico == 14_000_000_000


def test_sound_by_the_hour_images_video_and_searches(book: Book) -> None:
    assert bill(book, "openai", "whisper-1", audio_input_ms=61_000).usd == Decimal("0.0061")
    assert bill(book, "groq", "whisper-large-v3", audio_input_ms=36_000).usd == Decimal("0.00111")
    assert bill(book, "openai", "sora-2", video_ms=8_000).usd == Decimal("0.8")
    assert bill(book, "cohere", "rerank-v3.5", rerank_searches=3).usd == Decimal("0.006")
    assert bill(book, "gcp.gemini", "imagen-3.0-generate-001", images=2).usd == Decimal("0.08")
    assert bill(book, "openai", "tts-1", characters=1_000).usd == Decimal("0.015")


def test_groq_charges_for_ten_seconds_at_least(book: Book) -> None:
    assert bill(book, "groq", "whisper-large-v3", audio_input_ms=10_000).usd == Decimal("0.000308333333")
    assert bill(book, "groq", "whisper-large-v3", audio_input_ms=1).usd == Decimal("0.000308333333")
    assert bill(book, "groq", "whisper-large-v3", audio_input_ms=0).usd == 0


def test_an_image_that_is_charged_by_tokens_is_not_charged_by_number_too(book: Book) -> None:
    usage = {"input_tokens": 50, "output_tokens": 4_160, "image_output_tokens": 4_160, "images": 1}
    assert bill(book, "openai", "gpt-image-1", **usage).usd == dollars((50, "5"), (4_160, "40"))


@pytest.mark.parametrize("provider", ["ollama", "vllm", "lm_studio"])
def test_a_model_on_ones_own_machine_is_free_and_so_is_one_that_is_named_so(book: Book, provider: str) -> None:
    for cost in (
        bill(book, provider, "llama3.2", input_tokens=1_000, output_tokens=100),
        bill(book, "openrouter", "meta-llama/llama-3.3-70b-instruct:free", input_tokens=1_000, output_tokens=100),
    ):
        assert (cost.status, cost.usd, cost.reason) == (Status.FREE, 0, None)


def test_what_is_not_known_is_none_with_a_reason_and_never_zero(book: Book) -> None:
    usage = {"input_tokens": 1_000, "output_tokens": 100}
    opaque = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2"
    for provider, model, reason in (
        ("openai", "gpt-99", "unknown model"),
        ("acme", "gpt-4o", "unknown provider"),
        ("openai", None, "no model was named"),
        ("aws.bedrock", opaque, "an ARN of application-inference-profile does not name its model"),
        ("gcp.vertex_ai", "projects/p/locations/l/endpoints/123", "a deployment's name does not name its model"),
        ("ollama", "gpt-oss:120b-cloud", "a subscription, not a price per token"),
    ):
        cost = bill(book, provider, model, **usage)
        assert (cost.status, cost.reason, cost.usd) == (Status.UNPRICED_MODEL, reason, None)
        assert cost.price_id is None


@pytest.mark.parametrize(
    ("provider", "model", "usage", "meter"),
    [
        # Theirs would charge sound as text: a thirtieth of it.
        ("openai", "gpt-4o-audio-preview", {"audio_output_tokens": 50}, "audio_output"),
        # Twice the price of a write for five minutes, if there is a price at all.
        ("openrouter", "anthropic/claude-sonnet-4.5", {"cache_write_tokens": 9, "cache_write_1h_tokens": 9}, None),
        ("openai", "gpt-4o", {"code_executions": 1}, "code_execution"),
    ],
)
def test_a_unit_without_a_rate_makes_the_call_unpriced(
    book: Book, provider: str, model: str, usage: dict[str, int], meter: str | None
) -> None:
    cost = bill(book, provider, model, input_tokens=1_000, output_tokens=100, **usage)
    assert (cost.status, cost.reason) == (Status.UNPRICED_MODEL, f"no rate for {meter or 'cache_write_1h'}")


def test_a_rate_that_the_first_source_lacks_is_looked_for_in_the_second(book: Book) -> None:
    usage = {"input_tokens": 1_000, "output_tokens": 100, "audio_output_tokens": 50}
    cost = bill(book, "openai", "gpt-4o-audio-preview-2024-12-17", **usage)
    assert cost.usd == dollars((1_000, "2.5"), (50, "10"), (50, "80"))
    assert str(cost.price_id).startswith("litellm@")


@pytest.mark.parametrize(
    ("usage", "reason"),
    [
        ({}, "no usage was reported"),
        ({"input_tokens": 5}, "output_tokens were not reported"),
        ({"output_tokens": 5}, "input_tokens were not reported"),
    ],
)
def test_usage_that_nobody_told_is_missing(book: Book, usage: dict[str, int], reason: str) -> None:
    cost = bill(book, "openai", "gpt-4o", **usage)
    assert (cost.status, cost.reason, cost.usd) == (Status.MISSING_USAGE, reason, None)


def test_an_embedding_needs_no_output_tokens(book: Book) -> None:
    assert bill(book, "openai", "text-embedding-3-small", input_tokens=1_000).usd == dollars((1_000, "0.02"))


@pytest.mark.parametrize(
    ("usage", "reason"),
    [
        (
            {"input_tokens": 2, "cache_read_tokens": 84_562, "output_tokens": 9},
            "cache_read_tokens + cache_write_tokens > input_tokens",
        ),
        ({"cache_read_tokens": 5, "output_tokens": 9}, "cache_read_tokens + cache_write_tokens > input_tokens"),
        ({"input_tokens": -1, "output_tokens": 9}, "input_tokens < 0"),
        (
            {"input_tokens": 9, "output_tokens": 5, "cache_write_tokens": 3, "cache_write_1h_tokens": 4},
            "cache_write_5m_tokens + cache_write_1h_tokens > cache_write_tokens",
        ),
        ({"input_tokens": 10**13, "output_tokens": 0}, "one call for a million dollars or more"),
    ],
)
def test_counts_that_cannot_be_true_are_said_and_never_put_right(
    book: Book, usage: dict[str, int], reason: str
) -> None:
    cost = bill(book, "openai", "gpt-4o", **usage)
    assert (cost.status, cost.reason, cost.usd) == (Status.INCONSISTENT_USAGE, reason, None)


def test_reasoning_beyond_the_output_is_inconsistent() -> None:
    reason = inconsistency(Usage(input_tokens=1, output_tokens=5, reasoning_tokens=6))
    assert reason is not None and reason.endswith("> output_tokens")


def test_names_are_resolved_once_and_what_is_remembered_has_a_bound(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Book(book.sources)
    first = own.schedule("openai", "gpt-4o")
    assert own.schedule("openai", "gpt-4o") is first
    monkeypatch.setattr("taximeter_collector.price.book._REMEMBERED", 10)
    for number in range(100):
        own.schedule("openai", f"gpt-4o-{number}")
    assert len(own._schedules) <= 10
    assert bill(own, "openai", "x" * 100_000, input_tokens=1).reason == "a name too long to be a model's"
    assert all(len(name or "") < 1_000 for key in own._schedules for name in key)
    assert bill(own, "openai", "gpt-4o", input_tokens=1_000, output_tokens=0).usd == dollars((1_000, "2.5"))


def test_the_second_source_has_an_edition_a_day_and_its_licence() -> None:
    from importlib.resources import files

    from taximeter_collector.price.litellm import LiteLLMSnapshot

    snapshot = LiteLLMSnapshot()
    assert snapshot.source.startswith("litellm@1.")
    assert datetime.fromisoformat(snapshot.made)
    folder = files("taximeter_collector.price").joinpath("snapshot")
    assert "MIT License" in folder.joinpath("LICENSE-litellm").read_text()
    assert len(folder.joinpath("litellm.json.xz").read_bytes()) < 150_000


def test_every_rate_of_the_snapshot_has_a_meter_and_every_row_can_be_made() -> None:
    from taximeter_collector.price.litellm import LiteLLMEntry, LiteLLMSnapshot
    from taximeter_collector.price.meters import BY_NAME

    snapshot = LiteLLMSnapshot()
    rows = 0
    for provider, models in snapshot.models.items():
        for model, tiers in models.items():
            entry = LiteLLMEntry(snapshot.source, provider, model, tiers)
            for tier in tiers:
                row = entry.row(tier, NOON)
                assert row is not None and not row.is_free
                assert row.levels[0].usd.keys() <= BY_NAME.keys()
                rows += 1
    assert rows > 3_000


def test_without_overrides_nothing_is_overridden(book: Book) -> None:
    assert book.overrides == Overrides()
