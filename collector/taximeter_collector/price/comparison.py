"""Where the sources of prices disagree: a reason to look at a provider's page, and perhaps for an override."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from taximeter_collector.price.genai import GenaiPrices
from taximeter_collector.price.litellm import LiteLLMSnapshot
from taximeter_collector.price.names import Identity, identify, priced_providers
from taximeter_collector.price.rates import Row
from taximeter_collector.price.tiers import STANDARD

__all__ = ["Difference", "differences"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One rate, in USD for its unit, above so many input tokens, as two sources have it."""

    provider: str
    model: str
    meter: str
    over_input_tokens: int
    genai_prices_usd: Fraction
    litellm_usd: Fraction


def differences(
    first: GenaiPrices, second: LiteLLMSnapshot, at: datetime, provider: str | None = None
) -> Iterator[Difference]:
    """All differing standard rates of models that both know under one name."""
    for name, (_, theirs) in priced_providers().items():
        if provider not in (None, name):
            continue
        for model in sorted(second.models.get(theirs, {})):
            identity = identify(name, model)
            if isinstance(identity, Identity):
                rows = [_row(source, identity, at) for source in (first, second)]
                if rows[0] and rows[1]:
                    yield from _between(name, model, rows[0], rows[1])


def _row(source: GenaiPrices | LiteLLMSnapshot, identity: Identity, at: datetime) -> Row | None:
    entry = source.find(identity)
    return entry.row(STANDARD, at) if entry else None


def _between(provider: str, model: str, first: Row, second: Row) -> Iterator[Difference]:
    said: dict[str, tuple[Fraction, Fraction]] = {}
    for over in sorted({level.over for level in (*first.levels, *second.levels)}):
        ours, theirs = first.level(over + 1).usd, second.level(over + 1).usd
        for meter in ours:
            pair = (ours[meter], theirs.get(meter, ours[meter]))
            # A difference is said where it begins, not on each level above.
            if pair[0] != pair[1] and said.get(meter) != pair:
                yield Difference(provider, model, meter, over, *pair)
            said[meter] = pair
