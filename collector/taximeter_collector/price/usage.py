"""What one call used: the canonical record, what must hold of it, and the disjoint quantities that are charged.

Totals include their details: input tokens include what was read from and written to a cache, output tokens include
reasoning. What violates this is said, and never put right in silence. The same arithmetic serves one call (integers)
and many (arrays).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from taximeter_collector.price.meters import METERS

__all__ = ["COUNTERS", "INVARIANTS", "NOTHING_TOLD", "Invariant", "Usage", "inconsistency", "quantities"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts of one call. None means that nobody said; 0 means that there were none.

    >>> Usage(input_tokens=100, output_tokens=20, cache_read_tokens=80).reasoning_tokens is None
    True
    """

    input_tokens: int | None = None
    """All that went in, with cache reads and writes, and in all modalities."""
    output_tokens: int | None = None
    """All that came out, with reasoning, citations, and in all modalities."""
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    """With every time to live. What the next two do not tell apart was written for 5 minutes."""
    cache_write_5m_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    image_input_tokens: int | None = None
    audio_input_tokens: int | None = None
    video_input_tokens: int | None = None
    image_cache_read_tokens: int | None = None
    audio_cache_read_tokens: int | None = None
    video_cache_read_tokens: int | None = None
    reasoning_tokens: int | None = None
    image_output_tokens: int | None = None
    audio_output_tokens: int | None = None
    video_output_tokens: int | None = None
    citation_tokens: int | None = None
    characters: int | None = None
    audio_input_ms: int | None = None
    audio_output_ms: int | None = None
    pages: int | None = None
    annotated_pages: int | None = None
    images: int | None = None
    """Images that were made."""
    video_ms: int | None = None
    """Video that was made."""
    rerank_searches: int | None = None
    web_searches: int | None = None
    social_searches: int | None = None
    file_searches: int | None = None
    code_executions: int | None = None
    requests: int | None = 1

    def says_nothing(self) -> bool:
        """Whether there is not one count; that there was a request is none."""
        return all(getattr(self, name) is None for name in COUNTERS if name != "requests")


NOTHING_TOLD = "no usage was reported"
COUNTERS: tuple[str, ...] = tuple(field.name for field in fields(Usage))


@dataclass(frozen=True, slots=True)
class Invariant:
    """The details cannot be more than the whole."""

    details: tuple[str, ...]
    whole: str

    @property
    def reason(self) -> str:
        """What is said of a call that violates it."""
        return f"{' + '.join(self.details)} > {self.whole}"


INVARIANTS: tuple[Invariant, ...] = (
    Invariant(("cache_read_tokens", "cache_write_tokens"), "input_tokens"),
    Invariant(("cache_write_5m_tokens", "cache_write_1h_tokens"), "cache_write_tokens"),
    Invariant(("image_input_tokens", "audio_input_tokens", "video_input_tokens"), "input_tokens"),
    Invariant(("image_cache_read_tokens",), "image_input_tokens"),
    Invariant(("audio_cache_read_tokens",), "audio_input_tokens"),
    Invariant(("video_cache_read_tokens",), "video_input_tokens"),
    Invariant(("image_cache_read_tokens", "audio_cache_read_tokens", "video_cache_read_tokens"), "cache_read_tokens"),
    Invariant(
        ("reasoning_tokens", "image_output_tokens", "audio_output_tokens", "video_output_tokens", "citation_tokens"),
        "output_tokens",
    ),
    Invariant(("annotated_pages",), "pages"),
)


def inconsistency(usage: Usage) -> str | None:
    """Why these counts cannot all be true, or None.

    >>> inconsistency(Usage(input_tokens=10, output_tokens=5, cache_read_tokens=84_562))
    'cache_read_tokens + cache_write_tokens > input_tokens'
    >>> inconsistency(Usage(input_tokens=10, output_tokens=-1))
    'output_tokens < 0'
    """
    for name in COUNTERS:
        if (getattr(usage, name) or 0) < 0:
            return f"{name} < 0"
    for invariant in INVARIANTS:
        details = sum(getattr(usage, name) or 0 for name in invariant.details)
        if details > (getattr(usage, invariant.whole) or 0):
            return invariant.reason
    return None


def quantities(count: Callable[[str], Any], least: Callable[[Any, Any], Any] = min) -> tuple[Any, ...]:
    """What is on each meter, in the order of `METERS`, given counts that are consistent.

    `count` gives a counter's number by name, 0 if nobody said; with arrays, `least` is the minimum of two.
    Whose modality nobody said is text: what was written to or read from a cache is taken from the text first, as far
    as there is text, then from images, sound and video.

    >>> counts = {"input_tokens": 1000, "cache_read_tokens": 600, "cache_write_tokens": 100, "output_tokens": 50}
    >>> dict(zip((meter.name for meter in METERS), quantities(lambda name: counts.get(name, 0))))["input"]
    300
    """
    found = dict(_input(count, least))
    found |= dict(_output(count))
    return tuple(found[meter.name] for meter in METERS)


_MODALITIES = ("image", "audio", "video")


def _input(count: Callable[[str], Any], least: Callable[[Any, Any], Any]) -> Iterator[tuple[str, Any]]:
    known = {modality: count(f"{modality}_cache_read_tokens") for modality in _MODALITIES}
    sent = {modality: count(f"{modality}_input_tokens") for modality in _MODALITIES}
    fresh = {"text": count("input_tokens") - sum(sent.values())}
    fresh |= {modality: sent[modality] - known[modality] for modality in _MODALITIES}
    written, unsplit = count("cache_write_tokens"), count("cache_read_tokens") - sum(known.values())
    read = {"text": 0, **known}
    for modality in fresh:
        taken = least(written, fresh[modality])
        fresh[modality], written = fresh[modality] - taken, written - taken
        taken = least(unsplit, fresh[modality])
        fresh[modality], unsplit = fresh[modality] - taken, unsplit - taken
        read[modality] = read[modality] + taken
    yield "input", fresh["text"]
    yield "cache_read", read["text"]
    for modality in _MODALITIES:
        yield f"{modality}_input", fresh[modality]
        yield f"{modality}_cache_read", read[modality]
    for_an_hour = count("cache_write_1h_tokens")
    yield "cache_write_1h", for_an_hour
    yield "cache_write", count("cache_write_tokens") - for_an_hour


def _output(count: Callable[[str], Any]) -> Iterator[tuple[str, Any]]:
    apart = {
        "reasoning": count("reasoning_tokens"),
        "citation": count("citation_tokens"),
        **{f"{modality}_output": count(f"{modality}_output_tokens") for modality in _MODALITIES},
    }
    yield "output", count("output_tokens") - sum(apart.values())
    yield from apart.items()
    yield "page", count("pages") - count("annotated_pages")
    yield "annotated_page", count("annotated_pages")
    for meter, counter in _AS_COUNTED.items():
        yield meter, count(counter)


_AS_COUNTED = {
    "characters": "characters",
    "audio_input_hour": "audio_input_ms",
    "audio_output_hour": "audio_output_ms",
    "image": "images",
    "video_second": "video_ms",
    "rerank_search": "rerank_searches",
    "request": "requests",
    "web_search": "web_searches",
    "social_search": "social_searches",
    "file_search": "file_searches",
    "code_execution": "code_executions",
}
