"""What the columns of all signals have in common: where a row comes from, its resource and scope, its times and ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.decode.arrays import masked
from taximeter_collector.decode.attributes import Attributes, Index
from taximeter_collector.journal import Record

__all__ = ["Origin", "Sources", "by_number", "hexadecimal", "nested", "raw", "said", "times"]

MOST_REPEATED = 4_000_000
"""Entries of resources that are repeated in the rows of a batch: a hundred times as many as usual, some 60 MB."""

_HEX = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), dtype="<u2")


@dataclass(slots=True)
class Origin:
    """For each row, which request of the journal it came in, and which of its records it is."""

    position: npt.NDArray[np.int64]
    item: npt.NDArray[np.int32]
    received_unix_nano: npt.NDArray[np.int64]

    @classmethod
    def of(cls, records: Sequence[Record], counts: Index) -> Origin:
        """Given how many rows each record has."""
        begins = np.cumsum(counts) - counts
        return cls(
            np.repeat(np.array([record.position for record in records], dtype=np.int64), counts),
            (np.arange(int(counts.sum())) - np.repeat(begins, counts)).astype(np.int32),
            np.repeat(np.array([record.received_unix_nano for record in records], dtype=np.int64), counts),
        )


@dataclass(slots=True)
class Sources:
    """The resources and scopes of a batch, and for each row, whose it is."""

    resource: Attributes
    scope: Attributes
    of_scope: npt.NDArray[np.int32]  # the resource of each scope
    of_row: npt.NDArray[np.int32]  # the scope of each row
    scope_name: pa.StringArray
    scope_version: pa.StringArray
    schema_url: pa.StringArray  # of each scope
    left_out: int = 0  # attributes of resources that no row has, see `resource_maps`

    @property
    def resource_of_row(self) -> npt.NDArray[np.int32]:
        """The resource of each row."""
        return self.of_scope[self.of_row]

    def resource_maps(self) -> pa.MapArray:
        """For each row, the attributes of its resource.

        They are repeated for each row: of a resource with thousands in a request with as many rows, each has the first.
        """
        rows = self.resource_of_row
        lengths = np.diff(self.resource.offsets)
        resource = self.resource
        if int(lengths[rows].sum()) > MOST_REPEATED:
            most = max(MOST_REPEATED // max(len(rows), 1), 1)
            place = np.arange(len(resource.codes)) - resource.offsets[:-1][resource.owner]
            self.left_out = int((place >= most).sum())
            resource = resource.without(place >= most)
        return resource.maps(repeating=True).take(pa.array(rows))

    def from_resource(self, *keys: str) -> pa.DictionaryArray:
        """For each row, a text of its resource: the first of these keys that it has."""
        found = pa.nulls(self.resource.owners, pa.string())
        for key in keys:
            texts = self.resource.texts(key)
            if texts is not None:
                found = pc.coalesce(found, pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts))
        return by_number(self.resource_of_row, found)

    def from_scope(self, column: pa.StringArray) -> pa.DictionaryArray:
        """For each row, a text of its scope."""
        return by_number(self.of_row, said(column))


def nested(batch: pa.RecordBatch, of_resource: str, of_scope: str, of_row: str) -> tuple[pa.Array, Sources, Index]:
    """The rows inside a batch of requests, their sources, and how many each request has."""
    requests = batch.column(of_resource)
    resources = requests.flatten()
    lists = resources.field(of_scope)
    scopes = lists.flatten()
    rows = scopes.field(of_row)
    own_url = scopes.field("schema_url")
    resource_of_scope = _parents(lists)
    sources = Sources(
        resource=Attributes.of(resources.field("resource").field("attributes")),
        scope=Attributes.of(scopes.field("scope").field("attributes")),
        of_scope=resource_of_scope,
        of_row=_parents(rows),
        scope_name=scopes.field("scope").field("name"),
        scope_version=scopes.field("scope").field("version"),
        schema_url=pc.coalesce(said(own_url), resources.field("schema_url").take(pa.array(resource_of_scope))),
    )
    of_request = _parents(requests)
    counts = np.bincount(of_request[sources.resource_of_row], minlength=batch.num_rows)
    return rows.flatten(), sources, counts


def _parents(lists: pa.ListArray) -> npt.NDArray[np.int32]:
    return np.repeat(np.arange(len(lists), dtype=np.int32), np.diff(lists.offsets.to_numpy()))


def by_number(numbers: npt.NDArray[np.integer[Any]], texts: pa.StringArray) -> pa.DictionaryArray:
    """Texts by their number; NULL where that one is NULL, which Arrow wants said of the number."""
    if not texts.null_count:
        return pa.DictionaryArray.from_arrays(pa.array(numbers), texts)
    absent = np.asarray(texts.is_null())
    return pa.DictionaryArray.from_arrays(masked(numbers, ~absent[numbers]), texts.fill_null(""))


def said(texts: pa.StringArray) -> pa.StringArray:
    """An empty text is none: protobuf does not tell the two apart."""
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def raw(ids: pa.BinaryArray, size: int) -> npt.NDArray[np.uint8]:
    """Ids as a matrix of bytes, an id a row; zeros for what has not this many."""
    lengths = np.diff(np.frombuffer(ids.buffers()[1], dtype=np.int32)[ids.offset : ids.offset + len(ids) + 1])
    return _bytes_of(ids, lengths == size, size).reshape(-1, size)


def hexadecimal(ids: pa.BinaryArray, size: int) -> pa.StringArray:
    """Ids as lower-case hexadecimal digits; NULL for what has not this many bytes, or only zeros."""
    data = raw(ids, size)
    absent = ~data.any(axis=1)
    data = data.reshape(-1)
    digits = _HEX[data].tobytes()
    offsets = np.arange(0, (len(ids) + 1) * size * 2, size * 2, dtype=np.int32)
    validity = None
    if absent.any():
        validity = pa.py_buffer(np.packbits(~absent, bitorder="little").tobytes())
    return pa.Array.from_buffers(pa.string(), len(ids), [validity, pa.py_buffer(offsets), pa.py_buffer(digits)])


def _bytes_of(ids: pa.BinaryArray, whole: npt.NDArray[np.bool_], size: int) -> npt.NDArray[np.uint8]:
    """All ids one behind the other, with zeros for what is no id."""
    if whole.all():
        begin = np.frombuffer(ids.buffers()[1], dtype=np.int32)[ids.offset] if len(ids) else 0
        buffer = ids.buffers()[2]
        return np.frombuffer(buffer or b"", dtype=np.uint8)[begin : begin + len(ids) * size]
    kept = ids.filter(pa.array(whole))
    data = np.zeros((len(ids), size), dtype=np.uint8)
    data[whole] = _bytes_of(kept, np.ones(len(kept), dtype=np.bool_), size).reshape(-1, size)
    return data.reshape(-1)


def times(column: pa.UInt64Array) -> npt.NDArray[np.uint64]:
    """Nanoseconds since 1970, 0 where nobody said."""
    return np.asarray(column.to_numpy())
