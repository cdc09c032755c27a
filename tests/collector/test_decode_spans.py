"""Spans in columns say what they say in protobuf, and attributes what was sent."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from taximeter_collector.decode import Spans, decode_spans
from taximeter_collector.decode.spans import Events, Links
from taximeter_collector.journal import Record, Signal

from tests.collector.decoding import (
    any_shape,
    assert_attributes,
    assert_origin,
    assert_same,
    assert_sources,
    hexadecimal,
    pairs_of,
    records,
    requests,
    sent,
    sent_as_json,
    told,
)

randoms = st.randoms(use_true_random=True)


def walked(request: Any) -> Iterator[tuple[Any, Any, Any]]:
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield resource, scope, span


def with_attributes(*owners: Sequence[KeyValue]) -> list[Record]:
    """Spans of nothing but attributes."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for attributes in owners:
        spans.add().attributes.extend(attributes)
    return sent(Signal.TRACES, [request])


def with_values(*values: AnyValue) -> Spans:
    """A span with one attribute for each."""
    return decode_spans(with_attributes(*([KeyValue(key="k", value=value)] for value in values)))


@any_shape
@given(randoms)
def test_spans_of_any_shape_are_in_the_columns_as_they_were_sent(random: Random) -> None:
    messages = requests(random, ExportTraceServiceRequest)
    batch = sent(Signal.TRACES, messages)
    rows = [row for message in messages for row in walked(message)]
    spans = decode_spans(batch)
    told(spans)
    assert len(spans) == len(rows)
    assert_origin(spans.origin, batch, [len(list(walked(message))) for message in messages])
    assert_sources(spans.sources, [(resource, scope) for resource, scope, _ in rows])
    assert_spans(spans, [span for _, _, span in rows])
    assert_events(spans.events, [list(span.events) for _, _, span in rows])
    assert_links(spans.links, [list(span.links) for _, _, span in rows])


def assert_spans(spans: Spans, sent: Sequence[Any]) -> None:
    assert_attributes(spans.attributes, [span.attributes for span in sent])
    assert_same(spans.trace_id, [hexadecimal(span.trace_id, 16) for span in sent])
    assert_same(spans.span_id, [hexadecimal(span.span_id, 8) for span in sent])
    assert_same(spans.parent_span_id, [hexadecimal(span.parent_span_id, 8) for span in sent])
    for column, name in zip(spans.raw_ids, ("trace_id", "span_id", "parent_span_id"), strict=True):
        assert_same(column, [getattr(span, name) for span in sent])
    assert_same(spans.name, [span.name for span in sent])
    assert_same(spans.kind, [span.kind for span in sent])
    assert_same(spans.start_unix_nano, [span.start_time_unix_nano for span in sent])
    assert_same(spans.end_unix_nano, [span.end_time_unix_nano for span in sent])
    assert_same(spans.status_code, [span.status.code for span in sent])
    assert_same(spans.status_message, [span.status.message or None for span in sent])
    assert_same(spans.trace_state, [span.trace_state or None for span in sent])
    assert_same(spans.flags, [span.flags for span in sent])
    for name, column in spans.dropped.items():
        assert_same(column, [getattr(span, f"dropped_{name}_count") for span in sent])


def assert_events(events: Events, of_spans: Sequence[Sequence[Any]]) -> None:
    flat = [event for of_span in of_spans for event in of_span]
    assert np.diff(events.offsets).tolist() == [len(of_span) for of_span in of_spans]
    assert_same(events.time_unix_nano, [event.time_unix_nano for event in flat])
    assert_same(events.name, [event.name or None for event in flat])
    assert_same(events.dropped_attributes, [event.dropped_attributes_count for event in flat])
    assert_attributes(events.attributes, [event.attributes for event in flat])


def assert_links(links: Links, of_spans: Sequence[Sequence[Any]]) -> None:
    flat = [link for of_span in of_spans for link in of_span]
    assert np.diff(links.offsets).tolist() == [len(of_span) for of_span in of_spans]
    assert_same(links.trace_id, [hexadecimal(link.trace_id, 16) for link in flat])
    assert_same(links.span_id, [hexadecimal(link.span_id, 8) for link in flat])
    assert_same(links.trace_state, [link.trace_state or None for link in flat])
    assert_same(links.dropped_attributes, [link.dropped_attributes_count for link in flat])
    assert_same(links.flags, [link.flags for link in flat])
    assert_attributes(links.attributes, [link.attributes for link in flat])


@any_shape
@given(randoms)
def test_spans_that_came_as_json_are_the_same(random: Random) -> None:
    messages = requests(random, ExportTraceServiceRequest)
    as_json = decode_spans(sent_as_json(Signal.TRACES, messages))
    assert told(as_json) == told(decode_spans(sent(Signal.TRACES, messages)))


@pytest.mark.parametrize("payloads", [[], [b""], [b"", b""]])
def test_requests_without_spans_have_no_rows(payloads: list[bytes]) -> None:
    spans = decode_spans(records(Signal.TRACES, payloads))
    told(spans)
    assert len(spans) == 0


def test_what_is_no_request_is_refused_whatever_stands_beside_it() -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode_spans(records(Signal.TRACES, [b"", b"\x0a\xff\x01broken"]))


# Values of attributes


values = st.recursive(
    st.just(AnyValue())
    | st.text(max_size=5).map(lambda text: AnyValue(string_value=text))
    | st.booleans().map(lambda yes: AnyValue(bool_value=yes))
    | st.integers(-(2**63), 2**63 - 1).map(lambda number: AnyValue(int_value=number))
    | st.floats().map(lambda number: AnyValue(double_value=number))
    | st.binary(max_size=5).map(lambda data: AnyValue(bytes_value=data)),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: AnyValue(array_value=ArrayValue(values=items)))
        | st.lists(st.tuples(st.text(max_size=2), inner), max_size=3).map(
            lambda pairs: AnyValue(
                kvlist_value=KeyValueList(values=[KeyValue(key=key, value=one) for key, one in pairs])
            )
        )
    ),
    max_leaves=8,
)
pairs = st.lists(
    st.builds(lambda key, value: KeyValue(key=key, value=value), st.sampled_from(["", "a", "b", "ä"]), values),
    max_size=6,
)


@any_shape
@given(st.lists(pairs, max_size=6))
def test_values_of_every_type_survive(owners: list[list[KeyValue]]) -> None:
    assert_attributes(decode_spans(with_attributes(*owners)).attributes, owners)


@any_shape
@given(st.lists(pairs, max_size=6), st.data())
def test_attributes_can_be_looked_up_taken_and_left_out(owners: list[list[KeyValue]], data: st.DataObject) -> None:
    attributes = decode_spans(with_attributes(*owners)).attributes
    said = pairs_of(attributes)
    firsts = [dict(reversed(of_owner)) for of_owner in said]
    for key in ("", "a", "b", "ä", "nobody's"):
        texts = attributes.texts(key)
        expected = [first.get(key) for first in firsts]
        assert (texts.to_pylist() if texts is not None else [None] * len(owners)) == expected
    assert [dict(found) for found in attributes.maps().to_pylist()] == firsts
    chosen = data.draw(st.lists(st.integers(0, len(owners) - 1), max_size=8)) if owners else []
    assert_attributes(attributes.take(np.array(chosen, dtype=np.int64)), [owners[number] for number in chosen])
    dropped = data.draw(st.lists(st.booleans(), min_size=len(attributes.codes), max_size=len(attributes.codes)))
    kept = iter([not drop for drop in dropped])
    left = [[pair for pair in owner if next(kept)] for owner in owners]
    assert_attributes(attributes.without(np.array(dropped, dtype=np.bool_)), left)


def test_the_map_of_attributes_has_each_key_once_in_the_order_in_which_they_were_sent() -> None:
    twice = [KeyValue(key=key, value=AnyValue(int_value=number)) for number, key in enumerate(["b", "a", "b", "", ""])]
    once = [KeyValue(key="z", value=AnyValue(string_value="only"))]
    found = decode_spans(with_attributes(twice, [], once)).attributes.maps().to_pylist()
    assert found == [[("b", "0"), ("a", "1"), ("", "3")], [], [("z", "only")]]


def test_numbers_are_written_as_json_writes_them_and_names_stand_for_what_it_cannot_write() -> None:
    spans = with_values(
        AnyValue(int_value=2**63 - 1),
        AnyValue(double_value=0.1),
        AnyValue(double_value=1e300),
        AnyValue(double_value=float("nan")),
        AnyValue(double_value=float("-inf")),
        AnyValue(bool_value=False),
        AnyValue(bytes_value=b"\x00\x01"),
        AnyValue(array_value=ArrayValue(values=[AnyValue(double_value=float("inf")), AnyValue()])),
        AnyValue(),
    )
    expected = ["9223372036854775807", "0.1", "1e+300", "NaN", "-Infinity", "false", "AAE=", '["Infinity", null]', ""]
    assert spans.attributes.text.to_pylist() == expected


# Values that are written as few write them


def varint(number: int, length: int = 0) -> bytes:
    """A number, with more bytes than it needs if `length` is more."""
    groups = max(length, -(-number.bit_length() // 7), 1)
    bits = [number >> 7 * at & 0x7F for at in range(groups)]
    return bytes([*(one | 0x80 for one in bits[:-1]), bits[-1]])


def sized(field: int, data: bytes, length: int = 0) -> bytes:
    return bytes([field << 3 | 2]) + varint(len(data), length) + data


lengths = st.sampled_from([0, 0, 2, 3, 5])
texts = st.text(max_size=3) | st.sampled_from(["x" * 127, "x" * 128, "x" * 130, "ä" * 8192])
parts = st.one_of(
    st.builds(lambda text, length: sized(1, text.encode(), length), texts, lengths),
    st.builds(lambda number, length: b"\x10" + varint(number, length), st.integers(0, 2), lengths),
    st.builds(lambda number, length: b"\x18" + varint(number, length), st.integers(0, 2**64 - 1), lengths),
    st.builds(lambda number: b"\x21" + struct.pack("<d", number), st.floats()),
    st.builds(lambda text, length: sized(5, sized(1, sized(1, text.encode())), length), texts, lengths),
    st.builds(lambda data, length: sized(7, data, length), st.binary(max_size=4), lengths),
    st.builds(lambda data: sized(15, data), st.binary(max_size=4)),  # a field that nobody knows
    st.just(b"\x8a\x00\x01a"),  # a tag in two bytes
)


@any_shape
@given(st.lists(st.lists(parts, max_size=3).map(b"".join), max_size=8))
def test_values_mean_the_same_however_they_are_encoded(encoded: list[bytes]) -> None:
    spans = b"".join(sized(2, sized(9, sized(1, b"k") + sized(2, value))) for value in encoded)
    attributes = decode_spans(records(Signal.TRACES, [sized(1, sized(2, spans))])).attributes
    meant = [AnyValue.FromString(value) for value in encoded]
    assert_attributes(attributes, [[KeyValue(key="k", value=value)] for value in meant])


pair_parts = st.one_of(
    st.builds(lambda text, length: sized(1, text.encode(), length), texts, lengths),
    st.builds(lambda value, length: sized(2, value, length), parts | st.just(b""), lengths),
    st.builds(lambda number: b"\x18" + varint(number), st.integers(0, 300)),  # a key by its number
    st.just(b"\x8a\x00\x01a"),
)


@any_shape
@given(st.lists(st.lists(pair_parts, max_size=3).map(b"".join), max_size=8), st.integers(1, 3))
def test_attributes_mean_the_same_however_they_are_encoded(encoded: list[bytes], often: int) -> None:
    """Also those that are told again and again, and are read once."""
    spans = sized(2, b"".join(sized(9, pair) for pair in encoded)) * often
    attributes = decode_spans(records(Signal.TRACES, [sized(1, sized(2, spans))])).attributes
    meant = [KeyValue.FromString(pair) for pair in encoded]
    assert_attributes(attributes, [meant] * often)


@pytest.mark.parametrize("pair", [b"\x0a\x05abc", b"\x0a\x01\xff", b"\x12\x02\x0a", b"abc"])
def test_an_attribute_that_is_none_is_refused(pair: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode_spans(records(Signal.TRACES, [sized(1, sized(2, sized(2, sized(9, pair))))]))


@pytest.mark.parametrize(
    "value", [b"\x0a", b"\x0a\x05abc", b"\x18", b"\x18\xff", b"\x21abc", b"\x0a\x01\xff", b"\x2a\x02\x0a\x05", b"\x07"]
)
def test_a_value_that_is_none_is_refused(value: bytes) -> None:
    span = sized(9, sized(1, b"k") + sized(2, value))
    with pytest.raises(ValueError, match=r".+"):
        decode_spans(records(Signal.TRACES, [sized(1, sized(2, sized(2, span)))]))


def test_a_value_may_be_nested_as_deep_as_the_receiver_lets_it() -> None:
    value = AnyValue(string_value="bottom")
    for _ in range(40):
        value = AnyValue(array_value=ArrayValue(values=[value]))
    assert with_values(value).attributes.text.to_pylist() == ["[" * 40 + '"bottom"' + "]" * 40]
