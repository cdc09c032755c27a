"""Rules applied to many texts at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.redact.builtin import REDACTED, Pattern
from taximeter_collector.redact.rules import Rules

__all__ = ["DROP", "KEY", "PATTERN", "Changes", "Index", "Kinds", "Texts", "replaced"]

Index: TypeAlias = npt.NDArray[np.int64]
Kinds: TypeAlias = npt.NDArray[np.uint8]

PATTERN, KEY, DROP = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Changes:
    """Which texts of a column become others, and by what kinds of rules."""

    places: Index  # ascending
    texts: pa.StringArray
    kinds: Kinds

    @classmethod
    def of(cls, before: pa.StringArray, places: Index, after: pa.StringArray, kinds: Kinds | int) -> Changes:
        """Those of these places whose text is really another."""
        real = np.asarray(pc.not_equal(before.take(pa.array(places)), after))
        kinds = np.full(len(places), kinds, dtype=np.uint8) if isinstance(kinds, int) else kinds
        return cls(places[real], after.filter(pa.array(real)), kinds[real])

    def where(self, kept: npt.NDArray[np.bool_]) -> Changes:
        """Some of them."""
        return Changes(self.places[kept], self.texts.filter(pa.array(kept)), self.kinds[kept])

    def and_then(self, more: Changes) -> Changes:
        """Both, of which none changes what the other does."""
        places = np.concatenate([self.places, more.places])
        order = np.argsort(places)
        texts = pa.concat_arrays([self.texts, more.texts]).take(pa.array(order))
        return Changes(places[order], texts, np.concatenate([self.kinds, more.kinds])[order])

    def __len__(self) -> int:
        return len(self.places)


def replaced(texts: pa.StringArray, changes: Changes) -> pa.StringArray:
    """The column with the changes made."""
    mask = np.zeros(len(texts), dtype=np.bool_)
    mask[changes.places] = True
    return pc.replace_with_mask(texts, pa.array(mask), changes.texts)


class Texts:
    """Patterns, looked for in whole texts."""

    def __init__(self, rules: Rules) -> None:
        self._patterns = rules.patterns
        self._finders = _finders(rules.patterns)
        self.numbers = any(pattern.in_numbers for pattern in rules.patterns)

    def found(self, texts: pa.StringArray) -> npt.NDArray[np.bool_]:
        """Where there may be something to replace."""
        mask = np.zeros(len(texts), dtype=np.bool_)
        for regex in self._finders if len(texts) else ():
            mask |= np.asarray(pc.match_substring_regex(texts, regex).fill_null(False))
        return mask

    def changes(self, texts: pa.StringArray) -> Changes:
        """What becomes of them."""
        places = np.flatnonzero(self.found(texts))
        return Changes.of(texts, places, self.redacted(texts.take(pa.array(places))), PATTERN)

    def redacted(self, texts: pa.StringArray) -> pa.StringArray:
        """The same without anything that a pattern matches. For texts in which something was found."""
        for pattern in self._patterns if len(texts) else ():
            texts = _without(pattern, texts)
        return texts


def _without(pattern: Pattern, texts: pa.StringArray) -> pa.StringArray:
    if pattern.rewrite is None:
        return pc.replace_substring_regex(texts, pattern.regex, pattern.replacement)
    candidates = pc.match_substring_regex(texts, pattern.regex)
    after = [pattern.rewrite(text, REDACTED) for text in texts.filter(candidates).to_pylist()]
    return pc.replace_with_mask(texts, candidates, pa.array(after, pa.string()))


def _finders(patterns: tuple[Pattern, ...]) -> list[str]:
    """One expression for all: what many patterns cost together is little more than what one does."""
    if not patterns:
        return []
    every = "|".join(f"(?:{pattern.regex})" for pattern in patterns)
    try:
        pc.match_substring_regex(pa.array([""]), every)
    except pa.ArrowInvalid:  # too large a program for RE2
        return [pattern.regex for pattern in patterns]
    return [every]
