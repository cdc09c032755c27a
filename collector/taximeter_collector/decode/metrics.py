"""Metrics as columns: a row for each data point, of whatever kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.decode.attributes import Attributes
from taximeter_collector.decode.messages import requests
from taximeter_collector.decode.records import Origin, Sources, hexadecimal, nested, said, times
from taximeter_collector.journal import Record

__all__ = ["KINDS", "Exemplars", "Metrics", "decode_metrics"]

KINDS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
_NUMBERS = KINDS[:2]
_HISTOGRAMS = KINDS[2:4]
_LARGEST = pa.scalar(2**63 - 1, pa.uint64())


@dataclass(slots=True)
class Exemplars:
    """The exemplars of all data points, and where those of each point begin."""

    offsets: npt.NDArray[np.int32]
    time_unix_nano: npt.NDArray[np.uint64]
    value: pa.DoubleArray
    value_int: pa.Int64Array
    trace_id: pa.StringArray
    span_id: pa.StringArray
    attributes: Attributes


@dataclass(slots=True)
class Metrics:
    """A batch of data points: in the order of their metrics, and within one in the order in which they were sent."""

    origin: Origin
    sources: Sources
    attributes: Attributes
    exemplars: Exemplars
    name: pa.DictionaryArray  # this and the next four are those of the metric
    unit: pa.DictionaryArray
    description: pa.DictionaryArray
    temporality: npt.NDArray[np.int32]
    monotonic: pa.BooleanArray  # NULL for what is no sum
    kind: npt.NDArray[np.int8]  # which of KINDS
    start_unix_nano: npt.NDArray[np.uint64]
    time_unix_nano: npt.NDArray[np.uint64]
    flags: pa.Array
    values: dict[str, pa.Array]
    """What was measured, by the names of the lake's columns; NULL for kinds that have no such thing."""
    saturated: int
    """How many counts are more than 64 bits with a sign can hold; they are the largest number that these can."""

    def __len__(self) -> int:
        return len(self.kind)


def decode_metrics(records: Sequence[Record]) -> Metrics:
    """The data points of these requests. ValueError if one of them is none."""
    batch = requests("metrics", [record.payload for record in records])
    metric, sources, counts = nested(batch, "resource_metrics", "scope_metrics", "metrics")
    points = _Points(metric)
    of_request = np.repeat(np.arange(len(records)), counts)[points.of_metric]
    values = {name: points.column(read, kinds, type_) for name, (type_, kinds, read) in _VALUES.items()}
    return Metrics(
        origin=Origin.of(records, np.bincount(of_request, minlength=len(records))),
        sources=replace(sources, of_row=sources.of_row[points.of_metric]),
        attributes=Attributes.of(points.everywhere("attributes")),
        exemplars=_exemplars(points.everywhere("exemplars")),
        name=points.of_metrics(metric.field("name")),
        unit=points.of_metrics(said(metric.field("unit"))),
        description=points.of_metrics(said(metric.field("description"))),
        temporality=_temporality(metric, points),
        monotonic=_monotonic(metric, points),
        kind=points.kind,
        start_unix_nano=times(points.everywhere("start_time_unix_nano")),
        time_unix_nano=times(points.everywhere("time_unix_nano")),
        flags=points.everywhere("flags"),
        values={name: _signed(column) for name, column in values.items()},
        saturated=sum(_beyond(column) for column in values.values()),
    )


class _Points:
    """The data points, which a metric has in one of five lists, put in one order."""

    def __init__(self, metric: pa.StructArray) -> None:
        lists = {kind: metric.field(kind).field("data_points") for kind in KINDS}
        self._points = {kind: points.flatten() for kind, points in lists.items()}
        of_metric = np.concatenate([_owners(points) for points in lists.values()])
        kind = np.repeat(np.arange(len(KINDS), dtype=np.int8), [len(points) for points in self._points.values()])
        self._order: pa.Array | None = None
        if (np.diff(of_metric) < 0).any():
            order = np.argsort(of_metric, kind="stable")
            of_metric, kind = of_metric[order], kind[order]
            self._order = pa.array(order)
        self.of_metric = of_metric
        self.kind = kind

    def of_metrics(self, texts: pa.StringArray) -> pa.DictionaryArray:
        """For each point, a text of its metric."""
        encoded = texts.dictionary_encode()
        return pa.DictionaryArray.from_arrays(encoded.indices.take(pa.array(self.of_metric)), encoded.dictionary)

    def everywhere(self, field: str) -> pa.Array:
        """A field of the points that all kinds have, but for exemplars."""
        having = [kind for kind in KINDS if field != "exemplars" or kind != "summary"]
        type_ = self._points["gauge"].type.field(field).type
        return self.column(lambda points: points.field(field), having, type_)

    def column(self, read: Callable[[pa.StructArray], pa.Array], kinds: Sequence[str], type_: pa.DataType) -> pa.Array:
        """What is read of the points of these kinds; NULL for all others."""
        present = {kind: points for kind, points in self._points.items() if len(points)}
        if not present.keys() & set(kinds):
            return pa.nulls(len(self.kind), type_)
        parts = [read(points) if kind in kinds else pa.nulls(len(points), type_) for kind, points in present.items()]
        whole = parts[0] if len(parts) == 1 else pa.concat_arrays(parts)
        return whole if self._order is None else whole.take(self._order)


def _owners(lists: pa.ListArray) -> npt.NDArray[np.int32]:
    return np.repeat(np.arange(len(lists), dtype=np.int32), np.diff(lists.offsets.to_numpy()))


def _temporality(metric: pa.StructArray, points: _Points) -> npt.NDArray[np.int32]:
    """As OTLP numbers it; 0 for what has none."""
    found = np.zeros(len(points.kind), dtype=np.int32)
    for kind in ("sum", *_HISTOGRAMS):
        numbers = metric.field(kind).field("aggregation_temporality").fill_null(0).to_numpy()
        where = points.kind == KINDS.index(kind)
        found[where] = numbers[points.of_metric[where]]
    return found


def _monotonic(metric: pa.StructArray, points: _Points) -> pa.BooleanArray:
    rises = metric.field("sum").field("is_monotonic").fill_null(False).take(pa.array(points.of_metric))
    return pc.if_else(pa.array(points.kind == KINDS.index("sum")), rises, pa.scalar(None, pa.bool_()))


def _exemplars(lists: pa.ListArray) -> Exemplars:
    exemplar = lists.flatten()
    return Exemplars(
        offsets=lists.offsets.to_numpy(),
        time_unix_nano=times(exemplar.field("time_unix_nano")),
        value=_number(exemplar),
        value_int=exemplar.field("as_int"),
        trace_id=hexadecimal(exemplar.field("trace_id"), 16),
        span_id=hexadecimal(exemplar.field("span_id"), 8),
        attributes=Attributes.of(exemplar.field("filtered_attributes")),
    )


def _number(points: pa.StructArray) -> pa.DoubleArray:
    """The value of a number or exemplar; an integer of more than 53 bits is rounded."""
    return pc.coalesce(points.field("as_double"), points.field("as_int").cast(pa.float64(), safe=False))


def _beyond(column: pa.Array) -> int:
    """How many numbers there are that do not fit into 63 bits."""
    flat = column.flatten() if pa.types.is_list(column.type) else column
    if not pa.types.is_uint64(flat.type) or (pc.max(flat).as_py() or 0) <= _LARGEST.as_py():
        return 0
    return int(pc.sum(pc.greater(flat, _LARGEST)).as_py())


def _signed(column: pa.Array) -> pa.Array:
    """Counts as the lake has them; the largest number it has for what is more."""
    if pa.types.is_list(column.type):
        flat = _signed(column.flatten())
        return pa.ListArray.from_arrays(column.offsets, flat, mask=column.is_null() if column.null_count else None)
    if not pa.types.is_uint64(column.type):
        return column
    if _beyond(column):
        column = pc.if_else(pc.greater(column, _LARGEST), _LARGEST, column)
    return column.view(pa.int64())


def _field(*path: str) -> Callable[[pa.StructArray], pa.Array]:
    """A field, or one of the message in a field."""

    def read(points: pa.StructArray) -> pa.Array:
        outer = points.field(path[0])
        return outer if len(path) == 1 else _inside(outer, path[1])

    return read


def _inside(message: pa.StructArray, field: str) -> pa.Array:
    """A field of a message that may be missing."""
    found = message.field(field)
    return pc.if_else(message.is_valid(), found, pa.scalar(None, found.type)) if message.null_count else found


def _lists(*path: str) -> Callable[[pa.StructArray], pa.ListArray]:
    """A repeated number, likewise."""
    field = _field(*path)

    def read(points: pa.StructArray) -> pa.ListArray:
        lists = field(points)
        mask = lists.is_null() if lists.null_count else None
        offsets = lists.offsets
        return pa.ListArray.from_arrays(pc.subtract(offsets, offsets[0]), lists.flatten(), mask=mask)

    return read


def _quantiles(points: pa.StructArray) -> pa.ListArray:
    lists = points.field("quantile_values")
    quantile = lists.flatten()
    columns = [quantile.field("quantile"), quantile.field("value")]
    values = pa.StructArray.from_arrays(columns, fields=list(_QUANTILE))
    return pa.ListArray.from_arrays(pc.subtract(lists.offsets, lists.offsets[0]), values)


_QUANTILE = pa.struct([("quantile", pa.float64()), ("value", pa.float64())])
_COUNT, _DOUBLE = pa.uint64(), pa.float64()
_EXPONENTIAL = ("exponential_histogram",)
_Read = Callable[[pa.StructArray], pa.Array]
_VALUES: dict[str, tuple[pa.DataType, Sequence[str], _Read]] = {
    "value": (_DOUBLE, _NUMBERS, _number),
    "value_int": (pa.int64(), _NUMBERS, _field("as_int")),
    "count": (_COUNT, (*_HISTOGRAMS, "summary"), _field("count")),
    "sum": (_DOUBLE, (*_HISTOGRAMS, "summary"), _field("sum")),
    "min": (_DOUBLE, _HISTOGRAMS, _field("min")),
    "max": (_DOUBLE, _HISTOGRAMS, _field("max")),
    "bounds": (pa.list_(_DOUBLE), ("histogram",), _lists("explicit_bounds")),
    "bucket_counts": (pa.list_(_COUNT), ("histogram",), _lists("bucket_counts")),
    "scale": (pa.int32(), _EXPONENTIAL, _field("scale")),
    "zero_count": (_COUNT, _EXPONENTIAL, _field("zero_count")),
    "zero_threshold": (_DOUBLE, _EXPONENTIAL, _field("zero_threshold")),
    "positive_offset": (pa.int32(), _EXPONENTIAL, _field("positive", "offset")),
    "positive_counts": (pa.list_(_COUNT), _EXPONENTIAL, _lists("positive", "bucket_counts")),
    "negative_offset": (pa.int32(), _EXPONENTIAL, _field("negative", "offset")),
    "negative_counts": (pa.list_(_COUNT), _EXPONENTIAL, _lists("negative", "bucket_counts")),
    "quantiles": (pa.list_(_QUANTILE), ("summary",), _quantiles),
}
