"""A dialect's table, read: attributes to columns of texts, counts and numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.decode.attributes import Attributes
from taximeter_collector.normalise.dialect import COUNTS, NUMBERS, TEXTS, At, Each, Key, Scaled

__all__ = ["read_fields"]

_WHOLE = r"^[+-]?[0-9]{1,18}$"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_NO_TEXT = pa.scalar(None, pa.string())


def read_fields(sources: dict[str, tuple[Key, ...]], attributes: Attributes) -> dict[str, pa.Array]:
    """The columns of which anything is told."""
    columns = {}
    for name, keys in sources.items():
        told = [key for key in keys if _key(key) in attributes.places]
        if told and (column := _READERS[name](told, attributes)) is not None:
            columns[name] = column
    return columns


def _key(key: Key) -> str:
    return key if isinstance(key, str) else key.key


def _texts(keys: Sequence[Key], attributes: Attributes) -> pa.Array | None:
    return _coalesced(_text(key, attributes) for key in keys)


def _repeating(keys: Sequence[Key], attributes: Attributes) -> pa.Array | None:
    """Texts of which there are few. Hashed once here, they are numbers for all who come after, down to the file."""
    texts = _texts(keys, attributes)
    return None if texts is None else texts.dictionary_encode()


def _text(key: Key, attributes: Attributes) -> pa.Array:
    texts = attributes.texts(_key(key))
    if isinstance(key, At):
        texts = _distinct(texts, lambda text: _at(text, key.path))
    elif isinstance(key, Each):
        texts = _distinct(texts, key.read)
    return _said(texts)


def _said(texts: pa.Array) -> pa.Array:
    empty = pc.equal(texts, "")
    return pc.if_else(empty, _NO_TEXT, texts) if pc.any(empty).as_py() else texts


def _distinct(texts: pa.Array, read: Callable[[str], str | None]) -> pa.Array:
    encoded = texts.dictionary_encode()
    return pa.array([read(text) for text in encoded.dictionary.to_pylist()], pa.string()).take(encoded.indices)


def _at(text: str, path: str) -> str | None:
    """What stands at a path in JSON, as text."""
    try:
        found: Any = json.loads(text)
        for step in path.split("."):
            found = found[int(step)] if isinstance(found, list) else found[step]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return found if isinstance(found, str) else None if found is None else json.dumps(found)


def _counts(keys: Sequence[Key], attributes: Attributes) -> pa.Array | None:
    return _coalesced(_count(key, attributes) for key in keys)


def _count(key: Key, attributes: Attributes) -> pa.Array:
    if isinstance(key, Scaled):
        return _rounded(_number(key, attributes))
    if not isinstance(key, str):
        texts = _text(key, attributes)
        return _whole(texts, _parsed(texts, _NUMBER, pa.float64()))
    wanted, values = attributes.numbers(key), attributes.values
    assert wanted is not None
    exact = values.ints.take(wanted)
    if exact.null_count == wanted.null_count:
        return exact
    return pc.coalesce(exact, _whole(values.text.take(wanted), values.doubles.take(wanted)))


def _whole(texts: pa.Array, doubles: pa.Array) -> pa.Array:
    """Whole numbers that were sent as text, or as doubles without a fraction."""
    return pc.coalesce(_parsed(texts, _WHOLE, pa.int64()), _rounded(pc.if_else(_is_whole(doubles), doubles, None)))


def _is_whole(doubles: pa.Array) -> pa.Array:
    return pc.and_(pc.equal(pc.trunc(doubles), doubles), pc.less(pc.abs(doubles), 2.0**53))


def _rounded(doubles: pa.Array) -> pa.Array:
    within = pc.and_(pc.is_finite(doubles), pc.less(pc.abs(doubles), 2.0**53))
    return pc.round(pc.if_else(within, doubles, pa.scalar(None, pa.float64()))).cast(pa.int64())


def _parsed(texts: pa.Array, pattern: str, type_: pa.DataType) -> pa.Array:
    """Texts as numbers, NULL for what is none."""
    fits = pc.match_substring_regex(texts, pattern)
    return pc.if_else(fits, texts, _NO_TEXT).cast(type_)


def _numbers(keys: Sequence[Key], attributes: Attributes) -> pa.Array | None:
    return _coalesced(_number(key, attributes) for key in keys)


def _number(key: Key, attributes: Attributes) -> pa.Array:
    if isinstance(key, At | Each):
        return _parsed(_text(key, attributes), _NUMBER, pa.float64())
    wanted, values = attributes.numbers(_key(key)), attributes.values
    assert wanted is not None
    numbers = pc.coalesce(values.doubles.take(wanted), values.ints.take(wanted).cast(pa.float64(), safe=False))
    if numbers.null_count > wanted.null_count:
        numbers = pc.coalesce(numbers, _parsed(values.text.take(wanted), _NUMBER, pa.float64()))
    return pc.multiply(numbers, float(key.times)) if isinstance(key, Scaled) else numbers


def _flags(keys: Sequence[Key], attributes: Attributes) -> pa.Array | None:
    texts = _texts(keys, attributes)
    if texts is None:
        return None
    yes = pc.is_in(texts, pa.array(["true", "True", "1"]))
    return pc.if_else(pc.or_(yes, pc.is_in(texts, pa.array(["false", "False", "0"]))), yes, pa.scalar(None, pa.bool_()))


def _money(keys: Sequence[Key], attributes: Attributes) -> pa.Array | None:
    """Exactly what was written, where it was written as text; the shortest decimal of a double."""
    texts = _texts(keys, attributes)
    if texts is None:
        return None
    return _distinct(texts, _dollars)


def _dollars(text: str) -> str | None:
    from decimal import Decimal, InvalidOperation

    try:
        amount = Decimal(text)
        if not amount.is_finite() or abs(amount) >= 1_000_000:
            return None
        return format(amount.quantize(Decimal("1e-12")), "f")
    except InvalidOperation:
        return None


def _coalesced(columns: Iterable[pa.Array]) -> pa.Array | None:
    found: pa.Array | None = None
    for column in columns:
        found = column if found is None else pc.coalesce(found, column)
        if not found.null_count:
            break
    return found


_Reader = Callable[[Sequence[Key], Attributes], "pa.Array | None"]
_READERS: dict[str, _Reader] = {
    **dict.fromkeys(TEXTS, _repeating),
    "response_id": _texts,
    **dict.fromkeys(COUNTS, _counts),
    **dict.fromkeys(NUMBERS, _numbers),
    "reported_cost_usd": _money,
    "stream": _flags,
    "failed": _flags,
}
