"""Rules applied to texts that may be JSON: patterns see the texts and numbers inside, and keys are looked for there."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.redact.inner import Inner, looks_like_json, may_hold_json, unescaped
from taximeter_collector.redact.rewriting import Rewriting, quoted
from taximeter_collector.redact.rules import Rules
from taximeter_collector.redact.texts import DROP, KEY, PATTERN, Changes, Index, Kinds, Texts

__all__ = ["Values"]

Mask = npt.NDArray[np.bool_]
_WORD = re.compile(r"[^ \t\r\n,:\[\]{}\"\\]+")


class Values:
    """What becomes of values, and of keys."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._texts = Texts(rules)
        self.numbers = self._texts.numbers

    def verdicts(self, keys: pa.StringArray) -> Kinds:
        """For each key: whether it is dropped, its value is replaced, or neither (0)."""
        verdicts = np.zeros(len(keys), dtype=np.uint8)
        for regex, verdict in ((self._rules.keys, KEY), (self._rules.drop, DROP)):
            if regex:
                verdicts[np.asarray(pc.match_substring_regex(keys, regex))] = verdict
        return verdicts

    def changes(self, texts: pa.StringArray) -> Changes:
        """What becomes of distinct texts, none of which is NULL."""
        json_like = looks_like_json(texts)
        if not json_like.any():
            return self._texts.changes(texts)
        plain, nested = np.flatnonzero(~json_like), self._with_trace(texts, np.flatnonzero(json_like))
        of_plain = self._texts.changes(texts.take(pa.array(plain)))
        of_nested = self._in_json(texts.take(pa.array(nested)))
        return Changes(plain[of_plain.places], of_plain.texts, of_plain.kinds).and_then(
            Changes(nested[of_nested.places], of_nested.texts, of_nested.kinds)
        )

    def _with_trace(self, texts: pa.StringArray, places: Index) -> Index:
        """The places with texts in which something may change: reading what is inside them costs more than this."""
        if not self._rules.trace:
            return places
        found: Mask = np.asarray(pc.match_substring_regex(texts.take(pa.array(places)), self._rules.trace))
        return places[found]

    def _in_json(self, texts: pa.StringArray) -> Changes:
        inner = Inner.read(texts)
        kinds = np.zeros(len(texts), dtype=np.uint8)
        is_plain = inner.is_plain(len(texts))
        rewriting = Rewriting(
            self._strings(inner, kinds), self._numbers(inner, is_plain, kinds), *self._keys(inner, kinds)
        )
        return self._rewritten(texts, rewriting, kinds, is_plain)

    def _strings(self, inner: Inner, kinds: Kinds) -> dict[str, str]:
        """The strings that change; what kinds of rules did it is noted for the texts that they are in."""
        written = inner.strings.dictionary
        places = np.arange(len(written)) if self._rules.patterns else np.flatnonzero(may_hold_json(written))
        # Where strings are JSON themselves, what is inside them is shorter: this comes to an end.
        changes = self.changes(unescaped(written.take(pa.array(places))))
        changed = places[changes.places]
        if len(changes):
            by_code = np.zeros(len(written), dtype=np.uint8)
            by_code[changed] = changes.kinds
            np.bitwise_or.at(kinds, inner.of, by_code[inner.strings.indices.to_numpy()])
        return _by_text(written.take(pa.array(changed)), changes.texts)

    def _keys(self, inner: Inner, kinds: Kinds) -> tuple[frozenset[str], frozenset[str]]:
        """The keys inside whose values are replaced, and those that go."""
        if not self._rules.keys and not self._rules.drop:
            return frozenset(), frozenset()
        codes, of_each = np.unique(inner.strings.indices.to_numpy()[inner.is_key], return_inverse=True)
        written = inner.strings.dictionary.take(pa.array(codes))
        verdicts = self.verdicts(unescaped(written))
        if verdicts.any():
            np.bitwise_or.at(kinds, inner.of[inner.is_key], verdicts[of_each])
        replaced, dropped = (written.filter(pa.array(verdicts == verdict)).to_pylist() for verdict in (KEY, DROP))
        return frozenset(replaced), frozenset(dropped)

    def _numbers(self, inner: Inner, is_plain: Mask, kinds: Kinds) -> dict[str, str]:
        """The numbers that change, likewise."""
        if not self.numbers:
            return {}
        rest = inner.rest.dictionary
        places = np.flatnonzero(pc.match_substring_regex(rest, "[0-9]"))
        words = [_numbers_in(text) for text in rest.take(pa.array(places)).to_pylist()]
        distinct = pa.array(sorted(set().union(*words)), pa.string())
        changes = self._texts.changes(distinct)
        changed = _by_text(distinct.take(pa.array(changes.places)), changes.texts)
        if changed:
            by_code = np.zeros(len(rest), dtype=np.uint8)
            by_code[places] = [0 if changed.keys().isdisjoint(numbers) else PATTERN for numbers in words]
            hit = (by_code[inner.rest.indices.to_numpy()] > 0) & ~is_plain[inner.rest_of]
            np.bitwise_or.at(kinds, inner.rest_of[hit], PATTERN)
        return changed

    def _rewritten(self, texts: pa.StringArray, rewriting: Rewriting, kinds: Kinds, is_plain: Mask) -> Changes:
        """The texts with what is inside changed. Those that are no JSON after all are plain texts, too."""
        plain = np.flatnonzero(is_plain)
        plain = plain[self._texts.found(texts.take(pa.array(plain)))]
        places = np.union1d(np.flatnonzero(kinds), plain)
        of_plain = replace(rewriting, numbers={})
        before = zip(texts.take(pa.array(places)).to_pylist(), kinds[places].tolist(), is_plain[places], strict=True)
        after = [(of_plain if odd else rewriting).of(text, has_keys=kind > PATTERN) for text, kind, odd in before]
        changed = pa.array(after, pa.string())
        if len(plain):
            mask = pa.array(np.isin(places, plain))
            changed = pc.replace_with_mask(changed, mask, self._texts.redacted(changed.filter(mask)))
            kinds[plain] |= PATTERN
        return Changes.of(texts, places, changed, kinds[places])


def _by_text(before: pa.StringArray, after: pa.StringArray) -> dict[str, str]:
    return dict(zip(before.to_pylist(), map(quoted, after.to_pylist()), strict=True))


def _numbers_in(text: str) -> set[str]:
    return {word for word in _WORD.findall(text) if word[0] in "-0123456789"}
