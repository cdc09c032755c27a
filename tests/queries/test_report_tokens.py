"""Which tokens went in and came out, and what caching saved, held to the same figures in plain Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from taximeter_queries import ask

from tests.queries.ledgers import Row, billed, call, landed, summed
from tests.queries.questions import Near, Question, held, questions

SUMS = (
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"),
    *("image_input_tokens", "audio_input_tokens", "image_output_tokens", "audio_output_tokens"),
)


def rates(rows: Iterable[Row]) -> dict[str, Fraction]:
    """What a token outside of caches costs, by price."""
    tokens: dict[str, int] = defaultdict(int)
    costs: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        if row.get("price_id") and row.get("input_cost_usd") is not None:
            cached = (row.get("cache_read_tokens") or 0) + (row.get("cache_write_tokens") or 0)
            tokens[row["price_id"]] += row["input_tokens"] - cached
            costs[row["price_id"]] += row["input_cost_usd"]
    return {price: Fraction(costs[price]) / count for price, count in tokens.items() if count}


def at_the_rate_of_input(rows: Sequence[Row], kind: str, rate: dict[str, Fraction]) -> tuple[Any, Any] | None:
    """What tokens of a cache would have cost and did cost; None if that is not known of any."""
    told = [row for row in rows if row.get("price_id") in rate]
    told = [row for row in told if row.get(f"{kind}_tokens") is not None and row.get(f"{kind}_cost_usd") is not None]
    if not told:
        return None
    would = sum(row[f"{kind}_tokens"] * rate[row["price_id"]] for row in told)
    return would, Fraction(summed(told, f"{kind}_cost_usd"))


def tokens(all_rows: Sequence[Row]) -> Callable[[list[Row]], Row]:
    rate = rates(all_rows)

    def expected(rows: list[Row]) -> Row:
        found = {name: summed(rows, name) for name in SUMS}
        both = [found[name] for name in ("input_tokens", "output_tokens") if found[name] is not None]
        sound = [row for row in rows if row["cost_status"] != "inconsistent_usage"]
        read, given = summed(sound, "cache_read_tokens"), summed(sound, "input_tokens")
        saved = at_the_rate_of_input(rows, "cache_read", rate)
        extra = at_the_rate_of_input(rows, "cache_write", rate)
        known = [part for part in (saved, extra) if part]
        net = Near(sum(would - did for would, did in known), max(map(max, known))) if known else None
        return found | {
            "calls": len(rows),
            "metered_calls": sum(row.get("input_tokens") is not None for row in rows),
            "total_tokens": sum(both) if both else None,
            "cache_hit_share": Near(read / given if given and read is not None else None),
            "cache_saved_usd": Near(saved[0] - saved[1], saved[0]) if saved else None,
            "cache_write_extra_usd": Near(extra[1] - extra[0], extra[0]) if extra else None,
            "cache_net_saved_usd": net,
        }

    return expected


@settings(max_examples=25, deadline=None)
@given(questions())
def test_tokens_are_those_of_the_calls_that_count_in_any_group_and_zone(question: Question) -> None:
    rows = billed(question.views)
    held(question, "tokens", rows, tokens(rows))


@settings(max_examples=15, deadline=None)
@given(questions())
def test_what_was_saved_adds_up_however_it_is_grouped(question: Question) -> None:
    answer = question.ask("tokens", totals=True)
    assert answer.total is not None
    for name in ("cache_saved_usd", "cache_write_extra_usd", "cache_net_saved_usd", "total_tokens", "calls"):
        place = answer.names.index(name)
        parts = [row[place] for row in answer.rows if row[place] is not None]
        assert (answer.total[place] or 0) == sum(parts)


def priced(uncached: int, read: int, write: int, rate: str, **more: Any) -> Row:
    """A call that reads from a cache at a tenth of the rate, and writes at a quarter more."""
    usd = Decimal(rate)
    counts = {"input_tokens": uncached + read + write, "cache_read_tokens": read, "cache_write_tokens": write}
    costs = {"input_cost_usd": uncached * usd, "cache_read_cost_usd": read * usd / 10}
    return call(**counts, **costs, cache_write_cost_usd=write * usd * 5 / 4, price_id=rate, **more)


def test_prices_are_never_mixed(tmp_path: Path) -> None:
    """Two prices of one model, one ten times the other: each call is held to its own."""
    lake = landed(
        tmp_path,
        [
            priced(1000, 0, 0, "0.00001", model="m"),
            priced(0, 1000, 0, "0.00001", model="m"),
            priced(10, 2000, 1000, "0.000001", model="m"),
        ],
    )
    [row] = ask(lake, "tokens").records()
    assert row["cache_saved_usd"] == Decimal("0.009") + Decimal("0.0018")
    assert row["cache_write_extra_usd"] == Decimal("0.00025")
    assert row["cache_net_saved_usd"] == Decimal("0.01055")
    assert row["cache_hit_share"] == 3000 / 5010


def test_what_was_saved_is_not_known_where_the_rate_is_not(tmp_path: Path) -> None:
    """All input of this price was cached, so it does not tell what it would have cost; another price says nothing."""
    lake = landed(tmp_path, [priced(0, 1000, 0, "0.00001", model="m"), priced(1000, 0, 0, "0.00002", model="n")])
    saved = {row["model"]: row["cache_saved_usd"] for row in ask(lake, "tokens").records()}
    assert saved == {"m": None, "n": 0}


def test_the_rate_is_found_wherever_the_price_was_charged(tmp_path: Path) -> None:
    """By user, the one whose input was all cached has saved what the other's input shows."""
    lake = landed(
        tmp_path, [priced(0, 1000, 0, "0.00001", user_id="anna"), priced(1000, 0, 0, "0.00001", user_id="ben")]
    )
    saved = {row["user_id"]: row["cache_saved_usd"] for row in ask(lake, "tokens", by=["user_id"]).records()}
    assert saved == {"anna": Decimal("0.009"), "ben": 0}
