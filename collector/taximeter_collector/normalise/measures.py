"""What metrics measure, in the vocabulary of all dialects."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.decode.attributes import Attributes
from taximeter_collector.normalise.catalogue import Patterns, catalogue
from taximeter_collector.normalise.dialect import Dialect, Measure

__all__ = ["measure_columns"]

_NONE = -1
_NO_TEXT = pa.scalar(None, pa.string())


def measure_columns(names: pa.Array, dialect: npt.NDArray[np.int16], attributes: Attributes) -> dict[str, pa.Array]:
    """The columns `measure` and `part`, by the metrics' names and the dialects' numbers; NULL for what no table has.

    A value of the attribute that tells the part stays as it is where a table does not translate it.
    """
    measures, chosen = _measures(names.dictionary_encode(), dialect)
    if not measures:
        return {"measure": pa.nulls(len(dialect), pa.string()), "part": pa.nulls(len(dialect), pa.string())}
    numbers = pa.array(chosen, mask=chosen == _NONE)
    part = pa.array([one.part or None for one in measures], pa.string()).take(numbers)
    for number, measure in enumerate(measures):
        if measure.by and (told := attributes.texts(measure.by)) is not None:
            part = pc.coalesce(pc.if_else(pa.array(chosen == number), _translated(measure, told), _NO_TEXT), part)
    # Of those that measure nothing of their own the place is NULL: Parquet's writer takes no NULL in a dictionary.
    places = pa.array([place if one.measure else None for place, one in enumerate(measures)], pa.int32()).take(numbers)
    named = pa.DictionaryArray.from_arrays(places, pa.array([one.measure for one in measures], pa.string()))
    return {"measure": named, "part": part}


def _measures(names: pa.DictionaryArray, dialect: npt.NDArray[np.int16]) -> tuple[list[Measure], npt.NDArray[np.int32]]:
    """The measures that occur, and which of them each row has. Each name is looked up once for each dialect."""
    known = names.dictionary.to_pylist()
    codes = names.indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    pairs, of_row = np.unique(dialect.astype(np.int64) * max(len(known), 1) + codes, return_inverse=True)
    found: list[Measure] = []
    numbers = np.full(len(pairs), _NONE, dtype=np.int32)
    for place, pair in enumerate(pairs.tolist()):
        number, code = divmod(pair, max(len(known), 1))
        measure = _tables()[number].best(known[code] or "") if number != _NONE else None
        if isinstance(measure, Measure):
            numbers[place] = len(found)
            found.append(measure)
    return found, numbers[of_row]


@cache
def _tables() -> list[Patterns]:
    return [_table(dialect, catalogue().conventions) for dialect in catalogue().dialects]


def _table(dialect: Dialect, conventions: Dialect) -> Patterns:
    """A dialect's own, and behind them those of the conventions."""
    rest = conventions.measures if dialect.knows_conventions and dialect is not conventions else {}
    return Patterns([*dialect.measures.items(), *rest.items()])


def _translated(measure: Measure, told: pa.StringArray) -> pa.Array:
    encoded = told.dictionary_encode()
    parts = [measure.parts.get(text or "", text) or None for text in encoded.dictionary.to_pylist()]
    return pa.array(parts, pa.string()).take(encoded.indices)
