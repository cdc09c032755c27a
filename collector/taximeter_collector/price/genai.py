"""The first source: `genai-prices`, read for its rates.

Its own calculation takes 70 to 85 us a call, so it is never asked for one; the tests hold the two to the last digit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from fractions import Fraction
from importlib.metadata import version as installed_version

from genai_prices.types import (
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from taximeter_collector.price.names import Identity
from taximeter_collector.price.rates import Row
from taximeter_collector.price.source import Breaks, Entry
from taximeter_collector.price.tiers import STANDARD

__all__ = ["PRICE_KEYS", "UNCOUNTED_PRICE_KEYS", "GenaiEntry", "GenaiPrices", "bundled"]

# The meter of each price, and for how many of our unit it is: ours are one image, theirs are a thousand.
PRICE_KEYS: dict[str, tuple[tuple[str, ...], int]] = {
    "input_mtok": (("input",), 1),
    "input_text_mtok": (("input",), 1),
    "input_image_mtok": (("image_input",), 1),
    "input_audio_mtok": (("audio_input",), 1),
    "input_video_mtok": (("video_input",), 1),
    "cache_read_mtok": (("cache_read",), 1),
    "cache_image_read_mtok": (("image_cache_read",), 1),
    "cache_audio_read_mtok": (("audio_cache_read",), 1),
    "cache_video_read_mtok": (("video_cache_read",), 1),
    "cache_write_mtok": (("cache_write",), 1),
    "cache_write_1h_mtok": (("cache_write_1h",), 1),
    "output_mtok": (("output",), 1),
    "output_text_mtok": (("output",), 1),
    "output_reasoning_mtok": (("reasoning",), 1),
    "output_image_mtok": (("image_output",), 1),
    "output_audio_mtok": (("audio_output",), 1),
    "output_video_mtok": (("video_output",), 1),
    "output_citation_mtok": (("citation",), 1),
    "input_mchars": (("characters",), 1),
    "audio_hours": (("audio_input_hour", "audio_output_hour"), 1),
    "input_audio_hours": (("audio_input_hour",), 1),
    "output_audio_hours": (("audio_output_hour",), 1),
    "input_document_kpages": (("page",), 1000),
    "input_annotated_document_kpages": (("annotated_page",), 1000),
    "rerank_searches_kcount": (("rerank_search",), 1000),
    "web_searches_kcount": (("web_search",), 1000),
    "social_searches_kcount": (("social_search",), 1000),
    "storage_searches_kcount": (("file_search",), 1000),
    "code_executions_kcount": (("code_execution",), 1000),
    "requests_kcount": (("request",), 1000),
}
# Charged for, and never told in telemetry.
UNCOUNTED_PRICE_KEYS = frozenset({"input_text_messages_kcount"})

# Groq charges for ten seconds of sound at least.
_MINIMUM = {
    ("groq", "whisper-large-v3"): {"audio_input_hour": 10_000},
    ("groq", "whisper-large-v3-turbo"): {"audio_input_hour": 10_000},
}
_SOUND = frozenset({"audio_input", "audio_output", "audio_cache_read"})


def bundled() -> GenaiPrices:
    """The prices that came with the installed package."""
    from genai_prices.data import providers

    return GenaiPrices(providers, installed_version("genai-prices"))


class GenaiPrices:
    """All providers and models of one edition of genai-prices."""

    def __init__(self, providers: Sequence[Provider], edition: str) -> None:
        self.providers = list(providers)
        self.source = f"genai-prices@{edition}"
        self._by_id = {provider.id: provider for provider in self.providers}

    def find(self, identity: Identity) -> Entry | None:
        """The model in question, by the provider's own names for it."""
        provider = self._by_id.get(identity.genai or "")
        for ref in identity.refs if provider else ():
            if provider and (model := provider.find_model(ref, all_providers=self.providers)):
                return GenaiEntry(self.source, provider, model)
        return None

    def owner(self, identity: Identity) -> str | None:
        """Whose a model is by its name alone."""
        for ref in identity.refs:
            for provider in self.providers:
                if provider.model_match and provider.model_match.is_match(ref.lower()):
                    return provider.id
        return None


class GenaiEntry:
    """One model there."""

    def __init__(self, source: str, provider: Provider, model: ModelInfo) -> None:
        self._source = source
        self._provider = provider
        self._model = model
        # Azure's prices are OpenAI's where it has none of its own, but OpenAI's tiers are not Azure's.
        self._is_own = any(model is own for own in provider.models)
        self.model = model.id
        self.is_regional = model.id.startswith(("regional.", "global."))
        self.breaks = Breaks.of(self._instants(), self._times_of_day())

    def row(self, tier: str, at: datetime) -> Row | None:
        """The rates at a time in a tier; None if the tier has none."""
        standard = self._active(at)
        effective = _start(standard.constraint if standard else None)
        context = {}
        if self._is_own:
            context = dict.fromkeys(("service_tier", "processing", "speed"), tier)
            if tier == STANDARD:
                context = {"service_tier": "default"}
        if tier != STANDARD:
            starts = [_start(variant.constraint) for variant in self._variants(context, at)]
            if not starts:
                return None
            effective = max(effective, *starts, key=lambda start: start if start != _UNDATED else "")
        if standard and isinstance(standard.constraint, TimeOfDateConstraint):
            effective = f"{self._dated(at)}@{_interval(standard.constraint)}"
        prices = self._model.get_prices(at, context or None)
        return Row.of(
            self._source,
            self._provider.id,
            self._model.id,
            effective,
            tier,
            list(_levels(prices)),
            minimum=_MINIMUM.get((self._provider.id, self._model.id)),
            without=self._without(prices),
        )

    def _without(self, prices: ModelPrice) -> frozenset[str]:
        """OpenAI charges a multiple for sound; where only the rates of text are known, they say nothing of it."""
        hears = self._provider.id in ("openai", "azure") and any(word in self.model for word in ("audio", "realtime"))
        return frozenset() if not hears or prices.__dict__.get("input_audio_mtok") else _SOUND

    def _conditions(self) -> list[ConditionalPrice]:
        prices = self._model.prices
        return prices if isinstance(prices, list) else []

    def _active(self, at: datetime) -> ConditionalPrice | None:
        for condition in reversed(self._conditions()):
            if condition.constraint is None or condition.constraint.active(at):
                return condition
        return None

    def _dated(self, at: datetime) -> str:
        """Since when the prices are what they are, beside those that hold at times of the day."""
        starts = [one.constraint for one in self._conditions() if isinstance(one.constraint, StartDateConstraint)]
        return max((_start(one) for one in starts if one.active(at)), default=_UNDATED)

    def _variants(self, context: dict[str, str], at: datetime) -> Iterator[PriceVariant]:
        for variant in self._model.price_variants or () if self._is_own else ():
            holds = variant.constraint is None or variant.constraint.active(at)
            if holds and variant.prices.__dict__ and variant.when.items() <= context.items():
                yield variant

    def _constraints(self) -> Iterator[StartDateConstraint | TimeOfDateConstraint]:
        for holder in [*self._conditions(), *(self._model.price_variants or ())]:
            if holder.constraint is not None:
                yield holder.constraint

    def _instants(self) -> Iterator[datetime]:
        for constraint in self._constraints():
            if isinstance(constraint, StartDateConstraint):
                yield datetime.combine(constraint.start_date, time_of_day(), UTC)

    def _times_of_day(self) -> Iterator[time_of_day]:
        for constraint in self._constraints():
            if isinstance(constraint, TimeOfDateConstraint):
                yield _utc(constraint.start_time)
                yield _utc(constraint.end_time)


_UNDATED = "undated"


def _start(constraint: object) -> str:
    return constraint.start_date.isoformat() if isinstance(constraint, StartDateConstraint) else _UNDATED


def _utc(moment: time_of_day) -> time_of_day:
    if moment.tzinfo is None:
        return moment
    return datetime.combine(date(1970, 1, 2), moment).astimezone(UTC).time()


def _interval(constraint: TimeOfDateConstraint) -> str:
    return f"{_utc(constraint.start_time):%H:%M}-{_utc(constraint.end_time):%H:%M}"


def _levels(prices: ModelPrice) -> Iterator[tuple[int, dict[str, Fraction]]]:
    """The rates by the number of input tokens above which they hold: a cliff, not a slope."""
    known = {key: value for key, value in prices.__dict__.items() if value is not None and key in PRICE_KEYS}
    starts = {tier.start for value in known.values() if isinstance(value, TieredPrices) for tier in value.tiers}
    for over in sorted({0, *starts}):
        rates: dict[str, Fraction] = {}
        # In the order of the table, where a price for one direction comes after the one for both.
        for key in sorted(known, key=list(PRICE_KEYS).index):
            meters, many = PRICE_KEYS[key]
            value = known[key]
            if isinstance(value, TieredPrices):
                value = next((tier.price for tier in reversed(value.tiers) if tier.start <= over and over), value.base)
            for meter in meters:
                rates[meter] = Fraction(value) / many
        yield over, rates
