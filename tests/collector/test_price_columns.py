"""Many calls at once cost what each of them costs by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from taximeter_collector.price import COUNTERS, Book, Overrides, Usage, tier_of
from taximeter_collector.price.columns import PRICE_SCHEMA, price_table
from taximeter_collector.price.meters import Part
from taximeter_collector.price.source import unix_nano
from taximeter_collector.price.usage import INVARIANTS

NOON = unix_nano(datetime(2026, 11, 20, 12, tzinfo=UTC))
DAY = 86_400 * 10**9

OVERRIDES = """
[[price]]
provider = "mistral_ai"
from = 2026-11-20T06:00:00Z
multiplier = 0.333

[[price]]
provider = "acme"
input = 0.0000001
output = 3.3333333
"""


@pytest.fixture(scope="module")
def book() -> Book:
    return Book(Book.load().sources, Overrides.read(OVERRIDES))


NAMES = [
    ("openai", "gpt-5"),
    ("openai", "gpt-5.4"),
    ("openai", "gpt-realtime"),
    ("openai", "gpt-4o-audio-preview-2024-12-17"),
    ("openai", "whisper-1"),
    ("openai", "gpt-99"),
    ("anthropic", "claude-opus-4-6"),
    ("gcp.gemini", "gemini-2.5-pro"),
    ("deepseek", "deepseek-v4-flash"),
    ("groq", "whisper-large-v3"),
    ("mistral_ai", "mistral-large-latest"),
    ("perplexity", "sonar-pro"),
    ("ollama", "llama3.2"),
    ("acme", "m1"),
    ("unheard.of", "m1"),
    (None, "gpt-4o"),
    (None, None),
]
few_or_many = st.one_of(st.integers(0, 900), st.integers(0, 900_000))
details = st.one_of(st.none(), st.none(), st.none(), st.integers(0, 300))
calls = st.lists(
    st.fixed_dictionaries(
        {
            "names": st.sampled_from(NAMES),
            "service_tier": st.sampled_from([None, "default", "flex", "scale"]),
            "processing": st.sampled_from([None, None, "batch"]),
            "region": st.sampled_from([None, None, "us"]),
            "start_unix_nano": st.integers(NOON - 400 * DAY, NOON + 100 * DAY),
            **dict.fromkeys(COUNTERS, details),
            "input_tokens": st.one_of(few_or_many, few_or_many, st.none(), st.sampled_from([-1, 10**14, 2**62])),
            "output_tokens": st.one_of(few_or_many, few_or_many, st.none()),
            "requests": st.sampled_from([None, 1, 2]),
            "adds_up": st.sampled_from([True, True, True, False]),
        }
    ),
    max_size=25,
)


def adding_up(row: dict[str, Any]) -> dict[str, Any]:
    """The same details, and wholes that are large enough for them."""
    if not row["adds_up"] or (row["input_tokens"] or 0) > 2**50:
        return row
    found = dict(row)
    for invariant in WHOLES:
        details = sum(found[name] or 0 for name in invariant.details)
        if details:
            found[invariant.whole] = max(found[invariant.whole] or 0, details)
    return found


# The parts of parts first.
WHOLES = sorted(INVARIANTS, key=lambda invariant: invariant.whole == "input_tokens")


def as_table(rows: list[dict[str, Any]]) -> pa.Table:
    columns: dict[str, Any] = {
        "provider": pa.array([row["names"][0] for row in rows], pa.string()),
        "response_model": pa.array([row["names"][1] for row in rows], pa.string()).dictionary_encode(),
        "start_unix_nano": pa.array([row["start_unix_nano"] for row in rows], pa.int64()),
    }
    columns |= {name: pa.array([row[name] for row in rows], pa.string()) for name in TEXTS}
    columns |= {name: pa.array([row[name] for row in rows], pa.int64()) for name in COUNTERS}
    return pa.table(columns)


TEXTS = ("service_tier", "processing", "region")


def one_by_one(book: Book, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for row in rows:
        cost = book.price(
            Usage(**{name: row[name] for name in COUNTERS if row[name] is not None}),
            provider=row["names"][0],
            response_model=row["names"][1],
            at_unix_nano=row["start_unix_nano"],
            tier=tier_of(row["service_tier"], row["processing"]),
            region=row["region"],
        )
        pico = dict.fromkeys(Part)
        for part in Part:
            value = getattr(cost, f"{part}_pico")
            pico[part] = None if value is None else Decimal(value).scaleb(-12)
        found.append(
            {
                "model": cost.model,
                "cost_usd": cost.usd,
                **{f"{part}_cost_usd": value for part, value in pico.items()},
                "cost_status": str(cost.status),
                "cost_reason": cost.reason,
                "price_id": cost.price_id,
            }
        )
    return found


@settings(max_examples=120, deadline=None)
@given(calls)
def test_a_table_of_any_calls_costs_what_each_costs_by_itself(book: Book, rows: list[dict[str, Any]]) -> None:
    rows = [adding_up(row) for row in rows]
    priced = price_table(book, as_table(rows))
    assert priced.schema == PRICE_SCHEMA
    assert priced.to_pylist() == one_by_one(book, rows)


def plain(number: int, **columns: list[Any]) -> pa.Table:
    return pa.table(
        {
            "provider": ["openai"] * number,
            "response_model": ["gpt-5"] * number,
            "start_unix_nano": [NOON] * number,
            "input_tokens": [1_000] * number,
            "output_tokens": [100] * number,
            **columns,
        }
    )


def test_columns_that_are_not_there_were_not_told(book: Book) -> None:
    assert price_table(book, plain(3))["cost_usd"].to_pylist() == [Decimal("0.00225")] * 3


def test_no_calls_cost_nothing(book: Book) -> None:
    assert price_table(book, plain(1).slice(0, 0)).num_rows == 0


def test_a_table_in_chunks_and_a_record_batch_are_tables_too(book: Book) -> None:
    twice = pa.concat_tables([plain(2), plain(1)])
    assert price_table(book, twice)["cost_usd"].to_pylist() == [Decimal("0.00225")] * 3
    assert price_table(book, plain(2).to_batches()[0])["cost_usd"].to_pylist() == [Decimal("0.00225")] * 2


def test_the_higher_rate_begins_above_the_threshold(book: Book) -> None:
    table = pa.table(
        {
            "provider": ["gcp.gemini"] * 3,
            "response_model": ["gemini-2.5-pro"] * 3,
            "start_unix_nano": [NOON] * 3,
            "input_tokens": [200_000, 200_001, 199_999],
            "output_tokens": [0] * 3,
        }
    )
    priced = price_table(book, table)
    assert priced["cost_usd"].to_pylist() == [Decimal("0.25"), Decimal("0.5000025"), Decimal("0.24999875")]
    assert [str(price_id)[-8:] for price_id in priced["price_id"].to_pylist()] == ["standard", "|>200000", "standard"]


def test_a_day_of_calls_is_priced_at_each_ones_own_hour(book: Book) -> None:
    hours = pa.table(
        {
            "provider": ["deepseek"] * 24,
            "response_model": ["deepseek-v4-flash"] * 24,
            "start_unix_nano": [NOON // DAY * DAY + hour * 3600 * 10**9 for hour in range(24)],
            "input_tokens": [1_000_000] * 24,
            "output_tokens": [0] * 24,
        }
    )
    cost = price_table(book, hours)["cost_usd"].to_pylist()
    peak = [hour for hour, usd in enumerate(cost) if usd == Decimal("0.3")]
    assert peak == [1, 2, 3, 6, 7, 8, 9]
    assert {usd for hour, usd in enumerate(cost) if hour not in peak} == {Decimal("0.15")}


def test_the_largest_bill_that_the_column_holds_is_exact_and_the_next_is_refused(book: Book) -> None:
    at_most = 799_999_999_999  # at 1.25 USD for a million
    priced = price_table(book, plain(2, input_tokens=[at_most, at_most + 1], output_tokens=[0, 0]))
    assert priced["cost_usd"].to_pylist() == [Decimal("999999.99999875"), None]
    assert priced["cost_status"].to_pylist() == ["priced", "inconsistent_usage"]


@pytest.mark.parametrize("times", [None, [NOON, None]])
def test_a_call_without_a_time_has_no_price(book: Book, times: list[int | None] | None) -> None:
    table = plain(2).drop_columns("start_unix_nano")
    if times:
        table = table.append_column("start_unix_nano", pa.array(times, pa.int64()))
    with pytest.raises(ValueError, match="start_unix_nano"):
        price_table(book, table)
