"""Logs as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]

from taximeter_collector.decode.attributes import Attributes
from taximeter_collector.decode.messages import requests
from taximeter_collector.decode.records import Origin, Sources, hexadecimal, nested, said, times
from taximeter_collector.decode.values import read_values
from taximeter_collector.journal import Record

__all__ = ["Logs", "decode_logs"]


@dataclass(slots=True)
class Logs:
    """A batch of log records."""

    origin: Origin
    sources: Sources
    attributes: Attributes
    trace_id: pa.StringArray
    span_id: pa.StringArray
    time_unix_nano: npt.NDArray[np.uint64]
    observed_unix_nano: npt.NDArray[np.uint64]
    event_name: pa.StringArray
    severity_number: npt.NDArray[np.int32]
    severity_text: pa.StringArray
    body: pa.StringArray
    flags: pa.Array
    dropped_attributes: pa.Array

    def __len__(self) -> int:
        return len(self.body)


def decode_logs(records: Sequence[Record]) -> Logs:
    """The log records of these requests. ValueError if one of them is none."""
    batch = requests("logs", [record.payload for record in records])
    log, sources, counts = nested(batch, "resource_logs", "scope_logs", "log_records")
    return Logs(
        origin=Origin.of(records, counts),
        sources=sources,
        attributes=Attributes.of(log.field("attributes")),
        trace_id=hexadecimal(log.field("trace_id"), 16),
        span_id=hexadecimal(log.field("span_id"), 8),
        time_unix_nano=times(log.field("time_unix_nano")),
        observed_unix_nano=times(log.field("observed_time_unix_nano")),
        event_name=said(log.field("event_name")),
        severity_number=log.field("severity_number").to_numpy(),
        severity_text=said(log.field("severity_text")),
        body=said(read_values(log.field("body")).text),
        flags=log.field("flags"),
        dropped_attributes=log.field("dropped_attributes_count"),
    )
