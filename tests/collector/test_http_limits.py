"""All that a peer can make grow over HTTP has an end: bodies, what they unpack to, time, connections."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from google.rpc.error_details_pb2 import RetryInfo
from taximeter_collector.receive.receiver import StartError

from tests.collector.receiving import (
    IN_CHUNKS,
    JSON,
    LOGS,
    PROTOBUF,
    TRACES,
    TYPED,
    Collect,
    Receive,
    Wire,
    chunked,
    compress_raw,
    in_thread,
    request,
    spans,
    until,
    watch,
    zstd,
)

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


@pytest.mark.parametrize(
    ("encoding", "empty"), [("gzip", gzip.compress(b"")), ("zstd", zstd.compress(b""))], ids=["gzip", "zstd"]
)
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
    place = receive(receive__max_request="4KiB")
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


def test_large_requests_one_after_another_on_a_connection_are_not_taken_for_framing(receive: Receive) -> None:
    """Each in as few reads as may be, and its head by itself, as clients send it."""
    place, body = receive(), spans(300, padding="x" * 600)
    with place.wire() as wire:
        for _ in range(20):
            whole = request("POST", TRACES, body, {"content-type": PROTOBUF})
            wire.send(whole[: -len(body)])
            wire.send(body)
            assert wire.answer().status == 200
    assert place.payloads() == [body] * 20


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
    place = receive(receive__memory="1MiB", receive__max_request="1MiB", receive__max_json_request="1MiB")
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
    place = receive(receive__memory="1MiB", receive__max_request="1MiB", receive__max_json_request="1MiB")
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
    place = receive(receive__request_timeout="1s")
    with place.wire() as wire, place.wire() as silent:
        wire.send(b"POST /v1/traces HTTP/1.1\r\nx: ")
        answer = wire.answer()
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert "more than 1 s" in answer.problem.message
        assert wire.is_ended()
        assert silent.is_ended()
    assert place.metric("taximeter_receiver_dropped_connections_total", reason="slow_request") == 1
    assert place.metric("taximeter_receiver_dropped_connections_total", reason="idle") == 1


def test_a_body_that_comes_too_slowly_is_ended_and_its_memory_is_free(receive: Receive) -> None:
    place = receive(receive__request_timeout="1s")
    with place.wire() as wire:
        wire.send(request("POST", TRACES, spans(), TYPED)[:-1])
        assert until(lambda: place.memory) > 0
        assert wire.answer().status == 408
    assert place.memory == 0
    place.is_well()


def test_a_second_request_has_its_own_time(receive: Receive) -> None:
    with receive(receive__request_timeout="1s").wire() as wire:
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
    until(lambda: place.memory == 0)
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
    place = receive(receive__request_timeout="1s")
    with place.wire() as wire:
        wire.socket.setblocking(False)
        asked = 0
        with pytest.raises((BlockingIOError, ConnectionError)):  # noqa: PT012 - one of them will be the first
            while asked < 100 << 20:
                asked += wire.socket.send(b"GET /metrics HTTP/1.1\r\nhost: c\r\n\r\n" * 1000)
    until(lambda: place.metric("taximeter_receiver_connections") == 1)
    place.is_well()


def test_a_peer_that_never_reads_is_dropped_and_its_bodies_are_forgotten(receive: Receive) -> None:
    place = receive(receive__request_timeout="1s")
    with place.wire() as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.socket.settimeout(1)
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
