"""OTLP over HTTP, byte for byte: the answers of the specification."""

from __future__ import annotations

import gzip
import json
import socket
import threading

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from taximeter_collector.journal import Signal

from tests.collector.receiving import (
    IN_CHUNKS,
    JSON,
    LOGS,
    METRICS,
    PROTOBUF,
    TRACES,
    TYPED,
    Collect,
    Receive,
    chunked,
    logs,
    metrics,
    request,
    spans,
    watch,
)

# What is answered


@pytest.mark.parametrize(
    ("path", "body", "signal"),
    [
        (TRACES, spans(3), Signal.TRACES),
        (METRICS, metrics(2).SerializeToString(), Signal.METRICS),
        (LOGS, logs(3), Signal.LOGS),
    ],
)
def test_what_is_acknowledged_is_in_the_journal_byte_for_byte(
    receive: Receive, path: str, body: bytes, signal: Signal
) -> None:
    place = receive()
    answer = place.post(path, body)
    assert (answer.status, answer.content_type, answer.body) == (200, PROTOBUF, b"")
    (record,) = place.records()
    assert (record.payload, record.signal, record.sender) == (body, signal, "")
    assert record.items == (4 if signal is Signal.METRICS else 3)


@pytest.mark.parametrize("path", [TRACES, METRICS, LOGS])
def test_an_empty_request_succeeds_and_leaves_nothing_behind(receive: Receive, path: str) -> None:
    place = receive()
    binary, text = place.post(path, b""), place.post(path, b"{}", JSON)
    assert (binary.status, binary.content_type, binary.body) == (200, PROTOBUF, b"")
    assert (text.status, text.content_type, text.body) == (200, JSON, b"{}")
    assert place.records() == []


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8", " application/json "],
)
def test_json_is_answered_in_json_whatever_else_the_content_type_says(receive: Receive, content_type: str) -> None:
    place = receive()
    sent = ExportTraceServiceRequest.FromString(spans())
    text = json_format.MessageToDict(sent)
    for span in text["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        span |= {"traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": "A1A2A3A4A5A6A7A8"}
    answer = place.post(TRACES, json.dumps(text).encode(), content_type)
    assert (answer.status, answer.content_type, answer.body) == (200, JSON, b"{}")
    span = sent.resource_spans[0].scope_spans[0].spans[0]
    span.trace_id, span.span_id = bytes(range(1, 17)), bytes(range(0xA1, 0xA9))
    assert [ExportTraceServiceRequest.FromString(payload) for payload in place.payloads()] == [sent]


@pytest.mark.parametrize("content_type", ["application/x-protobuf; charset=utf-8", "APPLICATION/X-PROTOBUF"])
def test_protobuf_is_protobuf_however_it_is_spelt(receive: Receive, content_type: str) -> None:
    assert receive().post(TRACES, spans(), content_type).content_type == PROTOBUF


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_what_cannot_be_read_is_refused_in_the_type_it_came_in(receive: Receive, content_type: str) -> None:
    place = receive()
    answer = place.post(TRACES, b"\xffgarbage", content_type)
    assert (answer.status, answer.content_type) == (400, content_type)
    assert "is not" in answer.problem.message
    assert answer.problem.code == 3
    assert "retry-after" not in answer.headers
    assert place.records() == []


def test_a_status_in_json_is_one_line_of_json_with_its_message(receive: Receive) -> None:
    answer = receive().post(TRACES, b'{"resourceSpans": 1}', JSON)
    assert json.loads(answer.body) == {"code": 3, "message": "resourceSpans: expected an array"}


def test_spans_with_impossible_ids_are_rejected_and_their_neighbours_land(receive: Receive) -> None:
    place = receive()
    answer = place.post(TRACES, spans(5, bad_trace_ids=2, bad_span_ids=1))
    assert (answer.status, answer.content_type) == (200, PROTOBUF)
    partial = ExportTraceServiceResponse.FromString(answer.body).partial_success
    assert partial.rejected_spans == 3
    assert "2 spans without a valid trace_id" in partial.error_message
    assert "1 spans without a valid span_id" in partial.error_message
    (record,) = place.records()
    kept = ExportTraceServiceRequest.FromString(record.payload).resource_spans[0].scope_spans[0].spans
    assert record.items == len(kept) == 5
    assert all(len(span.trace_id) == 16 and len(span.span_id) == 8 for span in kept)


def test_spans_are_taken_out_wherever_they_are(receive: Receive) -> None:
    place = receive()
    whole, kept = ExportTraceServiceRequest(), ExportTraceServiceRequest()
    for resource in range(2):
        wholes, kepts = (one.resource_spans.add(schema_url=str(resource)) for one in (whole, kept))
        for _ in range(2):
            scope, kept_scope = wholes.scope_spans.add(), kepts.scope_spans.add()
            for index in range(9):
                good = index % 3 == 1
                span = scope.spans.add(name="same", trace_id=b"t" * 16 if good else b"", span_id=b"s" * 8)
                if good:
                    kept_scope.spans.append(span)
    answer = place.post(TRACES, whole.SerializeToString())
    assert ExportTraceServiceResponse.FromString(answer.body).partial_success.rejected_spans == 24
    assert [ExportTraceServiceRequest.FromString(payload) for payload in place.payloads()] == [kept]


def test_json_is_told_of_partial_success_in_json(receive: Receive) -> None:
    answer = receive().post(TRACES, b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"x"}]}]}]}', JSON)
    assert (answer.status, answer.content_type) == (200, JSON)
    assert json.loads(answer.body)["partialSuccess"]["rejectedSpans"] == "1"


def test_metrics_without_a_name_and_histograms_that_do_not_add_up_are_rejected_point_by_point(receive: Receive) -> None:
    place = receive()
    whole = metrics(1)
    scope = whole.resource_metrics[0].scope_metrics[0]
    scope.metrics.add().gauge.data_points.add(as_int=1)
    histogram = scope.metrics.add(name="latency").histogram
    histogram.data_points.add(bucket_counts=[1, 2], explicit_bounds=[1.0, 2.0], count=3)
    histogram.data_points.add(bucket_counts=[1, 2], explicit_bounds=[1.0], count=3)
    histogram.data_points.add(explicit_bounds=[1.0])
    histogram.data_points.add(count=3, sum=1.0)
    scope.metrics.add().histogram.data_points.add(explicit_bounds=[1.0])
    scope.metrics.add(name="last").sum.data_points.add(as_int=7)
    answer = place.post(METRICS, whole.SerializeToString())
    partial = ExportMetricsServiceResponse.FromString(answer.body).partial_success
    assert partial.rejected_data_points == 4
    assert "2 data points of metrics without a name" in partial.error_message
    assert "2 histogram points whose buckets do not fit" in partial.error_message
    (record,) = place.records()
    kept = ExportMetricsServiceRequest.FromString(record.payload).resource_metrics[0].scope_metrics[0].metrics
    assert [metric.name for metric in kept] == [scope.metrics[0].name, "latency", "last"]
    assert [list(point.bucket_counts) for point in kept[1].histogram.data_points] == [[1, 2], []]
    assert record.items == 5


def test_log_records_have_nothing_that_could_be_absurd(receive: Receive) -> None:
    place = receive()
    whole = ExportLogsServiceRequest()
    whole.resource_logs.add().scope_logs.add().log_records.add(trace_id=b"short")
    answer = place.post(LOGS, whole.SerializeToString())
    assert (answer.status, answer.body) == (200, b"")
    assert place.payloads() == [whole.SerializeToString()]


def test_fields_of_a_later_protocol_are_kept_also_where_something_was_taken_out(receive: Receive) -> None:
    place = receive()
    later = b"\xfa\x3f\x05later"  # field 1023, of the request
    assert place.post(TRACES, spans(1) + later).status == 200
    assert place.post(TRACES, spans(1, bad_span_ids=1) + later).status == 200
    first, second = place.payloads()
    assert first.endswith(later)
    assert later in second


def test_many_absurd_spans_before_many_good_ones_are_taken_out_in_a_moment(receive: Receive) -> None:
    place = receive()
    whole = ExportTraceServiceRequest.FromString(spans(20_000))
    good = whole.resource_spans[0].scope_spans[0]
    absurd = b"\x12\x00" * 200_000
    inner = absurd + good.SerializeToString()
    scope = ExportTraceServiceRequest()
    scope.resource_spans.add().scope_spans.add().MergeFromString(inner)
    answer = place.post(TRACES, scope.SerializeToString())
    assert ExportTraceServiceResponse.FromString(answer.body).partial_success.rejected_spans == 200_000
    assert place.records()[0].items == 20_000


def test_a_large_request_is_judged_as_a_small_one_is(receive: Receive) -> None:
    """Beyond 2 MiB it is looked at in pieces, of which nothing may be seen."""
    place = receive()
    later = b"\xfa\x3f\x05later"
    good = b"".join(spans(4000, padding="x" * 50) for _ in range(10)) + later + spans(padding="y" * 3_000_000)
    assert len(good) > 5 << 20
    assert place.post(TRACES, good).body == b""
    mixed = b"".join(spans(4000, bad_trace_ids=7, bad_span_ids=3, padding="x" * 50) for _ in range(10)) + later
    answer = place.post(TRACES, mixed)
    partial = ExportTraceServiceResponse.FromString(answer.body).partial_success
    assert partial.rejected_spans == 100
    assert "70 spans without a valid trace_id" in partial.error_message
    first, second = place.records()
    assert (first.payload, first.items) == (good, 40_001)
    assert second.items == 40_000
    sent, kept = (ExportTraceServiceRequest.FromString(payload) for payload in (mixed, second.payload))
    assert [name for name, _ in flat(kept)] == [name for name, good in flat(sent) if good]
    assert {resource.resource.attributes[0].value.string_value for resource in kept.resource_spans} == {"tests"}
    assert later in second.payload


def flat(request: ExportTraceServiceRequest) -> list[tuple[str, bool]]:
    """The names of all spans, and whether their ids are possible."""
    return [
        (span.name, len(span.trace_id) == 16 and any(span.span_id))
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def nested(*tags: int, content: bytes) -> bytes:
    """A message in a message in a message."""
    for tag in reversed(tags):
        size = len(content)
        head = bytes([tag, size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14 & 0x7F | 0x80, size >> 21])
        content = head + content
    return content


@pytest.mark.parametrize(
    ("bomb", "status"),
    [
        (b"\x0a\x00" * (15 << 20), 413),
        (nested(0x0A, content=b"\x12\x00" * (15 << 20)), 413),
        (nested(0x0A, 0x12, content=b"\x12\x00" * (15 << 20)), 413),
        (nested(0x0A, 0x12, 0x12, content=b"\x4a\x00" * (15 << 20)), 413),
        (nested(0x0A, 0x0A, content=b"\x0a\x00" * (15 << 20)), 413),
        (nested(0x0A, content=b"\x0b" * (15 << 20)), 400),
        (nested(0x0A, content=bytes(15 << 20)), 413),
        (nested(0x0A, 0x12, content=b"\xff" * (15 << 20)), 400),
        (nested(0x0A, content=b"\x12\xff\xff\xff\x7f" + bytes(3 << 20)), 400),
    ],
    ids=["resources", "scopes", "spans", "attributes", "of the resource", "groups", "zeros", "ones", "a lie"],
)
def test_requests_that_would_be_huge_in_memory_are_refused_before_they_are(
    collect: Collect, bomb: bytes, status: int
) -> None:
    place = collect()
    place.is_well()
    peak = [place.rss]
    done = threading.Event()
    watching = threading.Thread(target=watch, args=[place, done, peak])
    watching.start()
    try:
        assert place.post(TRACES, gzip.compress(bomb, 1), content_encoding="gzip").status == status
    finally:
        done.set()
        watching.join()
    assert peak[0] < 350 << 20
    place.is_well()


@pytest.mark.parametrize(
    ("path", "says"), [("/v1/profiles", "profiles"), ("/v1development/profiles", "profiles"), ("/x", "/v1/logs")]
)
def test_what_is_not_there_is_said_with_what_is(receive: Receive, path: str, says: str) -> None:
    answer = receive().post(path, b"")
    assert (answer.status, answer.content_type) == (404, PROTOBUF)
    assert says in answer.problem.message


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_only_post_exports(receive: Receive, method: str) -> None:
    answer = receive().ask(method, TRACES)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert answer.problem.message == "/v1/traces takes POST"


def test_head_is_answered_like_get_without_a_body(receive: Receive) -> None:
    place = receive()
    with place.wire() as wire:
        wire.send(request("HEAD", "/healthz"))
        answer = wire.answer(with_body=False)
        assert (answer.status, answer.headers["content-length"]) == (200, "3")
        wire.send(request("GET", "/healthz"))
        assert wire.answer().body == b"ok\n"
    refused = place.ask("HEAD", TRACES)
    assert (refused.status, refused.body) == (405, b"")


@pytest.mark.parametrize("content_type", ["text/plain", "application/grpc", "", "application/protobuf"])
def test_other_types_are_refused_with_415(receive: Receive, content_type: str) -> None:
    answer = receive().post(TRACES, spans(), content_type)
    assert (answer.status, answer.content_type) == (415, JSON)
    assert "application/x-protobuf" in answer.problem.message


def test_a_query_does_not_belong_to_the_path(receive: Receive) -> None:
    assert receive().post("/v1/traces?x=/y", spans()).status == 200


# How HTTP is spoken


def test_a_connection_serves_many_requests_also_after_one_that_was_bad(receive: Receive) -> None:
    place = receive()
    with place.wire() as wire:
        for body, status in [(spans(), 200), (b"\xff", 400), (spans(), 200), (b"", 200)]:
            wire.send(request("POST", TRACES, body, TYPED))
            assert wire.answer().status == status
    assert len(place.records()) == 2


def test_pipelined_requests_are_answered_in_order(receive: Receive) -> None:
    place = receive()
    bodies = [spans() if index % 3 else b"\xff" for index in range(40)]
    with place.wire() as wire:
        wire.send(b"".join(request("POST", TRACES, body, TYPED) for body in bodies))
        assert [wire.answer().status for _ in bodies] == [400 if body == b"\xff" else 200 for body in bodies]
    assert place.payloads() == [body for body in bodies if body != b"\xff"]


def test_garbage_behind_a_good_request_does_not_take_its_answer(receive: Receive) -> None:
    place = receive()
    body = spans()
    with place.wire() as wire:
        wire.send(request("POST", TRACES, body, TYPED) + b"\x00\x01garbage\r\n\r\n")
        assert wire.answer().status == 200
        assert wire.answer().status == 400
        assert wire.is_ended()
    assert place.payloads() == [body]


def test_a_peer_that_has_said_all_still_gets_its_answer(receive: Receive) -> None:
    place = receive()
    with place.wire() as wire:
        wire.send(request("POST", TRACES, spans(), TYPED))
        wire.end_sending()
        assert wire.answer().status == 200
        assert wire.is_ended()


def test_the_connection_ends_where_the_peer_asks_for_it(receive: Receive) -> None:
    with receive().wire() as wire:
        wire.send(request("POST", TRACES, spans(), TYPED | {"connection": "close"}))
        answer = wire.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert wire.is_ended()


def test_http_1_0_is_answered_and_the_connection_ends(receive: Receive) -> None:
    body = spans()
    with receive().wire() as wire:
        wire.send(request("POST", TRACES, body, TYPED).replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert wire.answer().status == 200
        assert wire.is_ended()


def test_a_peer_that_asks_first_is_told_to_go_on(receive: Receive) -> None:
    body = spans()
    whole = request("POST", TRACES, body, TYPED | {"expect": "100-continue"})
    with receive().wire() as wire:
        wire.send(whole[: -len(body)])
        assert wire.answer().status == 100
        wire.send(body)
        assert wire.answer().status == 200


def test_a_peer_that_asks_first_need_not_send_what_is_refused(receive: Receive) -> None:
    with receive(receive__max_request="1KiB").wire() as wire:
        wire.send(request("POST", TRACES, b"", TYPED | {"expect": "100-continue", "content-length": "1025"}))
        assert wire.answer().status == 413
        assert wire.is_ended()


@pytest.mark.parametrize("size", [1, 7, 5000, 100_000])
def test_a_body_in_chunks_is_put_together(receive: Receive, size: int) -> None:
    place = receive()
    body = spans(500 if size > 1000 else 5)
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    with place.wire() as wire:
        for _ in range(2):
            wire.send(request("POST", TRACES, chunked(*pieces, extension=b";a=b", trailer=b"x-t: 1\r\n"), IN_CHUNKS))
            assert wire.answer().status == 200
    assert place.payloads() == [body, body]


def test_a_body_that_comes_drop_by_drop_is_put_together(receive: Receive) -> None:
    place = receive()
    body = spans(2)
    whole = request("POST", TRACES, body, TYPED)
    with place.wire() as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(whole)):
            wire.send(whole[at : at + 1])
        assert wire.answer().status == 200
    assert place.payloads() == [body]


def test_an_offer_to_speak_http_2_is_not_taken_up_and_does_no_harm(receive: Receive) -> None:
    """The HTTP client of the JDK makes it with each first request to a server without TLS."""
    place = receive()
    body = spans()
    offer = TYPED | {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAEAAEAAAAIAAAAB"}
    with place.wire() as wire:
        wire.send(request("POST", TRACES, body, offer) + request("POST", TRACES, body, TYPED))
        assert [wire.answer().status for _ in range(2)] == [200, 200]
        wire.send(request("GET", "/healthz", b"", offer) * 300)
        assert {wire.answer().status for _ in range(300)} == {200}
    assert place.payloads() == [body, body]


@pytest.mark.parametrize(
    "garbage",
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /v1/traces HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc",
        b"POST /v1/traces HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\nabc",
        b"POST /v1/traces HTTP/1.1\r\ncontent-length: 99999999999999999999999\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"\r\n\r\n\r\n\0",
    ],
)
def test_what_is_not_http_is_told_so_and_the_connection_ends(receive: Receive, garbage: bytes) -> None:
    place = receive()
    with place.wire() as wire:
        wire.send(garbage)
        answer = wire.answer()
        assert (answer.status, answer.problem.code) == (400, 3)
        assert wire.is_ended()
    place.is_well()


def test_connect_is_refused(receive: Receive) -> None:
    with receive().wire() as wire:
        wire.send(b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\nmore")
        assert wire.answer().status == 404
        assert wire.is_ended()


def test_a_header_that_comes_twice_is_both(receive: Receive) -> None:
    with receive().wire() as wire:
        whole = request("POST", TRACES, gzip.compress(gzip.compress(spans())), TYPED | {"content-encoding": "gzip"})
        wire.send(whole.replace(b"content-encoding", b"content-encoding: gzip\r\ncontent-encoding"))
        answer = wire.answer()
        assert (answer.status, answer.problem.message[:30]) == (415, "content-encoding 'gzip, gzip' ")
