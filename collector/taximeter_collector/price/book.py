"""The price book: overrides over genai-prices over a snapshot of LiteLLM, resolved once and then remembered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path

from taximeter_collector.price import edition
from taximeter_collector.price.genai import GenaiPrices, bundled
from taximeter_collector.price.litellm import LiteLLMSnapshot
from taximeter_collector.price.meters import Family
from taximeter_collector.price.names import Identity, Unknown, geography, identify, named_by_genai
from taximeter_collector.price.overrides import Overrides, Price
from taximeter_collector.price.rates import Cost, Row, Status, charge, exact_text
from taximeter_collector.price.source import Entry, Source, moment
from taximeter_collector.price.tiers import STANDARD
from taximeter_collector.price.usage import NOTHING_TOLD, Usage, inconsistency

__all__ = ["OVERRIDES_FILE", "Book", "Resolved", "Schedule"]

OVERRIDES_FILE = "prices.toml"

# Names come from whoever sends; what is remembered of them has a bound.
_REMEMBERED = 20_000
_LONGEST_REMEMBERED = 512


@dataclass(frozen=True, slots=True)
class Resolved:
    """The rows that a call can be priced by, best first; or why there are none."""

    rows: tuple[Row, ...]
    reason: str = ""


class Schedule:
    """What one model costs in one tier, over time. Nothing changes between two breaks."""

    def __init__(self, book: Book, given: tuple[str | None, ...], tier: str, region: str | None) -> None:
        self._book = book
        self._given = given
        self._tier = tier
        self._region = region
        self._named = book.names(given)
        self._entries = [entry for one in self._named if isinstance(one, Identity) for entry in book.entries(one)]
        self._resolved: dict[tuple[int, int], Resolved] = {}
        self.breaks = book.overrides.breaks
        for entry in self._entries:
            self.breaks = self.breaks | entry.breaks

    def at(self, at_unix_nano: int) -> Resolved:
        """What holds at a time."""
        segment = self.breaks.segment(at_unix_nano)
        found = self._resolved.get(segment)
        if found is None:
            found = self._resolved[segment] = self._resolve(moment(at_unix_nano))
        return found

    def _resolve(self, at: datetime) -> Resolved:
        rows = [row for entry in self._entries if (row := entry.row(self._tier, at))]
        rows = [self._in_region(row) for row in rows]
        rows = self._book.free_of_charge(self._named, self._tier) + rows
        if own := self._override(at):
            rows = self._overridden(own, rows)
        return Resolved(tuple(rows), "" if rows else self._reason())

    def _override(self, at: datetime) -> Price | None:
        provider, *models = self._given
        named = [one for one in self._named if isinstance(one, Identity)]
        meant = [self._book.overrides.meaning(provider, model) for model in models if model]
        providers = [provider or "", *(who or "" for who, _ in meant), *(one.provider for one in named)]
        names = [*(model for model in models if model), *(what or "" for _, what in meant)]
        names += [ref for one in named for ref in one.refs]
        return self._book.overrides.price(providers, names, self._tier, at)

    def _overridden(self, own: Price, rows: list[Row]) -> list[Row]:
        source = self._book.overrides.source(own)
        if own.multiplier is not None:
            factor = own.multiplier
            return [row.times(factor, f"|*{exact_text(factor)}|{source}") for row in rows]
        model = next((model for model in self._given[1:] if model), own.model)
        stated = self._book.overrides.row(own, model, self._tier)
        return [stated] if stated else rows

    def _in_region(self, row: Row) -> Row:
        """Anthropic charges more for the tokens of a call that must stay in a region."""
        if not self._region:
            return row
        for one in self._named:
            if isinstance(one, Identity) and (factor := self._book.surcharge(one, self._region)):
                return row.times(factor, f"|*{exact_text(factor)}|{self._region}", (Family.TOKENS,))
        return row

    def _reason(self) -> str:
        if self._entries and self._tier != STANDARD:
            return f"no rates for the tier {self._tier}"
        if self._entries:
            return "a model without rates"
        unknown = [one.reason for one in self._named if isinstance(one, Unknown)]
        if len(unknown) == len(self._named):
            return unknown[0]
        return "unknown model"


class Book:
    """Prices calls: each at its own time, with the rates of its model and tier.

    >>> from datetime import UTC, datetime
    >>> from taximeter_collector.price.source import unix_nano
    >>> book = Book.load()
    >>> cost = book.price(
    ...     Usage(input_tokens=1000, output_tokens=100, cache_read_tokens=800),
    ...     provider="anthropic",
    ...     response_model="claude-sonnet-4-5-20250929",
    ...     at_unix_nano=unix_nano(datetime(2026, 11, 20, 12, tzinfo=UTC)),
    ... )
    >>> cost.status.value, cost.usd, cost.cache_read_pico
    ('priced', Decimal('0.002340000000'), 240000000)
    """

    def __init__(self, sources: Sequence[Source], overrides: Overrides | None = None) -> None:
        self.sources = tuple(sources)
        self.overrides = overrides or Overrides()
        self.problems: list[str] = []
        self._schedules: dict[tuple[str | None, ...], Schedule] = {}

    @classmethod
    def load(cls, data: Path | None = None, overrides: Path | None = None) -> Book:
        """The book with what a data folder adds: fetched prices, and the overrides in its `prices.toml`.

        `overrides` names another file. OverridesError if it cannot be used; fetched prices that cannot be used are
        passed over, and said in `problems`.
        """
        problems: list[str] = []
        fetched = edition.newest(data, problems) if data else None
        if overrides is None and data and (data / OVERRIDES_FILE).is_file():
            overrides = data / OVERRIDES_FILE
        book = cls([fetched or bundled(), LiteLLMSnapshot()], Overrides.load(overrides) if overrides else None)
        book.problems = problems
        return book

    def price(
        self,
        usage: Usage,
        *,
        at_unix_nano: int,
        provider: str | None = None,
        response_model: str | None = None,
        request_model: str | None = None,
        tier: str = STANDARD,
        region: str | None = None,
    ) -> Cost:
        """What one call costs; it never raises, and what is not known has a reason."""
        found = self.schedule(provider, response_model, request_model, tier, region).at(at_unix_nano)
        first: Cost | None = None
        for row in found.rows:
            cost = charge(row, usage)
            if cost.status is not Status.UNPRICED_MODEL:
                return cost
            first = first or cost
        return first or _without_rows(usage, found.reason)

    def schedule(
        self,
        provider: str | None,
        response_model: str | None,
        request_model: str | None = None,
        tier: str = STANDARD,
        region: str | None = None,
    ) -> Schedule:
        """The rates of what these names mean; remembered."""
        key = (provider, response_model, request_model, tier, region)
        found = self._schedules.get(key)
        if found is None:
            found = Schedule(self, (provider, response_model, request_model), tier, region)
            if any(text and len(text) > _LONGEST_REMEMBERED for text in key):
                return found
            if len(self._schedules) >= _REMEMBERED:
                self._schedules.clear()
            self._schedules[key] = found
        return found

    def names(self, given: tuple[str | None, ...]) -> list[Identity | Unknown]:
        """What the names in telemetry stand for, up to the first that names a model.

        The model that was asked for counts only if the answer named none: a deployment may be called after a model
        that it no longer runs.
        """
        provider, *models = given
        found: list[Identity | Unknown] = []
        for model in models:
            if model and model.strip():
                found.append(self._identified(*self.overrides.meaning(provider, model)))
                if isinstance(found[-1], Identity):
                    break
        return found or [identify(provider, None)]

    def _identified(self, provider: str | None, model: str | None) -> Identity | Unknown:
        """A name that came without its provider is whose genai-prices takes it to be."""
        found = identify(provider, model)
        if isinstance(found, Unknown) or found.provider:
            return found
        owners = (source.owner(found) for source in self.sources if isinstance(source, GenaiPrices))
        owner = next((owner for owner in owners if owner), None)
        return identify(named_by_genai(owner), model) if owner else found

    def entries(self, identity: Identity) -> list[Entry]:
        """What the sources know of a model, best first.

        A Bedrock geography that LiteLLM lists is not priced by an entry that knows the model without it.
        """
        found = [entry for source in self.sources if (entry := source.find(identity))]
        place = next((geography(ref) for ref in identity.refs if geography(ref)), None)
        is_placed = place is not None or any("/" in ref for ref in identity.refs)
        if len(found) == 2 and "bedrock" in identity.litellm and is_placed:
            first, second = found
            if second.is_regional and (not first.is_regional or place == "us-gov"):
                return [second, first]
        return found

    def free_of_charge(self, named: Sequence[Identity | Unknown], tier: str) -> list[Row]:
        """The row of a model that nobody sends a bill for: it runs on a machine of one's own, or is named `:free`."""
        for one in named:
            if isinstance(one, Identity) and one.is_free:
                rates = dict.fromkeys(("input", "output"), Fraction(0))
                row = Row.of("free", one.provider, one.refs[0], "undated", tier, [(0, rates)])
                return [row] if row else []
        return []

    def surcharge(self, identity: Identity, region: str) -> Fraction | None:
        """A factor for calls that must stay in a region."""
        for source in self.sources:
            if isinstance(source, LiteLLMSnapshot):
                return source.surcharge(identity, region.lower())
        return None


def _without_rows(usage: Usage, reason: str) -> Cost:
    if wrong := inconsistency(usage):
        return Cost(Status.INCONSISTENT_USAGE, wrong)
    if usage.says_nothing():
        return Cost(Status.MISSING_USAGE, NOTHING_TOLD)
    return Cost(Status.UNPRICED_MODEL, reason)
