"""Requests are walked, written again and cut up as bytes: nothing is lost, and nothing else is changed."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from taximeter_collector.forward.treatment import Outgoing, Treatment, TreatmentConfig
from taximeter_collector.forward.treatment.attributes import Doubles, Ints, Texts, encoded
from taximeter_collector.forward.treatment.packing import in_parts, item_field, whole
from taximeter_collector.forward.treatment.truncating import cut
from taximeter_collector.forward.treatment.wire import Malformed, fields_of, read_request, sized, varint
from taximeter_collector.journal import Record, Signal
from taximeter_collector.price import Book
from taximeter_collector.redact import RedactConfig

from tests.collector.decoding import requests
from tests.collector.landing import BOOK, record
from tests.collector.test_redact import SIGNALS

signals = pytest.mark.parametrize("signal", SIGNALS)
randoms = st.randoms(use_true_random=True)
some_shapes = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
UNKNOWN = bytes.fromhex("ca3e03616263d03e07")  # field 1001 with a text, field 1002 with a number


def treatment(**given: Any) -> Treatment:
    redact = RedactConfig(**given.pop("redact", {}))
    book: Book = BOOK
    return Treatment(TreatmentConfig(**given), redact, lambda: book)


def odd(random: Random, message: Message, *, longer: float = 0.2) -> bytes:
    """A request as bytes, with fields that nobody knows, in any order, and some lengths longer than they need to be."""
    _add_unknown(random, message)
    return _shuffled(random, message.SerializeToString(), 3, longer)


def _add_unknown(random: Random, message: Any) -> None:
    if random.random() < 0.3:
        message.MergeFromString(UNKNOWN)
    for field, value in message.ListFields():
        if field.message_type:
            for inner in value if field.is_repeated else [value]:
                _add_unknown(random, inner)


def _shuffled(random: Random, data: bytes, depth: int, longer: float) -> bytes:
    """The fields of requests, resources and scopes in another order; those of one number keep theirs."""
    fields = list(fields_of(data))
    places = {tag: [field for field in fields if field[0] == tag] for tag, *_ in fields}
    order = [tag for tag, *_ in fields]
    random.shuffle(order)
    pieces = []
    for tag in order:
        _, begin, inner, end = places[tag].pop(0)
        if depth and tag & 7 == 2 and tag in (0x0A, 0x12) and _is_part(depth, tag):
            content = _shuffled(random, data[inner:end], depth - 1, longer) if depth > 1 else data[inner:end]
            pieces.append(varint(tag) + _long(random, len(content), longer) + content)
        else:
            pieces.append(data[begin:end])
    return b"".join(pieces)


def _is_part(depth: int, tag: int) -> bool:
    return tag == (0x0A if depth == 3 else 0x12)


def _long(random: Random, size: int, longer: float) -> bytes:
    """A length, at times with a byte more than it needs."""
    written = varint(size)
    return written if random.random() >= longer else written[:-1] + bytes((written[-1] | 0x80, 0))


@signals
@some_shapes
@given(randoms)
def test_a_request_is_written_again_as_it_was(signal: str, random: Random) -> None:
    """Unknown fields, and any order; lengths that were longer than they need to be mean the same afterwards."""
    kind = SIGNALS[signal][1]
    for message in requests(random, kind):
        for longer in (0.0, 0.5):
            payload = odd(random, message, longer=longer)
            request = read_request(payload)
            items = [payload[begin:end] for begin, end in zip(request.begins, request.ends, strict=True)]
            for again in [whole(request, None), *([whole(request, items)] if items else [])]:
                assert again == payload if not longer else kind.FromString(again or b"") == kind.FromString(payload)


@signals
@some_shapes
@given(randoms)
def test_cutting_up_loses_nothing_and_nothing_is_over_the_limit(signal: str, random: Random) -> None:
    """Each item is there once, as it was, in its resource and scope; and each part is a request."""
    kind = SIGNALS[signal][1]
    for message in requests(random, kind):
        payload = odd(random, message)
        most_bytes = random.choice([700, 3000, 20_000])
        too_large: Counter[Any] = Counter()

        def fit(placed: Any, room: int, too_large: Counter[Any] = too_large) -> list[bytes]:
            resource, scope, _, item = placed
            too_large[resource.shared, scope.shared, item] += 1
            return []

        found: Counter[Any] = Counter()
        for part, numbers in in_parts(read_request(payload), None, most_bytes, fit):
            kind.FromString(part)
            assert len(part) <= most_bytes
            inner = _items(part)
            assert sum(inner.values()) == len(numbers)
            found += inner
        assert found + too_large == _items(payload)


def _items(payload: bytes) -> Counter[Any]:
    request = read_request(payload)
    return Counter(
        (resource.shared, scope.shared, payload[request.begins[number] : request.ends[number]])
        for resource in request.resources
        for scope in resource.scopes
        for first, behind in scope.runs
        for number in range(first, behind)
    )


@signals
@some_shapes
@given(randoms)
def test_any_bytes_are_taken_or_set_aside_and_never_raise(signal: str, random: Random) -> None:
    """Damaged requests among good ones: the good ones go."""
    good = [message.SerializeToString() for message in requests(random, SIGNALS[signal][1]) or []]
    damaged = [_damaged(random, payload) for payload in [*good, b"", random.randbytes(50)]]
    for given_settings in ({}, {"enrich": False}, {"genai_only": True, "redact": {"patterns": ("email",)}}):
        own = treatment(**given_settings)
        sent = own.take(_records(signal, [*damaged, *good]), 0.0)
        for one in sent:
            if given_settings.get("genai_only") or (not given_settings and signal != "metrics"):  # it was read
                SIGNALS[signal][1].FromString(one.payload)
        assert all(aside.reason for aside in own.drain_set_aside())
        assert not own.drain_set_aside()


def _records(signal: str, payloads: list[bytes]) -> list[Record]:
    return [Record(number, 1, Signal[signal.upper()], 1, "", payload) for number, payload in enumerate(payloads)]


def _damaged(random: Random, payload: bytes) -> bytes:
    data = bytearray(payload or b"\x0a")
    for _ in range(random.randrange(1, 4)):
        data[random.randrange(len(data))] = random.randrange(256)
    return bytes(data[: random.randrange(len(data) + 1)])


def test_what_is_no_protobuf_is_malformed() -> None:
    for payload in (
        b"\x0a",
        b"\x0a\x05\x12",
        b"\x0a\x02\x12\x05",
        b"\xff" * 12,
        b"\x0b",
        b"\x00",
        b"\x0a\x04\x12\x02\x12\x80",
    ):
        with pytest.raises(Malformed):
            read_request(payload)


def test_with_nothing_to_be_done_the_payload_itself_is_passed_on() -> None:
    payload = b"\x0a\x00" * 40_000
    own = treatment(enrich=False)
    assert own.take([record("traces", payload, 7)], 0.0)[0].payload is payload
    assert own.held_from is None


def test_small_requests_of_a_signal_go_as_one() -> None:
    """Protobuf has several requests one behind the other be one."""
    one, other = (_named(name) for name in ("a", "b"))
    own = treatment(enrich=False)
    taken = [
        record("traces", one, 1),
        record("traces", other, 2),
        record("logs", b"\x0a\x00", 3),
        record("traces", b"", 4),
        record("traces", one, 5),
    ]
    sent = own.take(taken, 0.0)
    assert [(one.signal, one.first, one.last) for one in sent] == [
        (Signal.TRACES, 1, 2),
        (Signal.LOGS, 3, 3),
        (Signal.TRACES, 5, 5),
    ]
    both = ExportTraceServiceRequest.FromString(sent[0].payload)
    assert [resource.scope_spans[0].spans[0].name for resource in both.resource_spans] == ["a", "b"]


def _named(name: str) -> bytes:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(name=name, trace_id=b"t" * 16, span_id=b"s" * 8)
    return request.SerializeToString()


def _long_spans(*lengths: int) -> bytes:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number, length in enumerate(lengths):
        span = scope.spans.add(name=f"n{number}", trace_id=b"t" * 16, span_id=bytes(7) + bytes((number + 1,)))
        for key, size in (("long", length), ("short", 20)):
            span.attributes.add(key=key).value.string_value = "é" * (size // 2)
    return request.SerializeToString()


def spans_of(sent: list[Outgoing]) -> list[Any]:
    return [
        span
        for one in sent
        for resource in ExportTraceServiceRequest.FromString(one.payload).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


@pytest.mark.parametrize("enrich", [True, False])
def test_one_large_span_is_cut_and_its_neighbours_go_as_they_are(enrich: bool) -> None:
    own = treatment(enrich=enrich, max_request_bytes=8192)
    payload = _long_spans(100, 50_000, 3000, 100)
    sent = own.take([record("traces", payload, 5)], 0.0)
    assert all(len(one.payload) <= 8192 and one.first == one.last == 5 for one in sent)
    before, after = ExportTraceServiceRequest.FromString(payload).resource_spans[0].scope_spans[0].spans, spans_of(sent)
    assert [span.name for span in after] == ["n0", "n1", "n2", "n3"]
    assert [after[number] for number in (0, 2, 3)] == [before[number] for number in (0, 2, 3)]
    attributes = {pair.key: pair.value for pair in after[1].attributes}
    text, missing = attributes["long"].string_value, attributes["taximeter.truncated_bytes"].int_value
    assert text.endswith(f"… [{missing} bytes cut]")
    assert len(text.split("…")[0].encode()) + missing == 50_000
    assert attributes["short"].string_value == "é" * 10
    assert own.counts == {"sent": 4, "truncated": 1} | ({k: v for k, v in own.counts.items() if not v})


def test_a_large_span_is_set_aside_if_that_is_wanted_or_if_there_is_nothing_to_cut() -> None:
    own = treatment(enrich=False, max_request_bytes=4096, oversized="set-aside")
    assert len(spans_of(own.take([record("traces", _long_spans(50, 9000), 5)], 0.0))) == 1
    aside = own.drain_set_aside()
    assert [(one.position, one.items, one.treated) for one in aside] == [(5, 1, True)]
    assert ExportTraceServiceRequest.FromString(aside[0].payload).resource_spans[0].scope_spans[0].spans[0].name == "n1"
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(name="many")
    for number in range(500):
        span.attributes.add(key=f"key-{number}").value.int_value = number
    own = treatment(enrich=False, max_request_bytes=4096)
    assert own.take([record("traces", request.SerializeToString(), 5)], 0.0) == []
    assert own.counts["set_aside"] == 1


@some_shapes
@given(randoms)
def test_what_is_cut_fits_and_has_lost_nothing_but_the_ends_of_long_texts(random: Random) -> None:
    """Texts are cut to one length, between characters; whatever is shorter than that is as it was."""
    span = Span(name="n" * random.randrange(50), trace_id=b"t" * 16)
    for key in range(random.randrange(1, 12)):
        value = span.attributes.add(key=f"key-{key}").value
        text = random.choice(["x", "é", "𝄞"]) * int(random.paretovariate(0.6))
        if random.random() < 0.3:
            value.array_value.values.add().string_value = text[:50_000]
        else:
            value.string_value = text[:50_000]
    most_bytes = random.choice([2000, 5000, 20_000])
    before = span.SerializeToString()
    if len(before) <= most_bytes:
        return
    after = cut(Signal.TRACES, before, most_bytes)
    assert after is not None
    assert len(item_field(after)) <= most_bytes
    found = Span.FromString(after)
    missing = found.attributes.pop()
    assert missing.key == "taximeter.truncated_bytes"
    assert len(found.attributes) == len(span.attributes)
    lost = 0
    for old, new in zip(map(_text, span.attributes), map(_text, found.attributes), strict=True):
        if old != new:
            kept, _, told = new.rpartition("… [")
            assert old.startswith(kept)
            assert len(old.encode()) - len(kept.encode()) == int(told.split()[0])
            lost += int(told.split()[0])
    assert lost == missing.value.int_value


def _text(pair: Any) -> str:
    value = pair.value
    return str(value.array_value.values[0].string_value if value.HasField("array_value") else value.string_value)


def test_a_metric_with_too_many_points_goes_as_several_and_a_point_that_is_too_large_is_set_aside() -> None:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m", unit="s")
    metric.sum.aggregation_temporality = 2
    metric.sum.is_monotonic = True
    for number in range(500):
        metric.sum.data_points.add(as_int=number).attributes.add(key="k").value.string_value = "x" * 40
    metric.sum.data_points[250].attributes[0].value.string_value = "x" * 5000
    own = treatment(enrich=False, max_request_bytes=4096)
    sent = own.take([record("metrics", request.SerializeToString(), 5)], 0.0)
    found = []
    for one in sent:
        assert len(one.payload) <= 4096
        parts = ExportMetricsServiceRequest.FromString(one.payload).resource_metrics[0].scope_metrics[0].metrics
        assert all((part.name, part.unit, part.sum.aggregation_temporality) == ("m", "s", 2) for part in parts)
        points = [point.as_int for part in parts for point in part.sum.data_points]
        assert one.items == len(points)
        found += points
    assert found == [number for number in range(500) if number != 250]
    assert [one.items for one in own.drain_set_aside()] == [1]


numbers = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 300)


@given(st.lists(st.tuples(numbers, st.booleans(), st.floats(allow_nan=False), st.integers(-1, 2)), max_size=40))
def test_attributes_of_many_items_are_encoded_as_protobuf_would(rows: list[tuple[int, bool, float, int]]) -> None:
    texts = ["a", "é" * 100, ""]
    columns = [
        Texts.of("text", np.array([row[3] for row in rows], np.int64), texts),
        Ints("int", np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows], np.bool_)),
        Doubles("double", np.array([row[2] for row in rows]), np.array([not row[1] for row in rows], np.bool_)),
    ]
    for found, (whole_number, is_int, double, text) in zip(
        encoded(Signal.TRACES, columns, len(rows)), rows, strict=True
    ):
        wanted = Span()
        if text >= 0:
            wanted.attributes.add(key="text").value.string_value = texts[text]
        if is_int:
            wanted.attributes.add(key="int").value.int_value = whole_number
        else:
            wanted.attributes.add(key="double").value.double_value = double
        assert found == wanted.SerializeToString()


def test_a_length_may_be_of_any_size() -> None:
    content = b"x" * (1 << 21)
    payload = sized(0x0A, sized(0x12, sized(0x12, content)))
    assert read_request(payload).item(0) == content
