"""The second source: a trimmed snapshot of LiteLLM's price list, for what the first one lacks.

It has no dates: whatever the day of a call, the rates are those of the release that it was made from.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator, Mapping
from datetime import datetime
from fractions import Fraction
from functools import cached_property
from importlib.resources import files
from typing import Any

from taximeter_collector.price.names import Identity, geography, undated
from taximeter_collector.price.rates import Row
from taximeter_collector.price.source import NO_BREAKS, Entry
from taximeter_collector.price.tiers import STANDARD

__all__ = ["LiteLLMEntry", "LiteLLMSnapshot"]


class LiteLLMSnapshot:
    """All that the snapshot has; it is read when it is first asked."""

    @cached_property
    def _document(self) -> Mapping[str, Any]:
        packed = files("taximeter_collector.price").joinpath("snapshot/litellm.json.xz").read_bytes()
        document: Mapping[str, Any] = json.loads(lzma.decompress(packed))
        return document

    @property
    def source(self) -> str:
        """Its name and edition."""
        return f"litellm@{self._document['edition']}"

    @property
    def made(self) -> str:
        """The day on which the snapshot was made."""
        return str(self._document["made"])

    @property
    def models(self) -> Mapping[str, Mapping[str, Any]]:
        """Model names by provider."""
        found: Mapping[str, Mapping[str, Any]] = self._document["models"]
        return found

    def find(self, identity: Identity) -> Entry | None:
        """The model under its exact name, else without the date in it, else without the Bedrock geography."""
        for ref in _spellings(identity.refs):
            for provider in identity.litellm:
                if (tiers := self.models.get(provider, {}).get(ref)) is not None:
                    return LiteLLMEntry(self.source, provider, ref, tiers)
        return None

    def surcharge(self, identity: Identity, region: str) -> Fraction | None:
        """What a call that must stay in a region costs more, if the provider has such a factor."""
        for ref in _spellings(identity.refs):
            for provider in identity.litellm:
                named = self._document["regions"].get(provider, {}).get(ref)
                if named and region in named:
                    return Fraction(named[region])
        return None


def _spellings(refs: tuple[str, ...]) -> Iterator[str]:
    lowered = [ref.lower() for ref in refs]
    yield from lowered
    yield from (undated(ref) for ref in lowered)
    yield from (ref.partition(".")[2] for ref in lowered if geography(ref) in ("us", "global"))


class LiteLLMEntry:
    """One model there."""

    breaks = NO_BREAKS

    def __init__(self, source: str, provider: str, model: str, tiers: Mapping[str, Mapping[str, Any]]) -> None:
        self._source = source
        self._provider = provider
        self._tiers = tiers
        self.model = model
        self.is_regional = geography(model) is not None or "/" in model

    def row(self, tier: str, at: datetime) -> Row | None:
        """The rates in a tier, whatever the time. What a tier does not list costs what it costs in the standard one."""
        if tier not in self._tiers:
            return None
        standard, own = self._tiers.get(STANDARD, {}), self._tiers[tier]
        starts = sorted({int(over) for over in (*standard, *own)})
        levels = [(over, {**_rates_above(standard, over), **_rates_above(own, over)}) for over in starts]
        return Row.of(self._source, self._provider, self.model, "undated", tier, levels)


def _rates_above(levels: Mapping[str, Mapping[str, str]], over: int) -> dict[str, Fraction]:
    rates: dict[str, Fraction] = {}
    for start in sorted(levels, key=int):
        if int(start) <= over:
            rates |= {meter: Fraction(usd) for meter, usd in levels[start].items()}
    return rates
