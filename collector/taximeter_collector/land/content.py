"""What was said, as rows of the table `content`: attributes and bodies that are no meter readings."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]

from taximeter_collector.decode.attributes import Attributes, Index
from taximeter_collector.decode.views import repeated
from taximeter_collector.lake.schema import CONTENT
from taximeter_collector.land.rows import named, table_of
from taximeter_collector.normalise.catalogue import CONTENT_KINDS

__all__ = ["body_content", "content_rows"]

_COMMON = (
    "date",
    "time",
    "time_unix_nano",
    "claimed_unix_nano",
    "received_unix_nano",
    "journal_id",
    "journal_position",
    "journal_item",
    "trace_id",
    "span_id",
    "response_id",
    "conversation_id",
    "dialect",
    "service_name",
)


def content_rows(
    source: str,
    rows: pa.Table,
    attributes: Attributes,
    kinds: npt.NDArray[np.uint8],
    of_row: npt.NDArray[np.integer[Any]] | None = None,
) -> pa.Table | None:
    """A row for each attribute that is content; None if none is.

    `rows` has the columns of the records; the attributes' owners are its rows, or are mapped to them by `of_row`.
    """
    places = np.flatnonzero(kinds)
    if not len(places):
        return None
    owners = attributes.owner[places]
    keys = named(attributes.codes[places], list(attributes.keys))
    texts = _texts(attributes, places)
    of_row = owners if of_row is None else of_row[owners]
    return _rows(source, rows, of_row, kinds[places], keys, texts, _pieces(attributes, places, of_row))


def _texts(attributes: Attributes, places: Index) -> pa.Array:
    """What they say; as numbers of texts if much is said again and again, as instructions and tools are."""
    used, number = np.unique(attributes.which[places], return_inverse=True)
    if len(used) > len(places) // 2:
        return repeated(attributes.values.text, attributes.which[places])
    distinct = repeated(attributes.values.text, used).dictionary_encode()
    return pa.DictionaryArray.from_arrays(distinct.indices.take(pa.array(number)), distinct.dictionary)


def _pieces(attributes: Attributes, places: Index, of_row: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int32]:
    """Which attribute of its row each is, from 1: of all those of the row's events, if they are of events."""
    begins = attributes.offsets[attributes.owner[places]]
    changes = np.append(True, of_row[1:] != of_row[:-1])  # those of a row are side by side
    first = begins[changes][np.cumsum(changes) - 1]
    return np.asarray(places - first + 1, dtype=np.int32)


def body_content(rows: pa.Table, bodies: pa.Array, kinds: npt.NDArray[np.uint8]) -> pa.Table | None:
    """A row for each body that is content; None if none is."""
    places = np.flatnonzero((kinds > 0) & np.asarray(bodies.is_valid()))
    if not len(places):
        return None
    keys = named(np.zeros(len(places), dtype=np.int32), ["body"])
    pieces = np.zeros(len(places), dtype=np.int32)
    return _rows("log", rows, places, kinds[places], keys, bodies.take(pa.array(places)), pieces)


def _rows(
    source: str,
    rows: pa.Table,
    of_row: npt.NDArray[np.integer[Any]],
    kinds: npt.NDArray[np.uint8],
    keys: pa.Array,
    texts: pa.Array,
    pieces: npt.NDArray[np.int32],
) -> pa.Table:
    found = rows.select([name for name in _COMMON if name in rows.column_names]).take(pa.array(of_row))
    columns = {name: found[name].combine_chunks() for name in found.column_names}
    columns |= {
        "source": named(np.zeros(len(of_row), dtype=np.int32), [source]),
        "kind": named(kinds.astype(np.int32), list(CONTENT_KINDS)),
        "key": keys,
        "value": texts,
        "piece": pa.array(pieces),
    }
    return table_of(CONTENT, columns, len(of_row))
