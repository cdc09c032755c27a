"""Every text of a batch passes here, between decoding and everything else."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.decode import Attributes, Logs, Metrics, Spans
from taximeter_collector.redact.builtin import REDACTED
from taximeter_collector.redact.config import RedactConfig
from taximeter_collector.redact.rules import Rules
from taximeter_collector.redact.texts import DROP, KEY, PATTERN, Changes, Index, Kinds, replaced
from taximeter_collector.redact.values import Values

__all__ = ["RULES", "Redaction"]

RULES = {"pattern": PATTERN, "key": KEY, "drop": DROP}
_IDS = ("trace_id", "span_id", "parent_span_id")
"""Of all columns of text, those that hold none: they were bytes, and are shown in hexadecimal."""
_LARGE, _TOO_LARGE = 10.0**12, 10.0**18
_Batch = TypeVar("_Batch")


class Redaction:
    """Rules, and counters of what passed them."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._values = Values(rules)
        self.passed: Counter[str] = Counter({"traces": 0, "logs": 0, "metrics": 0})
        """Spans, log records and data points, by signal. All pass, whether there are rules or not."""
        self.values: Counter[str] = Counter(dict.fromkeys(RULES, 0))
        """Texts that were changed or left out, by the kind of rule."""

    @classmethod
    def of(cls, config: RedactConfig) -> Redaction:
        """RedactionError for a pattern that cannot be used."""
        return cls(Rules.of(config))

    def spans(self, spans: Spans) -> Spans:
        """The same spans without what the rules take out; the same object if there are none."""
        return self._passed("traces", spans, len(spans))

    def logs(self, logs: Logs) -> Logs:
        """Log records, likewise."""
        return self._passed("logs", logs, len(logs))

    def metrics(self, metrics: Metrics) -> Metrics:
        """Data points, likewise."""
        return self._passed("metrics", metrics, len(metrics))

    def text(self, text: str) -> str:
        """One value, for trying out."""
        texts = pa.array([text], pa.string())
        return str(replaced(texts, self._values.changes(texts))[0])

    def _passed(self, signal: str, batch: _Batch, records: int) -> _Batch:
        self._counted: Counter[str] = Counter()
        redacted = self._fields(batch) if self._rules else batch
        self.values.update(self._counted)  # only now: a batch that cannot be read comes again in parts
        self.passed[signal] += records
        return redacted

    def _fields(self, part: Any) -> Any:
        """Whatever in it is text, attributes, or has such in turn: what decoding may add some day is not forgotten."""
        names = [field.name for field in fields(part) if field.init and field.name not in _IDS]
        found = {name: self._column(getattr(part, name)) for name in names}
        changed = {name: column for name, column in found.items() if column is not getattr(part, name)}
        return replace(part, **changed) if changed else part

    def _column(self, column: Any) -> Any:
        if isinstance(column, Attributes):
            return self._attributes(column)
        if isinstance(column, pa.StringArray):
            changes = self._changes(column)
            self._count(changes.kinds)
            return replaced(column, changes) if len(changes) else column
        if isinstance(column, pa.DictionaryArray):
            return self._encoded(column)
        return self._fields(column) if is_dataclass(column) else column

    def _encoded(self, column: pa.DictionaryArray) -> pa.DictionaryArray:
        if not len(self._values.changes(column.dictionary)):
            return column
        return self._column(column.cast(pa.string())).dictionary_encode()

    def _changes(self, texts: pa.StringArray) -> Changes:
        """What becomes of a column. What is the same is looked at once: most of what attributes say is."""
        encoded = texts.dictionary_encode()
        changes = self._values.changes(encoded.dictionary)
        return _spread(changes, len(encoded.dictionary), encoded.indices.fill_null(-1).to_numpy())

    def _count(self, kinds: Kinds) -> None:
        for rule, kind in RULES.items():
            self._counted[rule] += int(np.count_nonzero(kinds & kind))

    def _attributes(self, attributes: Attributes) -> Attributes:
        verdicts = self._values.verdicts(pa.array(attributes.keys, pa.string()))[attributes.codes]
        self._count(verdicts)
        if (verdicts == DROP).any():
            attributes = attributes.without(verdicts == DROP)
            verdicts = verdicts[verdicts != DROP]
        texts = _judged(attributes) if self._values.numbers else attributes.values.text
        changes = _spread(self._values.changes(texts), len(texts), attributes.which)
        changes = changes.where(verdicts[changes.places] != KEY)
        self._count(changes.kinds)
        if len(changes):
            attributes = attributes.with_texts(changes.places, changes.texts)
        if (verdicts == KEY).any():
            attributes = _without_values(attributes, np.flatnonzero(verdicts))
        return self._with_keys(attributes)

    def _with_keys(self, attributes: Attributes) -> Attributes:
        """The keys are texts, too: some have a name or an address in them."""
        keys = pa.array(attributes.keys, pa.string())
        changes = self._values.changes(keys)
        if not len(changes):
            return attributes
        self._count(np.isin(attributes.codes, changes.places).astype(np.uint8) * PATTERN)
        encoded = replaced(keys, changes).dictionary_encode()  # two of them may have become one
        codes = encoded.indices.to_numpy()[attributes.codes]
        return replace(attributes, keys=encoded.dictionary.to_pylist(), codes=codes)


def _spread(changes: Changes, size: int, which: npt.NDArray[np.integer[Any]]) -> Changes:
    """From what becomes of so many texts to what becomes of a column, given which of them each is; -1 is NULL."""
    number = np.full(size + 1, -1, dtype=np.int64)
    number[changes.places] = np.arange(len(changes))
    of_each = number[which]
    places = np.flatnonzero(of_each >= 0)
    chosen = of_each[places]
    return Changes(places, changes.texts.take(pa.array(chosen)), changes.kinds[chosen])


def _judged(attributes: Attributes) -> pa.StringArray:
    """The values' texts, and of large whole numbers that were sent as doubles all their digits, not an exponent."""
    values = attributes.values
    numbers = values.doubles.fill_null(0).to_numpy(zero_copy_only=False)
    large = (np.abs(numbers) >= _LARGE) & (np.abs(numbers) < _TOO_LARGE)
    large[large] = np.trunc(numbers[large]) == numbers[large]
    if not large.any():
        return values.text
    digits = pa.array(numbers[large].astype(np.int64)).cast(pa.string())
    return pc.replace_with_mask(values.text, pa.array(large), digits)


def _without_values(attributes: Attributes, places: Index) -> Attributes:
    return attributes.with_texts(places, pa.array([REDACTED] * len(places), pa.string()), structured=False)
