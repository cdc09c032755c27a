"""The records of one dialect in one batch, as columns: what a dialect's own function looks at and puts right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.decode.arrays import masked
from taximeter_collector.decode.attributes import Attributes
from taximeter_collector.normalise.dialect import TEXTS

__all__ = ["Mask", "View", "encode", "plain", "translated_dictionary"]

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class View:
    """Columns of texts, counts and numbers by the names of `dialect.FIELDS`; what nobody told has none.

    `signal` is "span", "log" or "metric".
    """

    def __init__(self, signal: str, size: int, names: pa.Array, attributes: Attributes) -> None:
        self.signal = signal
        self.size = size
        self.names = names  # of the spans, events or metrics
        self.attributes = attributes
        self.columns: dict[str, pa.Array] = {}
        self.verdict: pa.Array | None = None
        self.scope_name: pa.Array = pa.nulls(size, pa.string())
        self.failed: Mask = np.zeros(size, dtype=np.bool_)
        """Where the signal's own way of saying so, a span's status for one, tells of an error."""
        self.in_span: Mask = np.zeros(size, dtype=np.bool_)
        """Where a log record was written within a span, which then tells of what happened as well."""

    def told(self, field: str) -> Mask:
        """Where something is known."""
        column = self.columns.get(field)
        return np.zeros(self.size, dtype=np.bool_) if column is None else np.asarray(column.is_valid())

    def counts(self, field: str) -> Ints:
        """A count's values, 0 where nobody told it."""
        column = self.columns.get(field)
        if column is None:
            return np.zeros(self.size, dtype=np.int64)
        return np.asarray(column.fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)

    def texts(self, field: str) -> pa.Array:
        """A text's values (plain strings), NULL where nobody told it."""
        column = self.columns.get(field)
        return pa.nulls(self.size, pa.string()) if column is None else plain(column)

    def attribute(self, key: str) -> pa.Array:
        """An attribute as text, for each record, NULL where it has none."""
        found = self.attributes.texts(key)
        return pa.nulls(self.size, pa.string()) if found is None else found

    def has(self, key: str) -> Mask:
        """Where records have an attribute."""
        found = self.attributes.first(key)
        return np.zeros(self.size, dtype=np.bool_) if found is None else found >= 0

    def named(self, *names: str) -> Mask:
        """Where the span's, event's or metric's name is one of these."""
        return np.asarray(pc.is_in(self.names, pa.array(names, pa.string())).fill_null(False))

    def where(self, field: str, *values: str) -> Mask:
        """Where a text is one of these."""
        column = self.columns.get(field)
        if column is None:
            return np.zeros(self.size, dtype=np.bool_)
        encoded = encode(column)
        meant = np.array([*(text in values for text in encoded.dictionary.to_pylist()), False])
        found: Mask = meant[encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
        return found

    def set(self, field: str, values: Any, where: Mask | None = None) -> None:
        """Put values (an array, or one for all; None is unknown) into a column, where a mask says so or everywhere."""
        if where is not None and not where.any():
            return
        before = self.texts(field) if field in TEXTS else self.columns.get(field)
        type_ = None if before is None else before.type
        new = values if isinstance(values, pa.Array) else self._array(values, type_ or self._type(values))
        if where is not None:
            rest = pa.nulls(self.size, new.type) if before is None else before
            new = pc.if_else(pa.array(where), new, rest.cast(new.type))
        self.columns[field] = new

    def never_billed(self, because: str, where: Mask) -> None:
        """Say that these records are not to be billed, whatever else there is."""
        before = pa.nulls(self.size, pa.string()) if self.verdict is None else self.verdict
        self.verdict = pc.if_else(pa.array(where), pa.scalar(because), before)

    def translate(self, field: str, read: Callable[[str], str | None], where: Mask | None = None) -> None:
        """Put other texts for the distinct texts of a column."""
        if field not in self.columns:
            return
        encoded = encode(self.columns[field])
        before = encoded.dictionary.to_pylist()
        after = [read(text) for text in before]
        if after != before:
            translated = translated_dictionary(encoded, after)
            if where is None or where.all():
                self.columns[field] = translated
            else:
                self.set(field, plain(translated), where)

    def _array(self, values: Any, type_: pa.DataType) -> pa.Array:
        if isinstance(values, np.ndarray):
            return pa.array(values).cast(type_)
        return pa.repeat(pa.scalar(values, type_), self.size)

    @staticmethod
    def _type(values: Any) -> pa.DataType:
        if isinstance(values, np.ndarray):
            return pa.from_numpy_dtype(values.dtype)
        return {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}.get(type(values), pa.string())


def plain(column: pa.Array) -> pa.Array:
    """Texts as texts."""
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def encode(column: pa.Array) -> pa.DictionaryArray:
    """Texts as numbers of texts."""
    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()


def translated_dictionary(encoded: pa.DictionaryArray, texts: list[str | None]) -> pa.DictionaryArray:
    """The same numbers for other texts, each of them there once."""
    told = [text for text in dict.fromkeys(texts) if text is not None]
    number = {text: at for at, text in enumerate(told)}
    table = np.array([*(-1 if text is None else number[text] for text in texts), -1], dtype=np.int32)
    codes = table[encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
    return pa.DictionaryArray.from_arrays(masked(codes, codes >= 0), pa.array(told, pa.string()))
