"""Traces as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]

from taximeter_collector.decode.attributes import Attributes
from taximeter_collector.decode.messages import requests
from taximeter_collector.decode.records import Origin, Sources, hexadecimal, nested, said, times
from taximeter_collector.journal import Record

__all__ = ["Events", "Links", "Spans", "decode_spans"]


@dataclass(slots=True)
class Events:
    """The events of all spans, and where those of each span begin."""

    offsets: npt.NDArray[np.int32]
    time_unix_nano: npt.NDArray[np.uint64]
    name: pa.StringArray
    attributes: Attributes
    dropped_attributes: pa.Array


@dataclass(slots=True)
class Links:
    """The links of all spans, likewise."""

    offsets: npt.NDArray[np.int32]
    trace_id: pa.StringArray
    span_id: pa.StringArray
    trace_state: pa.StringArray
    attributes: Attributes
    dropped_attributes: pa.Array
    flags: pa.Array


@dataclass(slots=True)
class Spans:
    """A batch of spans."""

    origin: Origin
    sources: Sources
    attributes: Attributes
    events: Events
    links: Links
    trace_id: pa.StringArray
    span_id: pa.StringArray
    parent_span_id: pa.StringArray
    raw_ids: tuple[pa.BinaryArray, pa.BinaryArray, pa.BinaryArray]  # the same three, as they were sent
    name: pa.StringArray
    kind: npt.NDArray[np.int32]
    start_unix_nano: npt.NDArray[np.uint64]
    end_unix_nano: npt.NDArray[np.uint64]
    status_code: npt.NDArray[np.int32]
    status_message: pa.StringArray
    trace_state: pa.StringArray
    flags: pa.Array
    dropped: dict[str, pa.Array]

    def __len__(self) -> int:
        return len(self.name)


def decode_spans(records: Sequence[Record]) -> Spans:
    """The spans of these requests. ValueError if one of them is none."""
    batch = requests("traces", [record.payload for record in records])
    span, sources, counts = nested(batch, "resource_spans", "scope_spans", "spans")
    status = span.field("status")
    return Spans(
        origin=Origin.of(records, counts),
        sources=sources,
        attributes=Attributes.of(span.field("attributes")),
        events=_events(span.field("events")),
        links=_links(span.field("links")),
        trace_id=hexadecimal(span.field("trace_id"), 16),
        span_id=hexadecimal(span.field("span_id"), 8),
        parent_span_id=hexadecimal(span.field("parent_span_id"), 8),
        raw_ids=(span.field("trace_id"), span.field("span_id"), span.field("parent_span_id")),
        name=span.field("name"),
        kind=span.field("kind").to_numpy(),
        start_unix_nano=times(span.field("start_time_unix_nano")),
        end_unix_nano=times(span.field("end_time_unix_nano")),
        status_code=status.field("code").fill_null(0).to_numpy(),
        status_message=said(status.field("message")),
        trace_state=said(span.field("trace_state")),
        flags=span.field("flags"),
        dropped={name: span.field(f"dropped_{name}_count") for name in ("attributes", "events", "links")},
    )


def _events(lists: pa.ListArray) -> Events:
    event = lists.flatten()
    return Events(
        offsets=lists.offsets.to_numpy(),
        time_unix_nano=times(event.field("time_unix_nano")),
        name=said(event.field("name")),
        attributes=Attributes.of(event.field("attributes")),
        dropped_attributes=event.field("dropped_attributes_count"),
    )


def _links(lists: pa.ListArray) -> Links:
    link = lists.flatten()
    return Links(
        offsets=lists.offsets.to_numpy(),
        trace_id=hexadecimal(link.field("trace_id"), 16),
        span_id=hexadecimal(link.field("span_id"), 8),
        trace_state=said(link.field("trace_state")),
        attributes=Attributes.of(link.field("attributes")),
        dropped_attributes=link.field("dropped_attributes_count"),
        flags=link.field("flags"),
    )
