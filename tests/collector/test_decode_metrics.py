"""Data points in columns, and in the lake's table, say what they say in protobuf."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, NumberDataPoint
from taximeter_collector.decode import Metrics, decode_metrics
from taximeter_collector.decode.metrics import KINDS, Exemplars
from taximeter_collector.journal import Signal
from taximeter_collector.lake.schema import METRICS
from taximeter_collector.land.metrics import metric_rows
from taximeter_collector.normalise.catalogue import catalogue
from taximeter_collector.normalise.measures import measure_columns

from tests.collector.decoding import (
    any_shape,
    assert_attributes,
    assert_origin,
    assert_same,
    assert_sources,
    hexadecimal,
    records,
    requests,
    sent,
    sent_as_json,
    told,
)

randoms = st.randoms(use_true_random=True)
HISTOGRAMS = ("histogram", "exponential_histogram")
LARGEST = 2**63 - 1
RECEIVED = 1_763_700_000_000_000_000
Row = tuple[Any, Any, Any, str, Any]


def walked(request: Any) -> Iterator[Row]:
    """Resource, scope, metric, its kind, data point."""
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                for point in getattr(metric, kind).data_points if kind else ():
                    yield resource, scope, metric, kind, point


def number(point: Any) -> float | None:
    kind = point.WhichOneof("value")
    return None if kind is None else float(getattr(point, kind))


def integer(point: Any) -> int | None:
    return point.as_int if point.WhichOneof("value") == "as_int" else None


def optional(name: str) -> Callable[[Any], Any]:
    return lambda point: getattr(point, name) if point.HasField(name) else None


def count(number: int) -> int:
    return min(number, LARGEST)


def of_buckets(side: str, read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda point: read(getattr(point, side)) if point.HasField(side) else None


VALUES: dict[str, tuple[Sequence[str], Callable[[Any], Any]]] = {
    "value": (("gauge", "sum"), number),
    "value_int": (("gauge", "sum"), integer),
    "count": ((*HISTOGRAMS, "summary"), lambda point: count(point.count)),
    "min": (HISTOGRAMS, optional("min")),
    "max": (HISTOGRAMS, optional("max")),
    "bounds": (("histogram",), lambda point: list(point.explicit_bounds)),
    "bucket_counts": (("histogram",), lambda point: [count(one) for one in point.bucket_counts]),
    "scale": (("exponential_histogram",), lambda point: point.scale),
    "zero_count": (("exponential_histogram",), lambda point: count(point.zero_count)),
    "zero_threshold": (("exponential_histogram",), lambda point: point.zero_threshold),
    "quantiles": (
        ("summary",),
        lambda point: [{"quantile": one.quantile, "value": one.value} for one in point.quantile_values],
    ),
    **{
        f"{side}_{name}": (("exponential_histogram",), of_buckets(side, read))
        for side in ("positive", "negative")
        for name, read in (
            ("offset", lambda buckets: buckets.offset),
            ("counts", lambda buckets: [count(one) for one in buckets.bucket_counts]),
        )
    },
}


def value(name: str, kind: str, point: Any) -> Any:
    """What a data point says under the name of a column."""
    if name == "sum":
        return point.sum if kind == "summary" else optional("sum")(point) if kind in HISTOGRAMS else None
    kinds, read = VALUES[name]
    return read(point) if kind in kinds else None


def counts_of(kind: str, point: Any) -> list[int]:
    """All counts that a data point has."""
    if kind in ("gauge", "sum"):
        return []
    if kind == "histogram":
        return [point.count, *point.bucket_counts]
    if kind == "summary":
        return [point.count]
    return [point.count, point.zero_count, *point.positive.bucket_counts, *point.negative.bucket_counts]


@any_shape
@given(randoms)
def test_data_points_of_any_shape_are_in_the_columns_as_they_were_sent(random: Random) -> None:
    messages = requests(random, ExportMetricsServiceRequest)
    batch = sent(Signal.METRICS, messages)
    rows = [row for message in messages for row in walked(message)]
    metrics = decode_metrics(batch)
    told(metrics)
    assert len(metrics) == len(rows)
    assert_origin(metrics.origin, batch, [len(list(walked(message))) for message in messages])
    assert_sources(metrics.sources, [(resource, scope) for resource, scope, *_ in rows])
    assert_metrics(metrics, rows)
    assert_values(metrics, rows)
    assert_exemplars(metrics.exemplars, [exemplars(kind, point) for *_, kind, point in rows])


def assert_metrics(metrics: Metrics, rows: Sequence[Row]) -> None:
    of_metrics = [metric for _, _, metric, _, _ in rows]
    bodies = [getattr(metric, kind) for _, _, metric, kind, _ in rows]
    points = [point for *_, point in rows]
    assert_same(metrics.name, [metric.name for metric in of_metrics])
    assert_same(metrics.unit, [metric.unit or None for metric in of_metrics])
    assert_same(metrics.description, [metric.description or None for metric in of_metrics])
    assert [KINDS[number] for number in metrics.kind] == [kind for *_, kind, _ in rows]
    assert_same(metrics.temporality, [getattr(body, "aggregation_temporality", 0) for body in bodies])
    assert_same(metrics.monotonic, [getattr(body, "is_monotonic", None) for body in bodies])
    assert_same(metrics.start_unix_nano, [point.start_time_unix_nano for point in points])
    assert_same(metrics.time_unix_nano, [point.time_unix_nano for point in points])
    assert_same(metrics.flags, [point.flags for point in points])
    assert_attributes(metrics.attributes, [point.attributes for point in points])


def assert_values(metrics: Metrics, rows: Sequence[Row]) -> None:
    assert metrics.values.keys() == {*VALUES, "sum"}
    for name, column in metrics.values.items():
        assert_same(column, [value(name, kind, point) for *_, kind, point in rows])
    counts = [one for *_, kind, point in rows for one in counts_of(kind, point)]
    assert metrics.saturated == sum(one > LARGEST for one in counts)


def exemplars(kind: str, point: Any) -> list[Any]:
    return [] if kind == "summary" else list(point.exemplars)


def assert_exemplars(found: Exemplars, of_points: Sequence[Sequence[Any]]) -> None:
    flat = [exemplar for of_point in of_points for exemplar in of_point]
    assert np.diff(found.offsets).tolist() == [len(of_point) for of_point in of_points]
    assert_same(found.time_unix_nano, [exemplar.time_unix_nano for exemplar in flat])
    assert_same(found.value, [number(exemplar) for exemplar in flat])
    assert_same(found.value_int, [integer(exemplar) for exemplar in flat])
    assert_same(found.trace_id, [hexadecimal(exemplar.trace_id, 16) for exemplar in flat])
    assert_same(found.span_id, [hexadecimal(exemplar.span_id, 8) for exemplar in flat])
    assert_attributes(found.attributes, [exemplar.filtered_attributes for exemplar in flat])


@any_shape
@given(randoms)
def test_metrics_that_came_as_json_are_the_same(random: Random) -> None:
    messages = requests(random, ExportMetricsServiceRequest)
    as_json = decode_metrics(sent_as_json(Signal.METRICS, messages))
    assert told(as_json) == told(decode_metrics(sent(Signal.METRICS, messages)))


@pytest.mark.parametrize("payloads", [[], [b""], [b"", b""]])
def test_requests_without_data_points_have_no_rows(payloads: list[bytes]) -> None:
    metrics = decode_metrics(records(Signal.METRICS, payloads))
    told(metrics)
    assert len(metrics) == 0
    assert metric_rows(metrics, "journal").rows.num_rows == 0


def test_what_is_no_request_is_refused_whatever_stands_beside_it() -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode_metrics(records(Signal.METRICS, [b"", b"\x0a\xff\x01broken"]))


# Rows


def decoded(*metrics: Metric) -> Metrics:
    """One request with these metrics."""
    request = ExportMetricsServiceRequest()
    request.resource_metrics.add().scope_metrics.add().metrics.extend(metrics)
    return decode_metrics(sent(Signal.METRICS, [request]))


def gauge(name: str = "level", *points: NumberDataPoint, **attributes: str) -> Metric:
    metric = Metric(name=name)
    metric.gauge.data_points.extend(points or [NumberDataPoint(as_int=1)])
    for key, text in attributes.items():
        for point in metric.gauge.data_points:
            point.attributes.add(key=key.replace("__", ".")).value.string_value = text
    return metric


def rows_of(*metrics: Metric) -> list[dict[str, Any]]:
    return list(metric_rows(decoded(*metrics), "journal").rows.to_pylist())


@any_shape
@given(randoms)
def test_data_points_of_any_shape_are_rows_of_the_table(random: Random) -> None:
    messages = requests(random, ExportMetricsServiceRequest)
    metrics = decode_metrics(sent(Signal.METRICS, messages))
    found = metric_rows(metrics, "journal")
    rows, absurd = found.rows, found.clamped
    rows.validate(full=True)
    assert rows.cast(METRICS.schema).schema == METRICS.schema
    assert rows.num_rows == len(metrics)
    assert absurd == rows.num_rows - rows["claimed_unix_nano"].null_count
    for column in METRICS.columns:
        assert not (column.always and rows[column.name].null_count)
    for name, values in metrics.values.items():
        assert repr(rows[name].to_pylist()) == repr(values.to_pylist())


def test_data_points_are_numbered_metric_by_metric_whatever_kinds_they_are_of() -> None:
    total = Metric(name="total")
    total.sum.data_points.add().as_int = 3
    total.sum.aggregation_temporality = 1
    first = gauge("first", NumberDataPoint(as_int=1), NumberDataPoint(as_int=2))
    rows = rows_of(first, total, Metric(name="none"), gauge("last", NumberDataPoint(as_int=4)))
    assert [(row["journal_item"], row["name"], row["value_int"]) for row in rows] == [
        (0, "first", 1),
        (1, "first", 2),
        (2, "total", 3),
        (3, "last", 4),
    ]
    assert [row["type"] for row in rows] == ["gauge", "gauge", "sum", "gauge"]
    assert [row["temporality"] for row in rows] == [None, None, "delta", None]


def test_a_time_is_exact_and_one_that_nobody_told_is_when_it_was_received() -> None:
    exact = RECEIVED - 123_456_789
    rows = rows_of(gauge("m", NumberDataPoint(time_unix_nano=exact, start_time_unix_nano=exact - 1), NumberDataPoint()))
    assert [row["time_unix_nano"] for row in rows] == [exact, RECEIVED]
    assert [row["start_unix_nano"] for row in rows] == [exact - 1, None]
    assert [row["claimed_unix_nano"] for row in rows] == [None, None]


def test_an_absurd_clock_is_counted_and_what_it_said_is_kept() -> None:
    found = metric_rows(decoded(gauge("m", NumberDataPoint(time_unix_nano=2**64 - 1), NumberDataPoint())), "j")
    rows, absurd = found.rows, found.clamped
    assert absurd == 1
    assert rows["time_unix_nano"].to_pylist() == [RECEIVED, RECEIVED]
    assert [claimed and int(claimed) for claimed in rows["claimed_unix_nano"].to_pylist()] == [2**64 - 1, None]


def test_exemplars_keep_the_spans_that_they_come_from() -> None:
    metric = gauge("m", NumberDataPoint(as_int=1), NumberDataPoint(as_double=0.5))
    exemplar = metric.gauge.data_points[1].exemplars.add(time_unix_nano=5, as_int=7)
    exemplar.trace_id, exemplar.span_id = b"\x01" * 16, b"\x02" * 8
    exemplar.filtered_attributes.add(key="k").value.int_value = 9
    kept = {
        "time_unix_nano": 5,
        "value": 7.0,
        "value_int": 7,
        "trace_id": "01" * 16,
        "span_id": "02" * 8,
        "attributes": [("k", "9")],
    }
    assert [row["exemplars"] for row in rows_of(metric)] == [None, [kept]]


# What is understood


def test_a_metric_of_the_conventions_has_its_measure_part_provider_and_model() -> None:
    rows = rows_of(
        gauge(
            "gen_ai.client.token.usage",
            gen_ai__token__type="input",
            gen_ai__provider__name="openai",
            gen_ai__request__model="gpt-5",
            gen_ai__response__model="gpt-5-2025-08-07",
            gen_ai__conversation__id="c1",
            user__id="u1",
        ),
        gauge("gen_ai.client.operation.duration", gen_ai__system="anthropic", gen_ai__request__model="claude"),
        gauge("http.server.duration", gen_ai__token__type_of_no_use="x"),
        gauge("process.memory"),
    )
    names = ("dialect", "measure", "part", "provider", "model", "conversation_id", "user_id")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("conventions", "tokens", "input", "openai", "gpt-5-2025-08-07", "c1", "u1"),
        ("conventions", "duration_s", None, "anthropic", "claude", None, None),
        ("conventions", None, None, None, None, None, None),
        (None, None, None, None, None, None, None),
    ]
    assert ("gen_ai.token.type", "input") in rows[0]["attributes"]


def test_a_part_that_no_table_translates_stays_as_it_is_and_one_may_be_in_the_metrics_name() -> None:
    metrics = decoded(
        gauge("gen_ai.client.token.usage", gen_ai__token__type="thought"),
        gauge("gen_ai.client.token.usage", gen_ai__token__type=""),
        gauge("gen_ai.client.inference.usage.cache_read.input_tokens"),
    )
    number = [dialect.name for dialect in catalogue().dialects].index("conventions")
    columns = measure_columns(metrics.name, np.full(3, number, dtype=np.int16), metrics.attributes)
    assert columns["measure"].to_pylist() == ["tokens"] * 3
    assert columns["part"].to_pylist() == ["thought", None, "cache_read"]


def test_message_content_is_no_part_of_a_data_point() -> None:
    metric = gauge("gen_ai.client.token.usage", gen_ai__input__messages="secret", gen_ai__token__type="input")
    metric.gauge.data_points[0].exemplars.add().filtered_attributes.add(key="gen_ai.prompt").value.string_value = "s"
    (row,) = rows_of(metric)
    assert row["attributes"] == [("gen_ai.token.type", "input")]
    assert row["exemplars"][0]["attributes"] == []


def test_names_may_come_as_dictionaries_or_as_texts() -> None:
    metrics = decoded(gauge("gen_ai.client.token.usage", gen_ai__token__type="output"), gauge("other"))
    dialect = np.array([0, -1], dtype=np.int16)
    as_texts = measure_columns(metrics.name.cast(pa.string()), dialect, metrics.attributes)
    as_dictionary = measure_columns(metrics.name, dialect, metrics.attributes)
    for name in ("measure", "part"):
        assert as_texts[name].to_pylist() == as_dictionary[name].to_pylist()
