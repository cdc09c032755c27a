"""Prices of one's own: what they do, and what is said of a file that cannot be used."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from taximeter_collector.price import Book, Cost, Overrides, OverridesError, Status, Usage
from taximeter_collector.price.source import unix_nano

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def plain() -> Book:
    return Book.load()


def cost(
    plain: Book, overrides: str, provider: str | None, model: str, at: datetime = NOON, tier: str = "standard"
) -> Cost:
    return Book(plain.sources, Overrides.read(overrides)).price(
        Usage(input_tokens=1_000_000, output_tokens=100_000, cache_read_tokens=400_000),
        provider=provider,
        response_model=model,
        at_unix_nano=unix_nano(at),
        tier=tier,
    )


def test_rates_take_the_place_of_the_books_and_their_row_is_named(plain: Book) -> None:
    text = '[[price]]\nprovider = "openai"\nmodel = "gpt-5*"\ninput = 1\ncache_read = 0.1\noutput = 8.5\n'
    found = cost(plain, text, "openai", "gpt-5-2025-08-07")
    assert found.usd == Decimal("0.6") + Decimal("0.04") + Decimal("0.85")
    edition = Overrides.read(text).edition
    assert found.price_id == f"overrides@{edition}#1|openai|gpt-5-2025-08-07|undated|standard"
    assert cost(plain, text, "openai", "gpt-4o").price_id != found.price_id


def test_a_number_in_the_file_is_exact(plain: Book) -> None:
    text = '[[price]]\nprovider = "x"\ninput = 0.1\noutput = 0.3\n'
    assert cost(plain, text, "x", "m").usd == Decimal("0.13")


def test_a_multiplier_works_on_whatever_row_holds(plain: Book) -> None:
    text = '[[price]]\nprovider = "openai"\nmultiplier = 0.85\nnote = "contract 4711, in EUR at 1.08"\n'
    for tier in ("standard", "batch"):
        base, found = cost(plain, "", "openai", "gpt-5", tier=tier), cost(plain, text, "openai", "gpt-5", tier=tier)
        assert base.usd is not None and found.usd == base.usd * Decimal("0.85")
        assert str(found.price_id).startswith(f"{base.price_id}|*0.85|overrides@")


def test_rates_hold_from_a_day_on_until_another(plain: Book) -> None:
    text = '[[price]]\nmodel = "gpt-5"\nfrom = 2026-07-01\nuntil = 2026-08-01T12:00:00+02:00\ninput = 1\noutput = 0\n'
    inside, outside = Decimal("1"), cost(plain, "", "openai", "gpt-5").usd
    for at, expected in (
        (datetime(2026, 6, 30, 23, 59, 59, 999_999, tzinfo=UTC), outside),
        (datetime(2026, 7, 1, tzinfo=UTC), inside),
        (datetime(2026, 8, 1, 9, 59, 59, tzinfo=UTC), inside),
        (datetime(2026, 8, 1, 10, tzinfo=UTC), outside),
    ):
        assert cost(plain, text, "openai", "gpt-5", at).usd == expected, at


def test_the_first_that_matches_holds(plain: Book) -> None:
    text = '[[price]]\nmodel = "gpt-5"\ninput = 7\noutput = 0\n[[price]]\nprovider = "openai"\nmultiplier = 0\n'
    assert cost(plain, text, "openai", "gpt-5").usd == 7
    free = cost(plain, text, "openai", "gpt-4o")
    assert (free.usd, free.status) == (0, Status.PRICED)


def test_rates_are_for_the_standard_tier_unless_they_say_otherwise(plain: Book) -> None:
    text = '[[price]]\nmodel = "gpt-5"\ninput = 7\noutput = 0\n'
    assert (
        cost(plain, text, "openai", "gpt-5", tier="batch").usd == cost(plain, "", "openai", "gpt-5", tier="batch").usd
    )
    assert cost(plain, text + 'tier = "batch"\n', "openai", "gpt-5", tier="batch").usd == 7
    scale = '[[price]]\nmodel = "gpt-5"\ntier = "scale"\ninput = 0\noutput = 0\n'
    assert cost(plain, scale, "openai", "gpt-5", tier="scale").status is Status.FREE


def test_above_so_many_input_tokens_other_rates_hold(plain: Book) -> None:
    text = '[[price]]\nprovider = "x"\ninput = 1\noutput = 1\n[[price.above]]\ninput_tokens = 200_000\ninput = 2\n'
    found = cost(plain, text, "x", "m")
    assert found.usd == Decimal("2.1")
    assert str(found.price_id).endswith("|>200000")


def test_a_deployments_name_can_be_given_a_meaning(plain: Book) -> None:
    text = '[[alias]]\nprovider = "azure.ai.openai"\nmodel = "prod-*"\nmeans = "gpt-5-2025-08-07"\n'
    assert cost(plain, text, "azure.ai.openai", "prod-chat").usd == cost(plain, "", "openai", "gpt-5").usd
    assert cost(plain, text, "openai", "prod-chat").status is Status.UNPRICED_MODEL


def test_an_application_inference_profile_and_a_gateway_can_be_given_a_meaning(plain: Book) -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2"
    text = f'[[alias]]\nmodel = "{arn}"\nmeans = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"\n'
    text += '[[alias]]\nprovider = "gateway"\nmodel = "fast"\nmeans = "gpt-5"\nmeans_provider = "openai"\n'
    assert str(cost(plain, text, "aws.bedrock", arn).price_id).count("regional.anthropic.claude-sonnet-4-5") == 1
    assert cost(plain, text, "gateway", "fast").usd == cost(plain, "", "openai", "gpt-5").usd


def test_a_meaning_that_no_source_knows_can_have_a_price_of_ones_own(plain: Book) -> None:
    text = '[[alias]]\nmodel = "x1"\nmeans = "in-house"\n[[price]]\nmodel = "in-house"\ninput = 1\noutput = 1\n'
    assert cost(plain, text, "acme", "x1").usd == Decimal("1.1")


def test_a_machine_of_ones_own_can_have_a_price(plain: Book) -> None:
    assert cost(plain, "", "vllm", "llama").status is Status.FREE
    text = '[[price]]\nprovider = "vllm"\ninput = 0.05\noutput = 0.2\n'
    assert cost(plain, text, "vllm", "llama").usd == Decimal("0.07")


def test_an_override_gives_a_price_to_a_provider_nobody_knows(plain: Book) -> None:
    text = '[[price]]\nprovider = "acme"\nmodel = "m-?"\ninput = 1\noutput = 1\n'
    assert cost(plain, text, "Acme", "M-1").usd == Decimal("1.1")
    assert cost(plain, text, "acme", "m-10").reason == "unknown provider"


def test_the_file_in_the_data_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text('[[price]]\nprovider = "acme"\ninput = 1\noutput = 1\n')
    book = Book.load(tmp_path)
    assert len(book.overrides.prices) == 1
    with pytest.raises(OverridesError, match="cannot be read"):
        Book.load(tmp_path, overrides=tmp_path / "elsewhere.toml")


BROKEN = """\
# A comment.
[[price]]
modle = "gpt-5"
input = 1
output = -3

[[price]]
model = ""
multiplier = "0.85"

[[price]]
from = "2026-01-01"
input = 1e-999999999

[[price]]
provider = "x"

[[price]]
input = 1
multiplier = 2
from = 2026-02-01
until = 2026-01-01
  [[price.above]]
  input_tokens = 0
  input = 3

[[alias]]
model = "a"

[prices]
"""


def test_every_problem_is_told_with_its_line_its_key_and_what_to_do() -> None:
    with pytest.raises(OverridesError) as caught:
        Overrides.read(BROKEN)
    assert caught.value.problems == [
        "line 30: prices: unknown key; did you mean price?",
        "line 3: price 1, modle: unknown key; did you mean model?",
        "line 5: price 1, output: -3: expected a number from 0 on, with at most 18 digits behind the point",
        "line 9: price 2, multiplier: '0.85': expected a number from 0 on, with at most 18 digits behind the point",
        "line 8: price 2, model: '': expected text",
        "line 13: price 3, input: 1E-999999999: expected a number from 0 on, with at most 18 digits behind the point",
        "line 12: price 3, from: '2026-01-01': expected a date such as 2026-07-01, or a time; without a zone it is UTC",
        "line 15: price 4: needs rates, such as input and output, or a multiplier",
        "line 24: price 5, input_tokens: 0: expected a whole number of tokens above 0, rising from table to table",
        "line 20: price 5, multiplier: stands for rates: give one or the other",
        "line 22: price 5, until: must be later than from",
        "line 27: alias 1, means: is missing",
    ]


@pytest.mark.parametrize("text", ["[[price", "price = 3", "[price]\ninput = 1", "alias = [1]", "[[price]]\nabove = 3"])
def test_a_file_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(OverridesError):
        Overrides.read(text)


def test_an_empty_file_changes_nothing() -> None:
    assert Overrides.read("").prices == ()
