"""A row of the price book, and what one call costs by it: integers and one rounding at the end."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from enum import StrEnum
from fractions import Fraction
from typing import TypeAlias

from taximeter_collector.price.meters import BY_NAME, METERS, PICO, Family, Part
from taximeter_collector.price.usage import NOTHING_TOLD, Usage, inconsistency, quantities

__all__ = ["LARGEST_PICO", "Cost", "Level", "Row", "Status", "UsdRates", "charge", "exact_text", "rounded_parts"]

# USD for `Meter.per` of what a meter counts, by the meter's name; exact, as the source wrote it.
UsdRates: TypeAlias = Mapping[str, Fraction]

LARGEST_PICO = 10**18 - 1  # DECIMAL(18,12) ends below a million dollars


class Status(StrEnum):
    """What is known of the price of a call: the values of `cost_status`."""

    PRICED = "priced"
    # Set by who has both figures: ours is not known, and the sender told one.
    REPORTED = "reported"
    FREE = "free"
    UNPRICED_MODEL = "unpriced_model"
    MISSING_USAGE = "missing_usage"
    INCONSISTENT_USAGE = "inconsistent_usage"


@dataclass(frozen=True, slots=True)
class Cost:
    """The price of a call in picodollars: all None, with a reason, if it is not known.

    The parts are disjoint: `input_pico` is for what came neither from a cache nor went to one.
    """

    status: Status
    reason: str | None = None
    price_id: str | None = None
    model: str | None = None
    total_pico: int | None = None
    input_pico: int | None = None
    output_pico: int | None = None
    cache_read_pico: int | None = None
    cache_write_pico: int | None = None
    other_pico: int | None = None

    @property
    def usd(self) -> Decimal | None:
        """The whole in dollars, exactly."""
        return None if self.total_pico is None else Decimal(self.total_pico).scaleb(-12)


@dataclass(frozen=True, slots=True)
class Level:
    """The rates for calls with more than `over` input tokens; they hold for all tokens of the call."""

    over: int
    price_id: str
    usd: UsdRates
    # By meter: picodollars for one counted, times the row's `scale`; None where there is no rate.
    coefficients: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One model's rates at one time in one tier: what `price_id` names."""

    price_id: str
    source: str
    provider: str
    model: str
    effective: str
    tier: str
    levels: tuple[Level, ...]
    scale: int
    is_free: bool
    # The least that is charged of a meter once it counts at all.
    minimum: Mapping[str, int]

    @classmethod
    def of(
        cls,
        source: str,
        provider: str,
        model: str,
        effective: str,
        tier: str,
        levels: Sequence[tuple[int, UsdRates]],
        *,
        minimum: Mapping[str, int] | None = None,
        without: frozenset[str] = frozenset(),
        suffix: str = "",
    ) -> Row | None:
        """A row from rates by the number of input tokens above which they hold; None if there is not one rate.

        `without` names meters that no other meter's rate may stand in for.

        >>> row = Row.of("book@1", "openai", "gpt-4o", "undated", "standard", [(0, {"input": Fraction("2.5")})])
        >>> row.price_id, row.levels[0].coefficients[0]
        ('book@1|openai|gpt-4o|undated|standard', 2500000)
        """
        if not any(rates for _, rates in levels):
            return None
        price_id = "|".join((source, provider, model, effective, tier)) + suffix
        filled = [[_rate(rates, meter.name, without) for meter in METERS] for _, rates in levels]
        pico = [
            [None if rate is None else rate * PICO / meter.per for meter, rate in zip(METERS, rates, strict=True)]
            for rates in filled
        ]
        scale = math.lcm(*(rate.denominator for rates in pico for rate in rates if rate is not None))
        made = tuple(
            Level(
                over,
                f"{price_id}|>{over}" if over else price_id,
                usd,
                tuple(None if rate is None else int(rate * scale) for rate in rates),
            )
            for (over, usd), rates in zip(levels, pico, strict=True)
        )
        is_free = not any(coefficient for level in made for coefficient in level.coefficients)
        return cls(price_id, source, provider, model, effective, tier, made, scale, is_free, minimum or {})

    def times(self, factor: Fraction, suffix: str, families: Collection[Family] = tuple(Family)) -> Row:
        """The same rates, each multiplied, under a `price_id` that says so."""
        factors = {meter.name: factor if meter.family in families else Fraction(1) for meter in METERS}
        levels = [
            (level.over, {name: rate * factors[name] for name, rate in level.usd.items()}) for level in self.levels
        ]
        without = frozenset(
            meter.name
            for meter, coefficient in zip(METERS, self.levels[0].coefficients, strict=True)
            if coefficient is None
        )
        made = Row.of(
            self.source,
            self.provider,
            self.model,
            self.effective,
            self.tier,
            levels,
            minimum=self.minimum,
            without=without,
            suffix=suffix,
        )
        assert made is not None
        # A product with zero is a price, too, but not what a provider gives away.
        return replace(made, is_free=self.is_free)

    def level(self, input_tokens: int) -> Level:
        """The rates for a call of this size."""
        found = self.levels[0]
        for level in self.levels[1:]:
            if input_tokens > level.over:
                found = level
        return found


def _rate(rates: UsdRates, name: str, without: frozenset[str]) -> Fraction | None:
    if name in rates:
        return rates[name]
    if name in without:
        return None
    if name == "cache_write_1h":  # only where writing has no rate at all: then it costs what input costs
        return rates.get("input") if "cache_write" not in rates else None
    return next((rates[other] for other in BY_NAME[name].without_rate if other in rates), None)


def rounded_parts(scaled: Sequence[int], scale: int) -> list[int]:
    """Exact parts, in picodollars times `scale`, as whole picodollars that add up to their rounded sum.

    Half to even, and by running sums: the whole is off by at most a half, each part by at most one; nothing stays
    nothing.

    >>> rounded_parts([1, 1, 1], 2)
    [0, 1, 1]
    """
    if scale == 1:
        return list(scaled)
    parts, running, before = [], 0, 0
    for part in scaled:
        running += part
        rounded = round(Fraction(running, scale))
        parts.append(rounded - before)
        before = rounded
    return parts


_PARTS = tuple(Part)
_PART_OF = tuple(_PARTS.index(meter.part) for meter in METERS)
_TOKEN = tuple(meter.family is Family.TOKENS for meter in METERS)
_OF_FAMILY = tuple(meter.family for meter in METERS)
_FREE_OF_CHARGE = frozenset({"request"})  # no rate for requests means that there is no such fee


def charge(row: Row, usage: Usage) -> Cost:
    """What a call costs by a row, or why that cannot be said.

    >>> rates = {"input": Fraction(3), "output": Fraction(15), "cache_read": Fraction("0.3")}
    >>> row = Row.of("book@1", "anthropic", "claude", "undated", "standard", [(0, rates)])
    >>> charge(row, Usage(input_tokens=1000, output_tokens=100, cache_read_tokens=900)).usd
    Decimal('0.002070000000')
    >>> charge(row, Usage(input_tokens=1000, output_tokens=100, web_searches=1)).reason
    'no rate for web_search'
    """
    if row.is_free:
        return Cost(Status.FREE, None, row.price_id, row.model, 0, 0, 0, 0, 0, 0)
    if reason := inconsistency(usage):
        return Cost(Status.INCONSISTENT_USAGE, reason, None, row.model)
    if reason := _untold(row, usage):
        return Cost(Status.MISSING_USAGE, reason, None, row.model)
    level = row.level(usage.input_tokens or 0)
    counted = quantities(lambda name: getattr(usage, name) or 0)
    sums, without = [0] * len(_PARTS), []
    priced: set[Family] = set()
    for at, quantity in enumerate(counted):
        if not quantity:
            continue
        coefficient = level.coefficients[at]
        if coefficient is None:
            without.append(at)
            continue
        priced.add(_OF_FAMILY[at])
        if row.minimum:
            quantity = max(quantity, row.minimum.get(METERS[at].name, 0))
        sums[_PART_OF[at]] += quantity * coefficient
    for at in without:
        if not _measured_otherwise(at, priced):
            return Cost(Status.UNPRICED_MODEL, f"no rate for {METERS[at].name}", None, row.model)
    parts = rounded_parts(sums, row.scale)
    total = sum(parts)
    if total > LARGEST_PICO:
        return Cost(Status.INCONSISTENT_USAGE, TOO_MUCH, None, row.model)
    return Cost(Status.PRICED, None, level.price_id, row.model, total, *parts)


TOO_MUCH = "one call for a million dollars or more"


def _measured_otherwise(at: int, priced: set[Family]) -> bool:
    """Tokens and, say, seconds of the same sound: a rate for one of them is enough."""
    family = _OF_FAMILY[at]
    if family is Family.EXTRA:
        return METERS[at].name in _FREE_OF_CHARGE
    return (Family.INSTEAD if family is Family.TOKENS else Family.TOKENS) in priced


_OTHER_MEASURES = (
    "characters",
    "audio_input_ms",
    "audio_output_ms",
    "pages",
    "images",
    "video_ms",
    "rerank_searches",
)


def _untold(row: Row, usage: Usage) -> str | None:
    """Which count is missing that this row charges for."""
    rates = row.levels[0].usd
    if usage.input_tokens is None or usage.output_tokens is None:
        if usage.says_nothing():
            return NOTHING_TOLD
        if any(getattr(usage, name) is not None for name in _OTHER_MEASURES):
            return None
        if usage.input_tokens is None and rates.get("input"):
            return "input_tokens were not reported"
        if usage.output_tokens is None and rates.get("output"):
            return "output_tokens were not reported"
    return None


def exact_text(amount: Fraction) -> str:
    """An amount as people write it; all its digits, as each comes from a decimal number.

    >>> exact_text(Fraction(17, 20)), exact_text(Fraction(15)), exact_text(Fraction("1e-9"))
    ('0.85', '15', '0.000000001')
    """
    text = f"{Context(prec=60).divide(Decimal(amount.numerator), Decimal(amount.denominator)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
