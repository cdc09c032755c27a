"""Who may send over HTTP, over what, and what the receiver says of itself."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
from taximeter_collector.receive.access import AccessError

from tests.collector.receiving import (
    JSON,
    PROTOBUF,
    TRACES,
    TYPED,
    Certificates,
    Collect,
    InThread,
    Receive,
    Wire,
    as_process,
    in_thread,
    request,
    spans,
    until,
)

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
