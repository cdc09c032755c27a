"""One bad record does not take its neighbours along."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from taximeter_collector.receive.pieces import MOST_RECORD_BYTES, pieces
from taximeter_collector.receive.refusals import Reason, Refused
from taximeter_collector.receive.shape import SHAPES, check

from tests.collector.receiving import in_thread
from tests.e2e.sending import HttpSender, spans

TRACES = SHAPES[0]
CUT = "café".encode()[:-1]  # within its last character


def request_with(names: list[bytes], attribute: bytes = b"x") -> bytes:
    """A request whose spans have these names, valid text or not."""
    request = ExportTraceServiceRequest()
    marks = [f"<{number:06}>".encode().ljust(len(name), b"_") for number, name in enumerate(names)]
    for mark in marks:
        span = ExportTraceServiceRequest.FromString(spans(mark.decode())).resource_spans[0].scope_spans[0].spans[0]
        span.attributes.add(key="a").value.string_value = attribute.decode()
        (request.resource_spans or [request.resource_spans.add()])[0].scope_spans.add().spans.append(span)
    payload = request.SerializeToString()
    for mark, name in zip(marks, names, strict=True):
        payload = payload.replace(mark, name.ljust(len(mark), b"_"))
    return payload


def names_in(payload: bytes) -> list[str]:
    return [
        span.name
        for resource in ExportTraceServiceRequest.FromString(payload).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def test_a_text_that_was_cut_within_a_character_costs_its_own_span_only() -> None:
    checked = check(TRACES, request_with([b"good one", CUT + b"____", b"good two"]))
    assert names_in(checked.payload) == ["good one", "good two"]
    assert (checked.items, checked.rejected) == (2, 1)
    answer = TRACES.answer(checked)
    assert isinstance(answer, ExportTraceServiceResponse)
    assert answer.partial_success.error_message == "1 records with text that is not UTF-8"


def test_a_request_with_no_readable_text_at_all_is_refused() -> None:
    with pytest.raises(Refused, match="text that is not UTF-8") as refused:
        check(TRACES, request_with([CUT + b"____", CUT + b"____"]))
    assert refused.value.reason is Reason.MALFORMED


def test_a_request_that_is_broken_elsewhere_too_is_refused_as_a_whole() -> None:
    payload = request_with([b"good one", CUT + b"____"])
    with pytest.raises(Refused) as refused:
        check(TRACES, payload[:-3])
    assert refused.value.reason is Reason.MALFORMED


def test_in_many_records_the_few_bad_ones_are_found() -> None:
    names = [CUT + b"____" if number % 500 == 7 else b"good one" for number in range(3000)]
    checked = check(TRACES, request_with(names, b"some text " * 40))
    assert (checked.items, checked.rejected) == (2994, 6)
    assert names_in(checked.payload) == ["good one"] * 2994


def test_the_pieces_of_a_request_say_together_what_it_says() -> None:
    whole = request_with([b"good one"] * 200)
    for size in (1, 1000, 1 << 20):
        joined = b"".join(piece for piece in pieces(whole, size) if piece)
        assert names_in(joined) == names_in(whole)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_pieces_understand_tags_and_sizes_that_are_written_longer_than_they_need_to_be(data: st.DataObject) -> None:
    def field(tag: int, content: bytes) -> bytes:
        return padded(tag) + padded(len(content)) + content

    def padded(number: int) -> bytes:
        """A varint with up to three bytes that say nothing."""
        encoded = bytearray()
        for _ in range(2 + data.draw(st.integers(0, 3))):
            encoded.append(number & 0x7F | 0x80)
            number >>= 7
        assert number == 0
        encoded[-1] &= 0x7F
        return bytes(encoded)

    records = b"".join(
        field(0x12, field(0x0A, os.urandom(16)) + field(0x12, os.urandom(8)))
        for _ in range(data.draw(st.integers(0, 20)))
    )
    whole = field(0x0A, field(0x12, records))
    parsed = ExportTraceServiceRequest.FromString(whole)
    for size in (1, 100):
        joined = b"".join(piece for piece in pieces(whole, size) if piece)
        assert check(TRACES, joined).items == check(TRACES, whole).items == len(names_in(whole))
        assert names_in(joined) == [span.name for scope in parsed.resource_spans[0].scope_spans for span in scope.spans]


def test_one_enormous_record_is_rejected_and_its_neighbours_land(tmp_path: Path) -> None:
    enormous = spans("enormous", pad_bytes=MOST_RECORD_BYTES)
    with in_thread(tmp_path / "data") as place:
        with HttpSender(f"http://{place.http}") as sender:
            answer = sender.send(spans("before") + enormous + spans("after"))
        assert answer.status == 200
        assert f"1 records of more than {MOST_RECORD_BYTES} bytes" in answer.message
        assert [name for payload in place.payloads() for name in names_in(payload)] == ["before", "after"]
