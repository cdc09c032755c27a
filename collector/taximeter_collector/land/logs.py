"""Log records as rows of the table `logs`."""

from __future__ import annotations

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.decode.attributes import Attributes
from taximeter_collector.decode.logs import Logs
from taximeter_collector.lake.schema import LOGS
from taximeter_collector.land.clock import Times, settle
from taximeter_collector.land.rows import canonical_columns, counted, source_columns, table_of, whence
from taximeter_collector.normalise.understanding import Understood

__all__ = ["event_names", "log_rows", "log_times"]


def event_names(logs: Logs) -> pa.Array:
    """The event's name. As an attribute it goes before the record's own, where some have a place in their code."""
    names = logs.event_name
    for key, first in (("event.name", True), ("event_name", False)):
        told = logs.attributes.texts(key)
        if told is not None:
            names = pc.coalesce(told, names) if first else pc.coalesce(names, told)
    return names


def log_times(logs: Logs) -> Times:
    """When it happened, or when it was observed, or when it was received."""
    received = logs.origin.received_unix_nano
    observed = settle(logs.observed_unix_nano, received).unix_nano
    return settle(logs.time_unix_nano, received, untold=observed)


def log_rows(
    logs: Logs,
    names: pa.Array,
    times: Times,
    understood: Understood,
    attributes: Attributes,
    body: pa.Array,
    journal_id: str,
) -> pa.Table:
    """`names` are the events'; `attributes` and `body` are without message content."""
    severity = logs.severity_number
    observed = np.minimum(logs.observed_unix_nano, 2**63 - 1).astype(np.int64)
    columns = {
        **whence("time", times, logs.origin, journal_id),
        "observed_unix_nano": pa.array(observed, mask=observed == 0),
        "trace_id": logs.trace_id,
        "span_id": logs.span_id,
        "event_name": names,
        "severity_number": pa.array(severity, mask=severity == 0),
        "severity_text": logs.severity_text,
        "body": body,
        **source_columns(logs.sources),
        **canonical_columns(understood),
        "attributes": attributes.maps(),
        "flags": logs.flags.cast(pa.int64()),
        "dropped_attributes": counted(logs.dropped_attributes),
    }
    return table_of(LOGS, columns, len(logs))
