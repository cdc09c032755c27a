"""OTLP over gRPC: the same as over HTTP, in gRPC's words."""

from __future__ import annotations

import gzip
import os
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.collector.receiving import AsProcess, Certificates, as_process, logs, metrics, spans, until

Collect = Callable[..., AsProcess]

_SERVICES = "/opentelemetry.proto.collector"
TRACES = f"{_SERVICES}.trace.v1.TraceService/Export"
METRICS = f"{_SERVICES}.metrics.v1.MetricsService/Export"
LOGS = f"{_SERVICES}.logs.v1.LogsService/Export"
PROFILES = f"{_SERVICES}.profiles.v1development.ProfilesService/Export"


@contextmanager
def channel(place: AsProcess, credentials: grpc.ChannelCredentials | None = None) -> Iterator[grpc.Channel]:
    """A connection of its own."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
    made = (
        grpc.secure_channel(f"localhost:{place.grpc.port}", credentials, options)
        if credentials
        else grpc.insecure_channel(str(place.grpc), options)
    )
    with made:
        yield made


def export(
    place: AsProcess, method: str, message: bytes, credentials: grpc.ChannelCredentials | None = None, **more: Any
) -> bytes:
    """The response in bytes; grpc.RpcError otherwise."""
    with channel(place, credentials) as made:
        answer: bytes = made.unary_unary(method)(message, timeout=60, **more)
        return answer


def refusal(place: AsProcess, method: str, message: bytes, **more: Any) -> tuple[StatusCode, str, Status]:
    """The status, what is said, and the details in the trailer."""
    with pytest.raises(grpc.RpcError) as caught:
        export(place, method, message, **more)
    error: Any = caught.value
    details = dict(error.trailing_metadata() or ())
    return error.code(), error.details(), Status.FromString(details.get("grpc-status-details-bin", b""))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AsProcess]:
    """A collector as it comes, for all tests that need nothing else; afterwards no memory may be in use."""
    with as_process(tmp_path_factory.mktemp("data")) as running:
        yield running
        until(lambda: running.metric("taximeter_receiver_memory_in_use_bytes") == 0)


# What is answered


@pytest.mark.parametrize(
    ("method", "body"), [(TRACES, spans(3)), (METRICS, metrics(2).SerializeToString()), (LOGS, logs(3))]
)
def test_what_is_acknowledged_is_in_the_journal_byte_for_byte(place: AsProcess, method: str, body: bytes) -> None:
    assert export(place, method, body) == b""
    assert place.payloads().count(body) == 1


@pytest.mark.parametrize("method", [TRACES, METRICS, LOGS])
def test_an_empty_request_succeeds(place: AsProcess, method: str) -> None:
    assert export(place, method, b"") == b""


def test_what_is_good_lands_and_what_is_absurd_is_counted_to_the_sender(place: AsProcess) -> None:
    later = b"\xfa\x3f\x05later"
    answer = export(place, TRACES, spans(5, bad_trace_ids=2) + later)
    partial = ExportTraceServiceResponse.FromString(answer).partial_success
    assert (partial.rejected_spans, partial.error_message[:35]) == (2, "2 spans without a valid trace_id (1")
    last = place.records()[-1]
    assert last.items == len(ExportTraceServiceRequest.FromString(last.payload).resource_spans[0].scope_spans[0].spans)
    assert later in last.payload

    nameless = metrics()
    nameless.resource_metrics[0].scope_metrics[0].metrics[0].name = ""
    answer = export(place, METRICS, nameless.SerializeToString())
    assert ExportMetricsServiceResponse.FromString(answer).partial_success.rejected_data_points == 2
    assert ExportLogsServiceResponse.FromString(export(place, LOGS, logs())) == ExportLogsServiceResponse()


def test_what_cannot_be_read_is_an_invalid_argument(place: AsProcess) -> None:
    code, says, details = refusal(place, TRACES, b"\xffgarbage")
    assert (code, details.code, details.message) == (StatusCode.INVALID_ARGUMENT, 3, says)
    assert "ExportTraceServiceRequest" in says
    assert not details.details


def test_profiles_are_refused_clearly_and_unknown_methods_too(place: AsProcess) -> None:
    code, says, details = refusal(place, PROFILES, b"x" * 100)
    assert (code, details.code) == (StatusCode.UNIMPLEMENTED, 12)
    assert says == "profiles are not accepted; this collector takes traces, metrics and logs"
    assert refusal(place, "/nobody.Knows/This", b"")[0] is StatusCode.UNIMPLEMENTED


def test_it_can_be_asked_for_its_health(place: AsProcess) -> None:
    assert export(place, "/grpc.health.v1.Health/Check", b"") == b"\x08\x01"


# Compression and limits


@pytest.mark.parametrize(
    "compression", [grpc.Compression.Gzip, grpc.Compression.Deflate, grpc.Compression.NoCompression]
)
def test_a_compressed_message_is_journaled_as_it_was_before(place: AsProcess, compression: grpc.Compression) -> None:
    body = spans(50)
    assert export(place, TRACES, body, compression=compression) == b""
    assert place.payloads().count(body) == 1


def test_what_a_sender_compressed_itself_is_undone_by_its_first_bytes(place: AsProcess) -> None:
    body = spans(50)
    for compress in (gzip.compress, zlib.compress):
        assert export(place, TRACES, compress(body)) == b""
    assert place.payloads().count(body) == 2


def test_an_uncompressed_message_that_begins_like_a_compressed_one_is_not_harmed(place: AsProcess) -> None:
    """0x78 0x01 is field 15, which the request does not have, with the value 1; and what zlib may begin with."""
    body = b"\x78\x01" + spans(2)
    assert export(place, TRACES, body) == b""
    assert place.payloads().count(body) == 1


@pytest.mark.parametrize(
    "bad",
    [gzip.compress(spans(20))[:-1], b"\x1f\x8bgarbage", gzip.compress(b"\xff")],
    ids=["cut off", "only a beginning", "of nothing that can be read"],
)
def test_damaged_compression_is_an_invalid_argument(place: AsProcess, bad: bytes) -> None:
    assert refusal(place, TRACES, bad)[0] is StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "bomb",
    [gzip.compress(bytes(65 << 20)), zlib.compress(bytes(65 << 20))],
    ids=["gzip", "deflate"],
)
def test_a_bomb_is_refused_as_too_large_and_not_to_be_tried_again(place: AsProcess, bomb: bytes) -> None:
    code, says, details = refusal(place, TRACES, bomb)
    assert (code, details.code) == (StatusCode.RESOURCE_EXHAUSTED, 8)
    assert says == f"the body is larger than {64 << 20} bytes after decompression"
    assert not details.details
    until(lambda: place.rss < 300 << 20)


def test_a_message_of_exactly_the_limit_is_taken_and_one_byte_more_is_not(collect: Collect) -> None:
    place = collect(receive__max_request="100KiB", receive__max_json_request="100KiB")
    limit = 100 << 10
    short = spans()

    def of(size: int) -> bytes:
        room = size - len(short) - 5
        return short + b"\xfa\x3f" + bytes([room & 0x7F | 0x80, room >> 7 & 0x7F | 0x80, room >> 14]) + bytes(room)

    assert (len(of(limit)), len(of(limit + 1))) == (limit, limit + 1)
    for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
        assert export(place, TRACES, of(limit), compression=compression) == b""
        assert refusal(place, TRACES, of(limit + 1), compression=compression)[0] is StatusCode.RESOURCE_EXHAUSTED
    assert place.payloads() == [of(limit), of(limit)]


def test_a_journal_at_its_limit_is_unavailable_and_says_when_to_come_again(collect: Collect) -> None:
    place = collect(receive__max_request="1MiB", journal__max_size="4MiB", journal__segment_size="1MiB")
    body = spans(padding="x" * 500_000)
    taken = 0
    with channel(place) as made:
        call = made.unary_unary(TRACES)
        with pytest.raises(grpc.RpcError) as caught:  # noqa: PT012 - one of them will be the first
            for _ in range(20):
                call(body, timeout=60)
                taken += 1
    error: Any = caught.value
    details = Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    retry = RetryInfo()
    assert (error.code(), details.code, details.message) == (StatusCode.UNAVAILABLE, 14, error.details())
    assert details.details[0].Unpack(retry) and retry.retry_delay.seconds == 5
    assert "journal" in error.details() or "limit" in error.details() or "full" in error.details()
    assert len(place.records()) == taken > 2
    assert place.metric("taximeter_receiver_refused_requests_total", transport="grpc", reason="journal_full") == 1


def test_beyond_the_memory_for_bodies_a_sender_is_told_to_come_again(collect: Collect) -> None:
    place = collect(receive__memory="1MiB", receive__max_request="1MiB", receive__max_json_request="1MiB")
    with place.wire() as wire:
        wire.send(b"POST /v1/traces HTTP/1.1\r\ncontent-type: application/x-protobuf\r\ncontent-length: 900000\r\n\r\n")
        wire.send(bytes(899_999))
        until(lambda: place.metric("taximeter_receiver_memory_in_use_bytes") == 899_999)
        code, _, details = refusal(place, TRACES, bytes(400 << 10))
        assert (code, details.details[0].type_url) == (
            StatusCode.UNAVAILABLE,
            "type.googleapis.com/google.rpc.RetryInfo",
        )
        assert export(place, TRACES, spans()) == b""
    until(lambda: place.metric("taximeter_receiver_memory_in_use_bytes") == 0)


# Who may send


def test_whoever_has_a_token_may_send_and_its_name_is_in_the_journal(collect: Collect, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("team-a alpha\nteam-b beta\n")
    place = collect(receive__token_file=str(tokens))
    for token in ("alpha", "beta"):
        assert export(place, TRACES, spans(), metadata=[("authorization", f"Bearer {token}")]) == b""
    assert [record.sender for record in place.records()] == ["team-a", "team-b"]
    for metadata in ([], [("authorization", "Bearer wrong")], [("authorization", "alpha")]):
        code, says, details = refusal(place, TRACES, spans(), metadata=metadata)
        assert (code, details.code) == (StatusCode.UNAUTHENTICATED, 16)
        assert "Authorization: Bearer TOKEN" in says
    assert len(place.records()) == 2
    assert export(place, "/grpc.health.v1.Health/Check", b"") == b"\x08\x01"

    tokens.write_text("team-c gamma\n")
    place.reload()
    until(lambda: "took new tokens" in (tmp_path / "log").read_text())
    assert export(place, TRACES, spans(), metadata=[("authorization", "Bearer gamma")]) == b""
    assert (
        refusal(place, TRACES, spans(), metadata=[("authorization", "Bearer alpha")])[0] is StatusCode.UNAUTHENTICATED
    )


def test_whoever_has_no_token_is_refused_before_a_message_is_read(collect: Collect) -> None:
    place = collect(environment={"TAXIMETER_RECEIVE_TOKENS": "a=one"})
    with channel(place) as made:
        held = threading.Event()

        def never() -> Iterator[bytes]:
            held.wait(60)
            yield b""

        with pytest.raises(grpc.RpcError) as caught:
            made.stream_unary(TRACES)(never(), timeout=60)
        held.set()
    assert caught.value.code() is StatusCode.UNAUTHENTICATED


def with_tls(certificates: Certificates, **more: str) -> dict[str, str]:
    return {
        "receive__tls_certificate": certificates.path("server.pem"),
        "receive__tls_key": certificates.path("server.key"),
    } | more


def test_over_tls_certificates_are_checked_on_both_sides_and_read_again(
    collect: Collect, certificates: Certificates, tmp_path: Path
) -> None:
    place = collect(
        tls=certificates.client("client"),
        **with_tls(certificates, receive__tls_client_ca=certificates.path("ca.pem")),
    )

    def credentials(name: str, authority: str = "ca.pem") -> grpc.ChannelCredentials:
        pair = (certificates.read(f"{name}.key"), certificates.read(f"{name}.pem")) if name else (None, None)
        return grpc.ssl_channel_credentials(certificates.read(authority), *pair)

    assert export(place, TRACES, spans(), credentials("client")) == b""
    for wrong in (credentials(""), credentials("stranger"), credentials("client", "stranger.pem")):
        with pytest.raises(grpc.RpcError) as caught:
            export(place, TRACES, spans(), wrong)
        assert caught.value.code() is StatusCode.UNAVAILABLE
    with pytest.raises(grpc.RpcError):
        export(place, TRACES, spans())
    before = grpc_certificate(place, certificates)
    certificates.replace("server", "renewed")
    place.reload()
    until(lambda: grpc_certificate(place, certificates) != before)
    Path(certificates.path("server.pem")).write_text("garbage")
    place.reload()
    until(lambda: "kept the old tokens and certificates" in (tmp_path / "log").read_text())
    assert grpc_certificate(place, certificates) != before
    assert export(place, TRACES, spans(), credentials("client")) == b""
    assert len(place.records()) == 2


def grpc_certificate(place: AsProcess, certificates: Certificates) -> Any:
    context = certificates.client("client")
    context.set_alpn_protocols(["h2"])
    plain = socket.create_connection((place.grpc.host, place.grpc.port))
    with plain, context.wrap_socket(plain, server_hostname="localhost") as tls:
        return (tls.getpeercert() or {})["serialNumber"]


# What a peer may do


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\x04\0\0\0\0\0"


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        os.urandom(5000),
        PREFACE + os.urandom(5000),
        PREFACE + SETTINGS + b"\x00\x40\x00\x01\x04\x00\x00\x00\x01" + os.urandom(1 << 14),
        PREFACE + SETTINGS * 10_000,
        PREFACE + SETTINGS + b"\0\0\x08\x06\0\0\0\0\0pingpong" * 1000,
        PREFACE + SETTINGS + b"\xff\xff\xff\x00\0\0\0\0\x01",
        PREFACE + SETTINGS + b"".join(b"\0\0\x04\x03\0\0\0\0%c\0\0\0\x08" % stream for stream in range(1, 200, 2)),
    ],
    ids=["HTTP/1.1", "noise", "noise in frames", "noise in headers", "settings", "pings", "a giant", "resets"],
)
def test_what_is_not_grpc_harms_nobody(place: AsProcess, garbage: bytes) -> None:
    pid = place.receiver.pid
    with channel(place) as neighbour:
        call = neighbour.unary_unary(TRACES)
        assert call(spans(), timeout=60) == b""
        with socket.create_connection((place.grpc.host, place.grpc.port)) as rude:
            try:
                rude.sendall(garbage)
                assert call(spans(), timeout=60) == b""
                rude.settimeout(0.05)
                rude.recv(1 << 16)
            except OSError:
                pass
        assert call(spans(), timeout=60) == b""
    assert place.receiver.pid == pid


def test_senders_that_hang_up_while_the_disk_works_leave_nothing_behind(place: AsProcess) -> None:
    with channel(place) as made:
        call = made.unary_unary(TRACES)
        for _ in range(100):
            call.future(spans(50)).cancel()
        assert call(spans(), timeout=60) == b""
    until(lambda: place.metric("taximeter_receiver_memory_in_use_bytes") == 0)


def test_two_collectors_cannot_share_a_port(place: AsProcess, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"receive\.grpc"):
        with as_process(tmp_path, receive__grpc=str(place.grpc)):
            pass


def test_everything_acknowledged_is_in_the_journal_when_it_is_stopped_under_load(collect: Collect) -> None:
    place = collect()
    acknowledged: list[bytes] = []
    sent = threading.Semaphore(0)

    def send() -> None:
        with channel(place) as made:
            call = made.unary_unary(TRACES)
            try:
                while True:
                    body = spans(20)
                    call(body, timeout=60)
                    acknowledged.append(body)
                    sent.release()
            except grpc.RpcError:
                return

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    for _ in range(100):
        sent.acquire()
    assert place.stop() == 0
    for sender in senders:
        sender.join()
    journaled = place.payloads()
    assert len(set(journaled)) == len(journaled)
    assert set(acknowledged) <= set(journaled)
