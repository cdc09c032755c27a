"""Data points as rows of the table `metrics`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.decode.attributes import Attributes
from taximeter_collector.decode.metrics import KINDS, Exemplars, Metrics
from taximeter_collector.lake.schema import EXEMPLARS, MAP, METRICS
from taximeter_collector.land.clock import settle
from taximeter_collector.land.rows import named, source_columns, table_of, whence
from taximeter_collector.normalise.measures import measure_columns
from taximeter_collector.normalise.understanding import Understood, understand

__all__ = ["MetricRows", "metric_rows"]

_TEMPORALITIES: list[str | None] = [None, "delta", "cumulative"]


@dataclass(frozen=True, slots=True)
class MetricRows:
    """Rows; how many of them had an absurd clock; how many attributes are message content, and left out."""

    rows: pa.Table
    clamped: int
    content_left_out: int


def metric_rows(metrics: Metrics, journal_id: str) -> MetricRows:
    """One for each data point."""
    times = settle(metrics.time_unix_nano, metrics.origin.received_unix_nano)
    none_failed = np.zeros(len(metrics), dtype=np.bool_)
    understood = understand("metric", metrics.name, metrics.attributes, metrics.sources, none_failed)
    columns = {
        **whence("time", times, metrics.origin, journal_id),
        "start_unix_nano": _nanoseconds(metrics.start_unix_nano),
        "name": metrics.name,
        "type": named(metrics.kind.astype(np.int32), list(KINDS)),
        "unit": metrics.unit,
        "description": metrics.description,
        "temporality": _temporality(metrics.temporality),
        "monotonic": metrics.monotonic,
        **metrics.values,
        "exemplars": _exemplars(metrics.exemplars, understood),
        "flags": metrics.flags,
        **source_columns(metrics.sources),
        **_canonical_columns(metrics, understood),
        "attributes": _without_content(metrics.attributes, understood, understood.dialect).maps(),
    }
    left_out = int((understood.content_of(metrics.attributes) > 0).sum())
    return MetricRows(table_of(METRICS, columns, len(metrics)), int(times.absurd.sum()), left_out)


def _nanoseconds(told: npt.NDArray[np.uint64]) -> pa.Array:
    """NULL where nobody said."""
    return pa.array(np.minimum(told, np.uint64(2**63 - 1)).astype(np.int64), mask=told == 0)


def _temporality(numbers: npt.NDArray[np.int32]) -> pa.DictionaryArray:
    known = (numbers > 0) & (numbers < len(_TEMPORALITIES))
    return named(np.where(known, numbers, 0).astype(np.int32), _TEMPORALITIES)


def _canonical_columns(metrics: Metrics, understood: Understood) -> dict[str, pa.Array]:
    """What is understood of a metric; the model is the one that answered, or else the one that was asked for."""
    return {
        "dialect": understood.dialect_name,
        **measure_columns(metrics.name, understood.dialect, metrics.attributes),
        "model": pc.coalesce(understood.column("response_model"), understood.column("request_model")),
        **{name: understood.column(name) for name in ("provider", "conversation_id", "user_id")},
    }


def _without_content(attributes: Attributes, understood: Understood, dialect: npt.NDArray[np.int16]) -> Attributes:
    kinds = understood.content_of(attributes, dialect)
    return attributes.without(kinds > 0) if kinds.any() else attributes


def _exemplars(exemplars: Exemplars, understood: Understood) -> pa.Array:
    """NULL where there are none."""
    counts = np.diff(exemplars.offsets)
    if not counts.any():
        return pa.nulls(len(counts), EXEMPLARS)
    dialect = np.repeat(understood.dialect, counts)
    columns = [
        _nanoseconds(exemplars.time_unix_nano),
        exemplars.value,
        exemplars.value_int,
        exemplars.trace_id,
        exemplars.span_id,
        _without_content(exemplars.attributes, understood, dialect).maps().cast(MAP),
    ]
    values = pa.StructArray.from_arrays(columns, fields=list(EXEMPLARS.value_type))
    offsets = pa.array(exemplars.offsets - exemplars.offsets[0])
    return pa.ListArray.from_arrays(offsets, values, mask=pa.array(counts == 0)).cast(EXEMPLARS)
