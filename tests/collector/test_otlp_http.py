"""OTLP over HTTP, byte for byte: the answers of the specification, and an end to all that a peer can make grow."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from google.rpc.error_details_pb2 import RetryInfo
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
from taximeter_collector.receive.access import AccessError
from taximeter_collector.receive.receiver import StartError

from tests.collector.receiving import (
    JSON,
    PROTOBUF,
    AsProcess,
    Certificates,
    InThread,
    Wire,
    as_process,
    in_thread,
    logs,
    metrics,
    request,
    spans,
    until,
    zstd,
)

Receive = Callable[..., InThread]
Collect = Callable[..., AsProcess]

TRACES, METRICS, LOGS = "/v1/traces", "/v1/metrics", "/v1/logs"
TYPED = {"content-type": PROTOBUF}


def compress_raw(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


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


def watch(place: AsProcess, done: threading.Event, peak: list[int]) -> None:
    """How much memory it takes at most."""
    process = place.receiver
    while not done.wait(0.005):
        peak[0] = max(peak[0], process.memory_info().rss)


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


def chunked(*pieces: bytes, extension: bytes = b"", trailer: bytes = b"") -> bytes:
    return (
        b"".join(b"%x%s\r\n%s\r\n" % (len(piece), extension, piece) for piece in pieces) + b"0\r\n" + trailer + b"\r\n"
    )


IN_CHUNKS = TYPED | {"transfer-encoding": "chunked"}


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


# Browsers


PAGE = "https://app.example.com"
ALLOWED = {"receive__cors_origins": "https://app.example.com,https://*.example.org"}


@pytest.mark.parametrize("origin", [PAGE, "https://a.b.example.org"])
def test_pages_of_origins_that_are_named_may_send(receive: Receive, origin: str) -> None:
    place = receive(**ALLOWED)
    asked = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
    }
    preflight = place.ask("OPTIONS", TRACES, headers=asked)
    assert (preflight.status, preflight.body, preflight.headers["access-control-allow-origin"]) == (204, b"", origin)
    assert preflight.headers["access-control-allow-methods"] == "POST"
    assert {"content-type", "content-encoding", "authorization"} <= {
        name.strip() for name in preflight.headers["access-control-allow-headers"].split(",")
    }
    for body, status in ((spans(), 200), (b"\xff", 400)):
        answer = place.post(TRACES, body, origin=origin)
        assert (answer.status, answer.headers["access-control-allow-origin"], answer.headers["vary"]) == (
            status,
            origin,
            "Origin",
        )


def test_a_preflight_needs_no_token_and_the_page_does(receive: Receive) -> None:
    place = receive(environment={"TAXIMETER_RECEIVE_TOKENS": "web=secret"}, **ALLOWED)
    assert place.ask("OPTIONS", TRACES, headers={"origin": PAGE}).status == 204
    refused = place.post(TRACES, spans(), origin=PAGE)
    assert (refused.status, refused.headers["access-control-allow-origin"]) == (401, PAGE)
    assert place.post(TRACES, spans(), origin=PAGE, authorization="Bearer secret").status == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "", "http://app.example.com", "https://example.org"]
)
def test_pages_of_other_origins_may_not(receive: Receive, origin: str) -> None:
    place = receive(**ALLOWED)
    for answer in (
        place.ask("OPTIONS", TRACES, headers={"origin": origin}),
        place.post(TRACES, spans(), origin=origin),
    ):
        assert answer.status == 403
        assert "access-control-allow-origin" not in answer.headers
    assert place.records() == []


# Compression


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("identity", bytes),
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", compress_raw),
        ("zlib", zlib.compress),
        ("zstd", zstd.compress),
        ("gzip", lambda body: gzip.compress(body[:50]) + gzip.compress(b"") + gzip.compress(body[50:])),
        ("zstd", lambda body: zstd.compress(body[:50]) + zstd.compress(body[50:])),
    ],
    ids=["identity", "gzip", "GZIP", "x-gzip", "zlib in deflate", "raw deflate", "zlib", "zstd", "gzips", "zstds"],
)
def test_a_compressed_body_is_journaled_as_it_was_before(
    receive: Receive, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    place = receive()
    body = spans(20)
    assert place.post(TRACES, compress(body), content_encoding=encoding).status == 200
    assert place.post(TRACES, compress(b"{}"), JSON, content_encoding=encoding).body == b"{}"
    assert place.payloads() == [body]


@pytest.mark.parametrize("encoding", ["br", "snappy", "gzip, gzip"])
def test_an_unknown_encoding_is_refused_with_those_that_are_known(receive: Receive, encoding: str) -> None:
    answer = receive().post(TRACES, b"x", content_encoding=encoding)
    assert (answer.status, answer.headers["accept-encoding"]) == (415, "gzip, deflate, zstd")
    assert encoding in answer.problem.message


def compress_with_checksum(data: bytes) -> bytes:
    return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", compress_with_checksum)]
)
def test_damaged_compression_is_refused(receive: Receive, encoding: str, compress: Callable[[bytes], bytes]) -> None:
    place = receive()
    good = compress(spans(20))
    in_checksum = -6 if encoding == "gzip" else -2
    flipped = bytearray(good)
    flipped[in_checksum] ^= 1
    for bad in (b"", b"garbage", good[:-1], good[: len(good) // 2], good[:3], good + b"more", bytes(flipped)):
        answer = place.post(TRACES, bad, content_encoding=encoding)
        assert (answer.status, answer.problem.message.partition(":")[0]) == (400, f"the body is not valid {encoding}")
    assert place.payloads() == []


@pytest.mark.parametrize(("encoding", "empty"), [("gzip", gzip.compress(b"")), ("zstd", zstd.compress(b""))])
def test_a_body_of_endless_empty_parts_is_refused_at_once(receive: Receive, encoding: str, empty: bytes) -> None:
    answer = receive().post(TRACES, empty * 500_000, content_encoding=encoding)
    assert (answer.status, answer.problem.message[-9:]) == (400, "100 parts")


def test_bombs_are_refused_at_the_limit_and_leave_the_process_as_it_was(collect: Collect) -> None:
    """A gigabyte of zeros each; 64 MiB may be there at a time."""
    place = collect(log__level="error")
    compressor = zlib.compressobj(9, wbits=-15)
    block = compressor.compress(bytes(1 << 20)) + compressor.flush(zlib.Z_FULL_FLUSH)
    zeros = block * (1 << 10)
    bombs = {
        "gzip": gzip.compress(b"")[:10] + zeros,
        "deflate": zlib.compress(b"")[:2] + zeros,
        "deflate ": zeros,
        "zstd": zstd.compress(bytes(1 << 27)) * 8,
    }
    place.is_well()
    before, peaks = place.rss, [0]
    done = threading.Event()
    watching = threading.Thread(target=watch, args=[place, done, peaks])
    watching.start()
    try:
        for encoding, bomb in bombs.items():
            for content_type in (PROTOBUF, JSON):
                answer = place.post(TRACES, bomb, content_type, content_encoding=encoding.strip())
                assert answer.status == 413
                assert "after decompression" in answer.problem.message
    finally:
        done.set()
        watching.join()
    assert before < peaks[0] < before + (200 << 20)
    assert place.metric("taximeter_receiver_memory_in_use_bytes") == 0
    place.is_well()


# Limits


def varint(number: int) -> bytes:
    """Of two bytes."""
    return bytes([number & 0x7F | 0x80, number >> 7])


def test_a_request_of_exactly_the_limit_is_taken_and_one_byte_more_is_not(receive: Receive) -> None:
    place = receive(receive__max_request="4KiB", receive__memory="1MiB")
    short = spans(padding="x" * 3000)
    fits, over = (
        short + b"\xfa\x3f" + varint(size - 4) + bytes(size - 4) for size in (4096 - len(short), 4097 - len(short))
    )
    assert (len(fits), len(over)) == (4096, 4097)
    assert place.post(TRACES, fits).status == 200
    assert place.post(TRACES, gzip.compress(fits), content_encoding="gzip").status == 200
    for answer in (
        place.post(TRACES, over),
        place.post(TRACES, gzip.compress(over), content_encoding="gzip"),
        place.ask("POST", TRACES, chunked(over), IN_CHUNKS),
    ):
        assert (answer.status, answer.content_type) == (413, PROTOBUF)
        assert "larger than 4096 bytes" in answer.problem.message
    assert place.payloads() == [fits, fits]


def test_json_has_a_limit_of_its_own(receive: Receive) -> None:
    place = receive(receive__max_json_request="1KiB")
    for size, status in ((1024, 200), (1025, 413)):
        body = b'{"x":"' + b"y" * (size - 8) + b'"}'
        assert len(body) == size
        assert place.post(TRACES, body, JSON).status == status
        assert place.post(TRACES, gzip.compress(body), JSON, content_encoding="gzip").status == status


def test_json_that_is_nearly_nothing_but_brackets_is_refused_before_it_fills_the_memory(receive: Receive) -> None:
    body = b'{"x":[' + b"{}," * (3 << 20) + b"{}]}"
    answer = receive().post(TRACES, body, JSON)
    assert (answer.status, answer.problem.message[:14]) == (413, "the body has m")


def test_what_is_refused_by_its_head_is_answered_although_the_peer_goes_on_sending(receive: Receive) -> None:
    place = receive(receive__max_request="1MiB")
    with place.wire() as wire:
        sending = threading.Thread(target=wire.offer, args=[request("POST", TRACES, bytes(8 << 20), TYPED)])
        sending.start()
        assert wire.answer().status == 413
        wire.reset()
        sending.join()
    place.is_well()


def test_headers_have_a_limit(receive: Receive) -> None:
    place = receive()
    for much in (
        b"x: " + b"y" * 100_000,
        b"x: y\r\n" * 20_000,
        b"y" * 100_000,
    ):
        with place.wire() as wire:
            wire.offer(b"POST /v1/traces HTTP/1.1\r\n" + much)
            answer = wire.answer()
            assert answer.status == 431
            assert wire.is_ended()
    with place.wire() as wire:
        wire.offer(b"GET /" + b"y" * 100_000)
        assert wire.answer().status == 431
    place.is_well()


@pytest.mark.parametrize(
    "endless",
    [
        b"1;" + b"x" * (1 << 20),
        b"".join(b"1;%s\r\nx\r\n" % (b"x" * 1000) for _ in range(1000)),
        b"1\r\nx\r\n0\r\nx: " + b"y" * (1 << 20),
        b"1\r\nx\r\n0\r\n" + b"x: y\r\n" * 200_000,
    ],
    ids=["an extension", "extensions", "a trailer", "trailers"],
)
def test_chunks_that_are_nearly_nothing_but_framing_have_an_end(receive: Receive, endless: bytes) -> None:
    place = receive()
    with place.wire() as wire:
        wire.offer(request("POST", TRACES, endless, IN_CHUNKS))
        answer = wire.answer()
        assert (answer.status, "framing" in answer.problem.message) == (400, True)
    place.is_well()


def test_a_large_body_does_not_buy_endless_trailers(collect: Collect) -> None:
    place = collect()
    place.is_well()
    before = place.rss
    with place.wire() as wire:
        wire.offer(request("POST", TRACES, chunked(bytes(16 << 20))[:-2] + b"x: " + b"y" * (100 << 20), IN_CHUNKS))
        assert wire.answer().status == 400
    assert place.rss < before + (120 << 20)


def test_beyond_the_memory_for_bodies_senders_are_told_to_come_again(receive: Receive) -> None:
    place = receive(receive__memory="1MiB", receive__max_request="1MiB")
    with place.wire() as wire:
        half = request("POST", TRACES, bytes(900 << 10), TYPED)
        wire.send(half[:-1])
        until(lambda: place.memory > 800 << 10)
        answer = place.post(TRACES, bytes(400 << 10))
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert answer.problem.code == 14
        retry = RetryInfo()
        assert answer.problem.details[0].Unpack(retry)
        assert retry.retry_delay.seconds == 1
        small = gzip.compress(bytes(400 << 10))
        assert place.post(TRACES, small, content_encoding="gzip").status == 503
        assert place.post(TRACES, spans()).status == 200
    until(lambda: place.memory == 0)
    assert place.post(TRACES, bytes(400 << 10)).status == 400
    assert place.metric("taximeter_receiver_refused_requests_total", reason="busy") == 2


def test_one_request_can_always_be_served_however_small_the_memory(receive: Receive) -> None:
    place = receive(receive__memory="1MiB", receive__max_request="1MiB")
    body = spans(padding="x" * (1 << 19))
    assert place.post(TRACES, gzip.compress(body), content_encoding="gzip").status == 200
    assert place.payloads() == [body]


def test_a_journal_at_its_limit_is_answered_with_503_and_when_to_come_again(receive: Receive) -> None:
    place = receive(receive__max_request="1MiB", journal__max_size="4MiB", journal__segment_size="1MiB")
    body = spans(padding="x" * 500_000)
    answers = [place.post(TRACES, body) for _ in range(12)]
    full = [answer for answer in answers if answer.status != 200]
    assert full
    for answer in full:
        assert (answer.status, answer.headers["retry-after"], answer.content_type) == (503, "5", PROTOBUF)
        assert answer.problem.code == 14
    log = {"body": {"stringValue": "x" * 500_000}}
    answer = place.post(LOGS, json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [log]}]}]}).encode(), JSON)
    assert (answer.status, answer.problem.details[0].type_url) == (503, "type.googleapis.com/google.rpc.RetryInfo")
    assert place.ask("GET", "/readyz").status == 503
    assert len(place.records()) == len([one for one in answers if one.status == 200])


# Time


def test_headers_that_come_too_slowly_are_ended(receive: Receive) -> None:
    place = receive(receive__request_timeout="200ms")
    with place.wire() as wire, place.wire() as silent:
        wire.send(b"POST /v1/traces HTTP/1.1\r\nx: ")
        answer = wire.answer()
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert "0.2 s" in answer.problem.message
        assert wire.is_ended()
        assert silent.is_ended()
    assert place.metric("taximeter_receiver_dropped_connections_total", reason="slow_request") == 1
    assert place.metric("taximeter_receiver_dropped_connections_total", reason="idle") == 1


def test_a_body_that_comes_too_slowly_is_ended_and_its_memory_is_free(receive: Receive) -> None:
    place = receive(receive__request_timeout="300ms")
    with place.wire() as wire:
        wire.send(request("POST", TRACES, spans(), TYPED)[:-1])
        assert until(lambda: place.memory) > 0
        assert wire.answer().status == 408
    assert place.memory == 0
    place.is_well()


def test_a_second_request_has_its_own_time(receive: Receive) -> None:
    with receive(receive__request_timeout="300ms").wire() as wire:
        body = spans()
        wire.send(request("POST", TRACES, body, TYPED) + request("POST", TRACES, body, TYPED)[:-1])
        assert [wire.answer().status, wire.answer().status] == [200, 408]


def test_a_connection_that_asks_nothing_more_is_closed(receive: Receive) -> None:
    place = receive(receive__idle_timeout="200ms")
    with place.wire() as wire:
        wire.send(request("POST", TRACES, spans(), TYPED))
        assert wire.answer().status == 200
        assert wire.is_ended()
    assert place.metric("taximeter_receiver_dropped_connections_total", reason="idle") == 1


def test_peers_that_leave_in_the_middle_leave_nothing_behind(receive: Receive) -> None:
    place = receive()
    whole = request("POST", TRACES, spans(100), TYPED)
    for at in (1, 30, len(whole) // 2, len(whole) - 1):
        for leave in (Wire.close, Wire.reset, Wire.end_sending):
            wire = place.wire()
            wire.send(whole[:at])
            leave(wire)
            if leave is Wire.end_sending:
                assert wire.is_ended()
                wire.close()
    place.is_well()
    assert place.memory == 0
    until(lambda: place.metric("taximeter_receiver_connections") == 1)
    assert len(place.records()) == 1


def test_peers_that_do_not_wait_for_the_disk_leave_nothing_behind(receive: Receive) -> None:
    place = receive()
    for _ in range(50):
        wire = place.wire()
        wire.send(request("POST", TRACES, spans(), TYPED) * 3)
        wire.reset()
    place.is_well()
    until(lambda: place.memory == 0)


def test_a_peer_that_does_not_read_its_answers_is_not_read_either(receive: Receive) -> None:
    place = receive(receive__request_timeout="500ms")
    with place.wire() as wire:
        wire.socket.setblocking(False)
        asked = 0
        with pytest.raises((BlockingIOError, ConnectionError)):  # noqa: PT012 - one of them will be the first
            while asked < 100 << 20:
                asked += wire.socket.send(b"GET /metrics HTTP/1.1\r\nhost: c\r\n\r\n" * 1000)
    until(lambda: place.metric("taximeter_receiver_connections") == 1)
    place.is_well()


def test_a_peer_that_never_reads_is_dropped_and_its_bodies_are_forgotten(receive: Receive) -> None:
    place = receive(receive__request_timeout="500ms")
    with place.wire() as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.socket.settimeout(0.3)
        wire.offer((request("GET", "/metrics") + request("POST", TRACES, spans(), TYPED)) * 20_000)
        until(lambda: place.metric("taximeter_receiver_dropped_connections_total", reason="slow_reader") == 1)
    until(lambda: place.memory == 0)


# Connections


def test_a_thousand_idle_connections_are_held_and_others_are_served(collect: Collect) -> None:
    place = collect()
    place.is_well()
    before = place.rss
    wires = [place.wire() for _ in range(1000)]
    try:
        for wire in wires[:100]:
            wire.send(b"POST /v1/tra")  # half a request
        until(lambda: place.metric("taximeter_receiver_connections") == 1001)
        place.is_well()
        assert place.rss < before + (50 << 20)
    finally:
        for wire in wires:
            wire.close()
    until(lambda: place.metric("taximeter_receiver_connections") == 1)


def test_beyond_the_greatest_number_of_connections_new_ones_are_dropped(receive: Receive) -> None:
    place = receive(receive__max_connections="3")
    wires = [place.wire() for _ in range(3)]
    for wire in wires:
        wire.send(request("GET", "/healthz"))
        assert wire.answer().status == 200
    with place.wire() as one_too_many:
        assert one_too_many.is_ended()
    wires.pop().close()
    until(lambda: place.receiver and len(place.receiver._connections.open) == 2)
    place.is_well()
    until(lambda: place.receiver and len(place.receiver._connections.open) == 2)
    assert place.metric("taximeter_receiver_dropped_connections_total", reason="too_many") == 1
    for wire in wires:
        wire.close()


def test_two_receivers_cannot_share_a_port(receive: Receive, tmp_path: Path) -> None:
    place = receive()
    (tmp_path / "other").mkdir()
    with pytest.raises(StartError, match=r"receive\.http"):
        with in_thread(tmp_path / "other", receive__http=str(place.http)):
            pass


# Who may send


def test_whoever_has_a_token_may_send_and_its_name_is_in_the_journal(receive: Receive, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("# who\n\n   # what\nteam-a  alpha\nteam-b beta==\n")
    place = receive(
        receive__token_file=str(tmp_path / "tokens"), environment={"TAXIMETER_RECEIVE_TOKENS": "team-c=gamma"}
    )
    for token in ("alpha", "beta==", "gamma"):
        assert place.post(TRACES, spans(), authorization=f"Bearer {token}").status == 200
    assert place.post(TRACES, spans(), authorization="bearer  alpha ").status == 200
    assert [record.sender for record in place.records()] == ["team-a", "team-b", "team-c", "team-a"]
    assert place.metric("taximeter_receiver_accepted_requests_total", "alpha", sender="team-b") == 1


@pytest.mark.parametrize(
    "given",
    [
        "Bearer wrong",
        "Bearer alph",
        "Bearer alphaa",
        "Basic alpha",
        "alpha",
        "Bearer",
        "Bearer  ",
        "Bearer \xe4",
        "Bearer #",
    ],
)
def test_whoever_has_none_is_refused_before_the_body_is_sent(receive: Receive, tmp_path: Path, given: str) -> None:
    (tmp_path / "tokens").write_text("team-a alpha\n # what\n")
    place = receive(receive__token_file=str(tmp_path / "tokens"))
    for headers in ({"authorization": given}, {}):
        for content_type in (PROTOBUF, JSON):
            with place.wire() as wire:
                typed = {"content-type": content_type, "content-length": "5"}
                wire.send(request("POST", TRACES, b"", typed | headers))
                answer = wire.answer()
                assert (answer.status, answer.content_type, answer.problem.code) == (401, content_type, 16)
                assert answer.headers["www-authenticate"] == "Bearer"
                assert "alpha" not in answer.problem.message
    assert place.records() == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("team-a\n", "line 1: expected `NAME TOKEN`"),
        ("# nothing\n", "has no token in it"),
        ("a one\na two\n", "more than one token is named a"),
        ("a t\xf6ken\n", "the token named a cannot be sent in a header"),
    ],
)
def test_a_file_of_tokens_that_cannot_be_meant_stops_the_start(
    receive: Receive, tmp_path: Path, content: str, says: str
) -> None:
    (tmp_path / "tokens").write_text(content)
    with pytest.raises(AccessError, match=says):
        receive(receive__token_file=str(tmp_path / "tokens"))


def test_tokens_are_read_again_and_the_old_ones_kept_when_the_new_are_broken(receive: Receive, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("a one\n")
    place = receive(receive__token_file=str(file))
    with place.wire() as wire:

        def status(token: str) -> int:
            wire.send(request("POST", TRACES, b"", TYPED | {"authorization": f"Bearer {token}"}))
            return wire.answer().status

        assert status("one") == 200
        file.write_text("b two\n")
        place.reload()
        assert status("two") == 200
        file.write_text("broken\n")
        place.reload()
        assert status("two") == 200
        file.unlink()
        place.reload()
        assert status("two") == 200
        assert status("one") == 401


# TLS


def with_tls(certificates: Certificates, **more: str) -> dict[str, str]:
    return {
        "receive__tls_certificate": certificates.path("server.pem"),
        "receive__tls_key": certificates.path("server.key"),
    } | more


def certificate_of(place: InThread, certificates: Certificates) -> Any:
    with Wire(place.http, certificates.client("client")) as wire:
        assert isinstance(wire.socket, ssl.SSLSocket)
        return wire.socket.getpeercert()


def test_tls_is_spoken_and_nothing_else(receive: Receive, certificates: Certificates) -> None:
    place = receive(tls=certificates.client(), **with_tls(certificates))
    place.is_well()
    with Wire(place.http) as plain:
        plain.send(request("GET", "/healthz"))
        assert plain.is_ended()
    untrusting = ssl.create_default_context()
    with pytest.raises(ssl.SSLCertVerificationError):
        Wire(place.http, untrusting)
    place.is_well()


def test_over_tls_many_large_requests_arrive_whole(receive: Receive, certificates: Certificates) -> None:
    place = receive(tls=certificates.client(), **with_tls(certificates))
    bodies = [spans(3000), spans(), spans(1000)]
    with place.wire() as wire:
        wire.send(b"".join(request("POST", TRACES, body, TYPED) for body in bodies))
        assert [wire.answer().status for _ in bodies] == [200, 200, 200]
    assert place.payloads() == bodies


def test_over_tls_a_peer_that_leaves_early_is_no_line_in_the_log(
    receive: Receive, certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    place = receive(tls=certificates.client(), **with_tls(certificates))
    for leave in ("unwrap", "close"):
        wire = place.wire()
        wire.send(request("POST", TRACES, spans(), TYPED))
        if leave == "unwrap":
            assert isinstance(wire.socket, ssl.SSLSocket)
            try:
                wire.socket.unwrap()
            except OSError:
                pass  # the other side may be quicker to close
        wire.close()
    place.is_well()
    until(lambda: place.memory == 0)
    assert [record.message for record in caplog.records if record.levelname != "DEBUG"] == []


def test_with_mutual_tls_only_clients_with_a_certificate_may_send(receive: Receive, certificates: Certificates) -> None:
    place = receive(
        tls=certificates.client("client"), **with_tls(certificates, receive__tls_client_ca=certificates.path("ca.pem"))
    )
    place.is_well()
    for name in ("", "stranger"):
        with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):  # noqa: PT012 - TLS 1.3 tells on reading
            with Wire(place.http, certificates.client(name)) as wire:
                wire.send(request("GET", "/healthz"))
                wire.answer()
    place.is_well()


def test_certificates_are_read_again_and_kept_when_the_new_are_broken(
    receive: Receive, certificates: Certificates
) -> None:
    place = receive(tls=certificates.client(), receive__status="127.0.0.1:0", **with_tls(certificates))
    with place.wire() as old:
        first = certificate_of(place, certificates)
        certificates.replace("server", "renewed")
        place.reload()
        second = certificate_of(place, certificates)
        assert second["serialNumber"] != first["serialNumber"]
        Path(certificates.path("server.key")).write_bytes(certificates.read("client.key"))
        place.reload()
        assert certificate_of(place, certificates) == second
        Path(certificates.path("server.pem")).write_text("garbage")
        place.reload()
        assert certificate_of(place, certificates) == second
        old.send(request("POST", TRACES, spans(), TYPED))
        assert old.answer().status == 200


def test_the_authority_of_clients_is_read_again(receive: Receive, certificates: Certificates) -> None:
    settings = with_tls(certificates, receive__tls_client_ca=certificates.path("ca.pem"))
    place = receive(tls=certificates.client("client"), **settings)
    place.is_well()
    Path(certificates.path("ca.pem")).write_bytes(certificates.read("other-ca.pem"))
    place.reload()
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
        place.ask("GET", "/healthz")
    place.tls.load_cert_chain(certificates.path("stranger.pem"), certificates.path("stranger.key"))
    place.is_well()


def test_every_address_of_a_name_gets_the_new_certificate(receive: Receive, certificates: Certificates) -> None:
    place = receive(tls=certificates.client(), **with_tls(certificates, receive__http="localhost:0"))
    assert place.receiver
    listeners = [listener.getsockname() for server in place.receiver._servers for listener in server.sockets]
    assert listeners
    certificates.replace("server", "renewed")
    place.reload()
    renewed = certificates.client()
    names = set()
    for host, port, *_ in listeners:
        with (
            socket.create_connection((host, port)) as plain,
            renewed.wrap_socket(plain, server_hostname="localhost") as tls,
        ):
            names.add(str((tls.getpeercert() or {})["subject"]))
    assert names == {"((('commonName', 'renewed'),),)"}


@pytest.mark.parametrize("key", ["encrypted.key", "client.key", "absent.key", "ca.pem"])
def test_a_key_that_cannot_be_used_stops_the_start(receive: Receive, certificates: Certificates, key: str) -> None:
    with pytest.raises(AccessError, match="cannot be used"):
        receive(**with_tls(certificates, receive__tls_key=certificates.path(key)))


# What it says of itself


def test_it_says_that_it_lives_and_is_ready_and_what_it_counted(receive: Receive) -> None:
    place = receive()
    assert (place.ask("GET", "/healthz").body, place.ask("GET", "/readyz").body) == (b"ok\n", b"ok\n")
    body = spans(3, bad_span_ids=1)
    place.post(TRACES, body)
    place.post(TRACES, b"\xff")
    place.ask("GET", "/nowhere")
    answer = place.ask("GET", "/metrics")
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert place.metric("taximeter_receiver_accepted_items_total", transport="http", signal="traces") == 3
    assert place.metric("taximeter_receiver_rejected_items_total", transport="http", signal="traces") == 1
    assert place.metric("taximeter_receiver_accepted_requests_total") == 1
    assert place.metric("taximeter_receiver_refused_requests_total", reason="malformed") == 1
    assert place.metric("taximeter_receiver_refused_requests_total", reason="unknown_path") == 1
    assert place.metric("taximeter_receiver_received_bytes_total", transport="http") == len(body) + 1
    assert place.metric("taximeter_receiver_memory_in_use_bytes") == 0
    assert place.metric("taximeter_receiver_connections") == 1
    assert place.metric("taximeter_journal_records_total") == 1
    assert place.metric("taximeter_process_memory_bytes", process="receiver") > 1 << 20
    refused = place.post("/metrics", b"")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")


def test_with_tokens_only_the_metrics_need_one(receive: Receive) -> None:
    place = receive(environment={"TAXIMETER_RECEIVE_TOKENS": "a=one"})
    assert [place.ask("GET", path).status for path in ("/healthz", "/readyz", "/metrics")] == [200, 200, 401]
    assert place.ask("GET", "/metrics", headers={"authorization": "Bearer one"}).status == 200


def test_the_status_listener_tells_without_tls_and_tokens_and_takes_nothing(
    receive: Receive, certificates: Certificates
) -> None:
    place = receive(
        environment={"TAXIMETER_RECEIVE_TOKENS": "a=one"},
        tls=certificates.client(),
        **with_tls(certificates, receive__status="127.0.0.1:0"),
    )
    place.http, place.tls = place.status, None
    assert [place.ask("GET", path).status for path in ("/healthz", "/readyz", "/metrics")] == [200, 200, 200]
    assert place.post(TRACES, spans()).status == 404
    assert place.records() == []


# The end, and the word to read again


def test_everything_acknowledged_is_in_the_journal_when_it_is_stopped_under_load(collect: Collect) -> None:
    place = collect()
    acknowledged: list[bytes] = []
    sent = threading.Semaphore(0)

    def send() -> None:
        try:
            with place.wire() as wire:
                while True:
                    body = spans(20)
                    wire.send(request("POST", TRACES, body, TYPED))
                    if wire.answer().status == 200:
                        acknowledged.append(body)
                    sent.release()
        except (OSError, AssertionError):
            return

    senders = [threading.Thread(target=send) for _ in range(6)]
    for sender in senders:
        sender.start()
    for _ in range(100):
        sent.acquire()
    assert place.stop() == 0
    for sender in senders:
        sender.join()
    journaled = place.payloads()
    assert len(acknowledged) >= 100
    assert len(set(journaled)) == len(journaled)
    assert set(acknowledged) <= set(journaled)


def test_a_request_that_is_half_here_may_finish_when_it_is_stopped(tmp_path: Path) -> None:
    with in_thread(tmp_path) as place:
        body = spans()
        wire, idle = place.wire(), place.wire()
        wire.send(request("POST", TRACES, body, TYPED)[:-1])
        until(lambda: place.memory)
        assert place.receiver and place.loop
        import asyncio

        stopping = asyncio.run_coroutine_threadsafe(place.receiver._connections.drain(10), place.loop)
        assert idle.is_ended()
        wire.send(body[-1:])
        answer = wire.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        stopping.result(20)
        wire.close()
        idle.close()
    assert body in place.payloads()


def test_the_word_to_read_again_disturbs_nobody(tmp_path: Path, certificates: Certificates) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("a one\n")
    settings = with_tls(certificates, receive__token_file=str(tokens))
    with as_process(tmp_path, tls=certificates.client(), **settings) as place:
        failures: list[object] = []
        done = threading.Event()
        acknowledged: list[bytes] = []

        def send() -> None:
            while not done.is_set():
                body = spans()
                try:
                    answer = place.post(TRACES, body, authorization="Bearer one")
                except (OSError, AssertionError) as error:
                    failures.append(error)
                else:
                    (acknowledged if answer.status == 200 else failures).append(body)

        senders = [threading.Thread(target=send) for _ in range(2)]
        for sender in senders:
            sender.start()
        for turn in range(20):
            certificates.replace("server", "renewed" if turn % 2 else "client")
            place.reload()
            enough = len(acknowledged) + 4
            until(lambda enough=enough: len(acknowledged) >= enough or failures)
        done.set()
        for sender in senders:
            sender.join()
        assert failures == []
        assert set(acknowledged) == set(place.payloads())
        assert (tmp_path / "log").read_text().count("took new tokens") >= 1
