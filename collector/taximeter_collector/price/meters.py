"""What is charged for: each meter is one disjoint quantity of a call, with the unit of its rate.

Nothing is on two meters. `input` counts the text tokens that were neither read from a cache nor written to one, and so
on: a bill is the sum of quantity times rate over all meters.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["BY_NAME", "METERS", "PICO", "Family", "Meter", "Part"]

PICO = 10**12  # picodollars in a dollar: the lake's DECIMAL(18,12) counts them


class Part(StrEnum):
    """The columns that a bill is split into; they are disjoint and add up to the whole."""

    INPUT = "input"
    OUTPUT = "output"
    CACHE_READ = "cache_read"
    CACHE_WRITE = "cache_write"
    OTHER = "other"


class Family(StrEnum):
    """How a quantity relates to the others of the same call."""

    TOKENS = "tokens"
    # Another measure of what tokens measure, too: a model has rates for the one or the other.
    INSTEAD = "instead"
    # On top of everything else.
    EXTRA = "extra"


@dataclass(frozen=True, slots=True)
class Meter:
    """One quantity: a rate is in USD for `per` of what is counted."""

    name: str
    part: Part
    family: Family
    per: int
    unit: str
    # Whose rate holds where a model has none for this one, the first that it has.
    without_rate: tuple[str, ...] = ()


def _tokens(name: str, part: Part, *without_rate: str) -> Meter:
    return Meter(name, part, Family.TOKENS, 10**6, "million tokens", without_rate)


METERS: tuple[Meter, ...] = (
    _tokens("input", Part.INPUT),
    _tokens("image_input", Part.INPUT, "input"),
    _tokens("audio_input", Part.INPUT, "input"),
    _tokens("video_input", Part.INPUT, "input"),
    _tokens("cache_read", Part.CACHE_READ, "input"),
    _tokens("image_cache_read", Part.CACHE_READ, "image_input", "cache_read", "input"),
    _tokens("audio_cache_read", Part.CACHE_READ, "audio_input", "cache_read", "input"),
    _tokens("video_cache_read", Part.CACHE_READ, "video_input", "cache_read", "input"),
    _tokens("cache_write", Part.CACHE_WRITE, "input"),
    # Costs 2x where a 5 minute write costs 1.25x: the rate of the one must never stand in for the other.
    _tokens("cache_write_1h", Part.CACHE_WRITE),
    _tokens("output", Part.OUTPUT),
    _tokens("reasoning", Part.OUTPUT, "output"),
    _tokens("image_output", Part.OUTPUT, "output"),
    _tokens("audio_output", Part.OUTPUT, "output"),
    _tokens("video_output", Part.OUTPUT, "output"),
    _tokens("citation", Part.OUTPUT, "output"),
    Meter("characters", Part.INPUT, Family.INSTEAD, 10**6, "million characters"),
    Meter("audio_input_hour", Part.INPUT, Family.INSTEAD, 3_600_000, "hour"),
    Meter("audio_output_hour", Part.OUTPUT, Family.INSTEAD, 3_600_000, "hour"),
    Meter("page", Part.INPUT, Family.INSTEAD, 1, "page"),
    Meter("annotated_page", Part.INPUT, Family.INSTEAD, 1, "page", ("page",)),
    Meter("image", Part.OUTPUT, Family.INSTEAD, 1, "image"),
    Meter("video_second", Part.OUTPUT, Family.INSTEAD, 1000, "second"),
    Meter("rerank_search", Part.OTHER, Family.INSTEAD, 1, "search"),
    Meter("request", Part.OTHER, Family.EXTRA, 1, "request"),
    Meter("web_search", Part.OTHER, Family.EXTRA, 1, "search"),
    Meter("social_search", Part.OTHER, Family.EXTRA, 1, "search"),
    Meter("file_search", Part.OTHER, Family.EXTRA, 1, "search"),
    Meter("code_execution", Part.OTHER, Family.EXTRA, 1, "execution"),
)

BY_NAME: dict[str, Meter] = {meter.name: meter for meter in METERS}
