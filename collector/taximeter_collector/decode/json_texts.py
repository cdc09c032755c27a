"""Values as they are shown: text as it is, everything else as JSON, as OTLP's own JSON has it."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValueList

__all__ = ["json_of", "texts_of_doubles"]


def json_of(value: AnyValue) -> str:
    """One value.

    >>> json_of(AnyValue(bool_value=True)), json_of(AnyValue(string_value="true")), json_of(AnyValue())
    ('true', 'true', '')
    """
    plain = _plain(value)
    if plain is None:
        return ""
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _object(value.kvlist_value)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    found = getattr(value, kind)
    return _odd(found) if isinstance(found, float) and not math.isfinite(found) else found


def _object(pairs: KeyValueList) -> dict[str, Any]:
    """Of a key that was sent twice, the value that was sent first, as of attributes."""
    found: dict[str, Any] = {}
    for pair in pairs.values:
        if pair.key not in found:
            found[pair.key] = _plain(pair.value)
    return found


def texts_of_doubles(column: pa.DoubleArray) -> pa.StringArray:
    """Many doubles; NaN, Infinity and -Infinity are not written as JSON would have them, which has nothing for them."""
    texts = column.cast(pa.string())
    numbers = column.to_numpy(zero_copy_only=False)
    if np.isfinite(numbers).all():
        return texts
    odd = pa.array([_odd(number) if not math.isfinite(number) else None for number in numbers.tolist()], pa.string())
    return pc.coalesce(odd, texts)


def _odd(number: float) -> str:
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
