"""Ledgers to hold reports to: views of calls as plain dicts, by the ledger's rules, and lakes that have them.

`ledger(random.Random(7), 100)` gives always the same; `ledgers()` is the same for Hypothesis. `call(...)` is one call
that says what it is told and nothing else. `landed` writes them, and whatever reported them, into a lake of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tests.queries.landing import NOON_NANO, Row, landed

__all__ = [
    "NOON_NANO",
    "PARTS",
    "ZONES",
    "Row",
    "billed",
    "call",
    "described",
    "landed",
    "ledger",
    "ledgers",
    "local_time",
    "moment",
    "summed",
    "turns",
]

# Changes by an hour in either half of the year, half an hour, around Ramadan, and none at all.
ZONES = ("Europe/Zurich", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Casablanca")
TEXTS = ("checkout", "o'brien", 'the "best"', "日本語 ☂", "a;b--c", "", "%_\\")
TAGS = ("team", "it's", 'a "b"', "größe")
PARTS = ("input_cost_usd", "output_cost_usd", "cache_read_cost_usd", "cache_write_cost_usd", "other_cost_usd")
# Per token: input, cache read, cache write, output. One model has two prices, and one has none for caches.
PRICES = {
    "genai-prices:gpt-5@2025-08-07": ("openai", "gpt-5", "0.00000125", "0.000000125", None, "0.00001"),
    "genai-prices:gpt-5@2026-11-01": ("openai", "gpt-5", "0.000001", "0.0000001", None, "0.000008"),
    "genai-prices:claude-opus-4-8": ("anthropic", "claude-opus-4-8", "0.000005", "0.0000005", "0.00000625", "0.000025"),
    "overrides:o'model": ("self", "o'model", "0.000000000001", None, None, "0.000000000003"),
}
_IDENTITY = ("journal_id", "journal_position", "journal_item")
_HOUR_NANO = 3_600 * 10**9
_MOST = Decimal("999999.999999999999")


def ledgers(most: int = 25, **more: Any) -> st.SearchStrategy[list[Row]]:
    """Ledgers with so many calls at most, and none at least."""
    return st.builds(lambda random, calls: ledger(random, calls, **more), st.randoms(), st.integers(0, most))


def ledger(random: Random, calls: int, *, huge: bool = True, odd_times: bool = False) -> list[Row]:
    """All views of so many calls, or a few more, in the order in which they came.

    `huge`: with tokens and money near what a column can hold. `odd_times`: with durations that no clock gives.
    """
    around = random.choice(turns())
    views: list[Row] = []
    for _ in range(calls):
        told = random.choice(_STORIES)(random, _one(random, around, huge=huge, odd_times=odd_times))
        views += told if random.random() < 0.9 else reversed(told)
    for position, view in enumerate(views):
        view |= {"journal_position": position, "journal_item": random.randrange(3)}
    return views


def call(**known: Any) -> Row:
    """A call that counts; where nothing is said of its price, it has none. `at` is its time in UTC, as ISO text."""
    at = known.pop("at", None)
    nano = known.get("start_unix_nano", NOON_NANO)
    nano = int(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()) * 10**9 if at else nano
    parts = [known[part] for part in PARTS if known.get(part) is not None]
    cost = known.get("cost_usd", sum(parts) if parts else None)
    status = "unpriced_model" if cost is None else "priced"
    usual = {"source": "span", "dialect": "otel", "status": "ok", "billable": "not_billable_because" not in known}
    return {**usual, "journal_id": "j", "cost_status": status, "cost_usd": cost, **known, "start_unix_nano": nano}


def described(random: Random, calls: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """What reported these calls, most of them: spans and log records of the same identity, with attributes."""
    spans: list[Row] = []
    logs: list[Row] = []
    for one in calls:
        same = {
            name: one.get(name) for name in ("journal_id", "journal_position", "journal_item", "trace_id", "span_id")
        }
        told = {
            "attributes": _texts(random, ("http.route", "it's", "n")),
            "resource_attributes": _texts(random, ("k8s.pod.name", "region")),
        }
        if random.random() < 0.9:
            nano = one["start_unix_nano"]
            (spans if one["source"] == "span" else logs).append(
                {**same, **told, ("start_unix_nano" if one["source"] == "span" else "time_unix_nano"): nano}
            )
    return spans, logs


def billed(views: Iterable[Row]) -> list[Row]:
    """Those that count."""
    return [one for one in views if one["billable"]]


def summed(rows: Iterable[Row], column: str) -> Any:
    """The sum of what is known; None if nothing is."""
    known = [row[column] for row in rows if row.get(column) is not None]
    return sum(known) if known else None


def moment(row: Row) -> datetime:
    """When a call began, as the ledger tells it."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row["start_unix_nano"] // 1000)


def local_time(row: Row, unit: str, zone: str) -> Any:
    """The hour (a moment), or the day, week or month (a date) in which a call began, where the user is.

    An hour is 60 minutes of the clock on the wall: the two that bear the same name in autumn are told apart.
    """
    at = moment(row).astimezone(ZoneInfo(zone))
    if unit == "hour":
        return at.astimezone(UTC) - timedelta(minutes=at.minute, seconds=at.second, microseconds=at.microsecond)
    day = at.date()
    if unit == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if unit == "month" else day


@cache
def turns() -> tuple[int, ...]:
    """Moments at which clocks change in 2026 in one of the zones, and one at which none does."""
    found = {NOON_NANO}
    for name in ZONES:
        at, zone = datetime(2026, 1, 1, tzinfo=UTC), ZoneInfo(name)
        while at.year == 2026:
            later = at + timedelta(minutes=30)
            if at.astimezone(zone).utcoffset() != later.astimezone(zone).utcoffset():
                found.add(int(later.timestamp()) * 10**9)
            at = later
    return tuple(sorted(found))


def _one(random: Random, around: int, *, huge: bool, odd_times: bool) -> Row:
    """A call that was answered, as the best of its views tells it."""
    near = random.choice((0, -1, 1, random.randrange(-26, 27) * _HOUR_NANO, random.randrange(-(10**14), 10**14)))
    stream = random.choice((None, True, False))
    return {
        "journal_id": "j",
        "start_unix_nano": around + near,
        "duration_ms": _duration(random, odd_times),
        "ttft_ms": _duration(random, odd_times) if stream and random.random() < 0.8 else None,
        "trace_id": _hex(random, 2) * 16,
        "span_id": _hex(random, 16),
        "parent_span_id": _maybe(random, _hex(random, 16)),
        "response_id": _maybe(random, f"resp_{_hex(random, 16)}"),
        "source": random.choice(("span", "span", "log")),
        "dialect": random.choice(("otel", "openinference")),
        "stream": stream,
        "status": "ok",
        "billable": True,
        "tags": _texts(random, TAGS),
        **{name: _maybe(random, random.choice(TEXTS)) for name in _NAMES},
        **_usage(random, huge),
    }


_NAMES = (
    *("service_name", "service_version", "environment", "operation", "conversation_id", "user_id"),
    *("agent_name", "workflow_name", "prompt_name", "request_model", "finish_reason", "region"),
)


_OTHER_STATUSES = ("reported", "free", "unpriced_model", "missing_usage", "inconsistent_usage")


def _usage(random: Random, huge: bool) -> Row:
    """Tokens and what they cost, by the ledger's rules."""
    status = random.choice(
        ("priced",) * 6 + ("reported", "free", "unpriced_model", "missing_usage", "inconsistent_usage")
    )
    price_id = random.choice(tuple(PRICES))
    provider, model, *rates = PRICES[price_id]
    most = 2**62 if huge and random.random() < 0.1 else random.choice((0, 1, 2000, 200_000))
    tokens = _tokens(random, most, status == "inconsistent_usage")
    told: Row = {"provider": provider, "model": model, "cost_status": status}
    told |= dict.fromkeys(tokens) if status == "missing_usage" else tokens
    if status == "priced":
        return told | {"price_id": price_id} | _priced(random, tokens, rates)
    if status == "free":
        return told | {"cost_usd": Decimal(0)} | _maybe_parts(random)
    if status == "reported":
        cost = Decimal(random.randrange(10**18 if huge else 10**12)).scaleb(-12)
        return told | {"cost_usd": cost, "reported_cost_usd": cost}
    told |= {"cost_usd": None, "cost_reason": random.choice((None, "model_unknown", "no_rate_for_audio"))}
    if random.random() < 0.5:
        told |= {"model": random.choice((None, "", "brand-new")), "reported_cost_usd": Decimal("0.01")}
    return told


def _tokens(random: Random, most: int, inconsistent: bool) -> Row:
    given, made = random.randint(0, most), random.randint(0, most)
    read = random.randint(0, given)
    tokens = {
        "input_tokens": given,
        "cache_read_tokens": read,
        "cache_write_tokens": random.randint(0, given - read),
        "output_tokens": made,
        "reasoning_tokens": random.randint(0, made),
        "audio_input_tokens": random.randint(0, given),
        "image_input_tokens": random.randint(0, given),
        "audio_output_tokens": random.randint(0, made),
        "image_output_tokens": random.randint(0, made),
    }
    if inconsistent:
        tokens["cache_read_tokens"] = given + 1
    details = [name for name in tokens if name not in ("input_tokens", "output_tokens")]
    return tokens | {name: None for name in details if random.random() < 0.4}


def _priced(random: Random, tokens: Row, rates: Sequence[str | None]) -> Row:
    """Each part at its rate; what no column could hold is charged by piece instead."""
    read, write = tokens["cache_read_tokens"], tokens["cache_write_tokens"]
    counted = (tokens["input_tokens"] - (read or 0) - (write or 0), read, write, tokens["output_tokens"])
    names = ("input_cost_usd", "cache_read_cost_usd", "cache_write_cost_usd", "output_cost_usd")
    parts: Row = {
        name: None if count is None else count * Decimal(rate or rates[0] or 0)
        for name, count, rate in zip(names, counted, rates, strict=True)
    }
    if random.random() < 0.2:
        parts["other_cost_usd"] = random.choice((Decimal("0.01"), Decimal(0), Decimal("0.000000000001")))
    if sum(part for part in parts.values() if part is not None) > _MOST:
        parts = {"other_cost_usd": _MOST}
    cost = sum((part for part in parts.values() if part is not None), start=Decimal(0))
    return parts | {"cost_usd": cost, "reported_cost_usd": random.choice((None, None, cost, cost / 2 // 1))}


def _maybe_parts(random: Random) -> Row:
    return {part: Decimal(0) for part in PARTS} if random.random() < 0.5 else {}


def _duration(random: Random, odd: bool) -> float | None:
    usual = (None, 0.0, 0.5, 1200.25, float(random.randrange(60_000)), random.random() * 1e4)
    return random.choice((*usual, float("nan"), float("inf"), float("-inf"), -1.0) if odd else usual)


def _alone(_: Random, one: Row) -> list[Row]:
    return [one]


def _retold(random: Random, one: Row) -> list[Row]:
    """Others tell of the same call; one of them counts."""
    reasons = ("same_response", "same_call", "retransmitted", "nested", "fetched", "cache_hit", "stream_opened")
    return [one, *(_uncounted(one, random.choice(reasons)) for _ in range(random.randrange(1, 4)))]


def _nested(random: Random, one: Row) -> list[Row]:
    """A framework's span around the call, which repeats its usage."""
    around = _uncounted(one, "nested") | {"span_id": _hex(random, 16), "operation": "invoke_agent", "source": "span"}
    return [one | {"parent_span_id": around["span_id"]}, around | {"parent_span_id": None}]


def _erred(random: Random, one: Row) -> list[Row]:
    """It broke off, and has to be paid for all the same."""
    return [one | {"status": "error", "error_type": random.choice(("timeout", "content_filter", None))}]


def _failed(random: Random, one: Row) -> list[Row]:
    """No answer came. Sometimes the span is sent twice, or there is one around it that failed with it."""
    silent = {name: None for name in one if name.endswith(("_tokens", "_cost_usd")) or name in ("cost_usd", "price_id")}
    silent |= {"ttft_ms": None, "response_id": None, "cost_status": "missing_usage", "cost_reason": None}
    why = {"status": "error", "error_type": random.choice(("429", "500", "timeout", "it's", None))}
    failed = _uncounted(one, "failed") | silent | why
    again = [dict(failed)] if random.random() < 0.3 else []
    if random.random() < 0.3:
        around = failed | {"span_id": _hex(random, 16), "source": "span", "parent_span_id": None}
        return [failed | {"parent_span_id": around["span_id"]}, around]
    return [failed, *again]


def _retried(random: Random, one: Row) -> list[Row]:
    """Failed, and tried again until it went well."""
    attempts = random.randrange(1, 4)
    failures = [
        _failed(random, one)[0] | {"span_id": _hex(random, 16), "attempt": attempt or random.choice((None, 0))}
        for attempt in range(attempts)
    ]
    return [*failures, one | {"attempt": attempts}]


_STORIES: tuple[Callable[[Random, Row], list[Row]], ...] = (
    *(_alone, _alone, _alone),
    *(_retold, _nested, _erred, _failed, _retried),
)


def _uncounted(one: Row, because: str) -> Row:
    return one | {"billable": False, "not_billable_because": because}


def _maybe(random: Random, value: Any) -> Any:
    return value if random.random() < 0.7 else None


def _hex(random: Random, digits: int) -> str:
    return f"{random.getrandbits(4 * digits):0{digits}x}"


def _texts(random: Random, keys: Sequence[str]) -> list[tuple[str, str]] | None:
    """A map, which may be empty or not there."""
    if random.random() < 0.2:
        return None
    return [(key, random.choice(TEXTS)) for key in keys if random.random() < 0.5]
