"""Spans as rows of the table `spans`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.decode.attributes import Attributes
from taximeter_collector.decode.spans import Events, Links, Spans
from taximeter_collector.lake.schema import EVENTS, LINKS, MAP, SPANS
from taximeter_collector.land.clock import Times
from taximeter_collector.land.rows import canonical_columns, counted, named, said, source_columns, table_of, whence
from taximeter_collector.normalise.understanding import Understood

__all__ = ["duration_ms", "span_rows"]

_KINDS: list[str | None] = [None, "internal", "server", "client", "producer", "consumer"]
_STATUSES: list[str | None] = [None, "ok", "error"]


def span_rows(
    spans: Spans, times: Times, understood: Understood, attributes: Attributes, events: Attributes, journal_id: str
) -> pa.Table:
    """`attributes` and `events` are the spans' and their events' attributes without message content."""
    columns = {
        **whence("start_time", times, spans.origin, journal_id),
        "end_unix_nano": pa.array(np.minimum(spans.end_unix_nano, 2**63 - 1).astype(np.int64)),
        "duration_ms": duration_ms(spans),
        "trace_id": spans.trace_id,
        "span_id": spans.span_id,
        "parent_span_id": spans.parent_span_id,
        "name": spans.name.dictionary_encode(),
        "kind": _by_number(spans.kind, _KINDS),
        "status": _by_number(spans.status_code, _STATUSES),
        "status_message": spans.status_message,
        **source_columns(spans.sources),
        **canonical_columns(understood),
        "attributes": attributes.maps(),
        "events": _events(spans.events, events),
        "links": _links(spans.links),
        "trace_state": spans.trace_state,
        "flags": spans.flags.cast(pa.int64()),
        **{f"dropped_{name}": counted(column) for name, column in spans.dropped.items()},
    }
    return table_of(SPANS, columns, len(spans))


def _by_number(numbers: npt.NDArray[np.int32], names: list[str | None]) -> pa.DictionaryArray:
    return named(np.where((numbers < 0) | (numbers >= len(names)), 0, numbers).astype(np.int32), names)


def duration_ms(spans: Spans) -> pa.Array:
    """How long each took; NULL if it ended before it began."""
    start, end = spans.start_unix_nano, spans.end_unix_nano
    backwards = end < start
    return pa.array(np.where(backwards, 0, end - np.minimum(start, end)) / 1e6, mask=backwards)


def _events(events: Events, attributes: Attributes) -> pa.ListArray:
    values = pa.StructArray.from_arrays(
        [
            pa.array(np.minimum(events.time_unix_nano, 2**63 - 1).astype(np.int64)),
            said(events.name),
            attributes.maps().cast(MAP),
            counted(events.dropped_attributes),
        ],
        fields=list(EVENTS.value_type),
    )
    return _lists(events.offsets, values, EVENTS)


def _links(links: Links) -> pa.ListArray:
    values = pa.StructArray.from_arrays(
        [
            links.trace_id,
            links.span_id,
            links.trace_state,
            links.attributes.maps().cast(MAP),
            counted(links.dropped_attributes),
            links.flags.cast(pa.int64()),
        ],
        fields=list(LINKS.value_type),
    )
    return _lists(links.offsets, values, LINKS)


def _lists(offsets: npt.NDArray[np.int32], values: pa.StructArray, type_: pa.DataType) -> pa.Array:
    """NULL where there are none: nearly everywhere."""
    if not len(values):
        return pa.nulls(len(offsets) - 1, type_)
    empty = np.diff(offsets) == 0
    lists = pa.ListArray.from_arrays(pa.array(offsets - offsets[0]), values)
    return pc.if_else(pa.array(empty), pa.scalar(None, type_), lists.cast(type_)) if empty.any() else lists.cast(type_)
