"""Forwarding: what arrives, whatever a backend does."""

from __future__ import annotations

import json
import logging
import ssl
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceResponse,
)
from taximeter_cli.main import main
from taximeter_collector.configuration import Config
from taximeter_collector.forward.answers import Verdict, of_http
from taximeter_collector.forward.dead_letter import DeadLetters
from taximeter_collector.forward.orders import ask_to_skip
from taximeter_collector.forward.overview import orphans, overview
from taximeter_collector.forward.splitting import halves
from taximeter_collector.forward.state import read_state
from taximeter_collector.forward.suspects import Suspects
from taximeter_collector.forward.treatment import Outgoing, Treatment
from taximeter_collector.journal import Record, Signal

from tests.collector.forwarding import Backend, Behaviour, Forwarding, forwarding, said, span_ids
from tests.collector.receiving import Certificates
from tests.e2e.collector import until
from tests.e2e.sending import log_records, points, spans

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


def arrived(backend: Backend, forwarder: Forwarding) -> bool:
    """Whether each span has arrived at least once."""
    return not forwarder.sent - backend.span_ids()


def all_arrive(backend: Backend, forwarder: Forwarding) -> None:
    until(lambda: arrived(backend, forwarder), "not all arrives")


def lone(name: str = "lone") -> bytes:
    """A request that is not joined with others where 4 KiB are the limit."""
    return spans(name, pad_bytes=2500)


# What arrives


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_requests_arrive_byte_for_byte_and_once(tmp_path: Path, compression: str) -> None:
    payloads = {"/v1/traces": spans(count=50), "/v1/metrics": points(count=5), "/v1/logs": log_records(count=5)}
    with Backend() as backend, forwarding(tmp_path, backend.url, compression=compression) as forwarder:
        for signal, payload in zip(Signal, payloads.values(), strict=True):
            forwarder.append(payload, signal, 5)
        forwarder.settled()
        assert {one.path: one.payload for one in backend.taken} == payloads
        assert len(backend.taken) == 3
        encodings = {one.headers.get("content-encoding", "none") for one in backend.taken}
        assert encodings == {compression}
        assert {one.headers["content-type"] for one in backend.taken} == {"application/x-protobuf"}


def test_each_signal_can_go_to_an_endpoint_of_its_own_and_others_stay_here(tmp_path: Path) -> None:
    with Backend() as backend, Backend() as other:
        more = {"logs_endpoint": f"{other.url}/ingest?stream=a", "signals": "traces,logs"}
        with forwarding(tmp_path, f"{backend.url}/otlp/", **more) as forwarder:
            forwarder.append(spans())
            forwarder.append(points(), Signal.METRICS, 1)
            forwarder.append(log_records(), Signal.LOGS, 1)
            forwarder.settled()
            assert [one.path for one in backend.taken] == ["/otlp/v1/traces"]
            assert [one.path for one in other.taken] == ["/ingest?stream=a"]


def test_one_request_at_a_time_keeps_their_order(tmp_path: Path) -> None:
    payloads = [lone(f"span {number}") for number in range(20)]
    with Backend() as backend, forwarding(tmp_path, backend.url, requests=1, max_request_bytes=4096) as forwarder:
        backend.then(lambda handler: handler.reply(503))
        for payload in payloads:
            forwarder.append(payload)
        forwarder.settled()
        assert [one.payload for one in backend.taken] == payloads


def test_keys_and_headers_are_sent_and_can_be_changed_while_it_runs(tmp_path: Path) -> None:
    key_file, headers_file = tmp_path / "key", tmp_path / "headers"
    key_file.write_text("first\n")
    headers_file.write_text("# of the backend\nX-Team: shop: 7\n")
    more = {"key_file": key_file, "headers_file": headers_file, "headers": "x-scope-orgid=a%2Cb"}
    environment = {"TAXIMETER_FORWARD_BACKEND_SECRET_HEADERS": "x-also=secret"}
    with Backend() as backend, forwarding(tmp_path, backend.url, environment, **more) as forwarder:
        forwarder.append(spans())
        forwarder.settled()
        sent = backend.taken[0].headers
        assert (sent["authorization"], sent["x-team"]) == ("Bearer first", "shop: 7")
        assert (sent["x-scope-orgid"], sent["x-also"]) == ("a,b", "secret")
        assert sent["user-agent"].startswith("taximeter-collector/")
        key_file.write_text("second")
        forwarder.reload()
        until(lambda: _key_of_next(backend, forwarder) == "Bearer second", "the key stays as it was")


def _key_of_next(backend: Backend, forwarder: Forwarding) -> str:
    forwarder.append(spans())
    forwarder.settled()
    return backend.taken[-1].headers["authorization"]


def test_a_proxy_of_the_environment_is_used_but_for_those_who_need_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Backend() as proxy, Backend() as backend:
        monkeypatch.setenv("http_proxy", proxy.url.replace("://", "://me:secret@"))
        monkeypatch.setenv("no_proxy", "localhost")
        with forwarding(tmp_path / "a", "http://otel.example:4318/x") as forwarder:
            forwarder.append(spans())
            forwarder.settled()
        with forwarding(tmp_path / "b", backend.url) as forwarder:
            forwarder.append(spans())
            forwarder.settled()
        assert [one.path for one in proxy.taken] == ["http://otel.example:4318/x/v1/traces"]
        assert proxy.taken[0].headers["proxy-authorization"] == "Basic bWU6c2VjcmV0"
        assert [one.path for one in backend.taken] == ["/v1/traces"]


# What a backend may do instead


def _never(handler: object) -> None:
    handler.server.ended.wait(60)  # type: ignore[attr-defined]


def _drips(handler: object) -> None:
    """A byte now and then, so that no single read takes long."""
    for mark in b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + b"x" * 1000:
        if handler.server.ended.wait(0.05):  # type: ignore[attr-defined]
            return
        handler.wfile.write(bytes([mark]))  # type: ignore[attr-defined]
        handler.wfile.flush()  # type: ignore[attr-defined]


WRONG: dict[str, tuple[Behaviour, str]] = {
    "never answers": (_never, "timeout"),
    "answers a byte at a time": (_drips, "timeout"),
    "429": (lambda handler: handler.reply(429), "http-429"),
    "502": (lambda handler: handler.reply(502, b"<html>", "text/html"), "http-502"),
    "500": (lambda handler: handler.reply(500), "http-500"),
    "401": (lambda handler: handler.reply(401, b"who are you", "text/plain"), "http-401"),
    "404": (lambda handler: handler.reply(404), "http-404"),
    "415": (lambda handler: handler.reply(415), "http-415"),
    "redirects": (lambda handler: handler.reply(302, location="https://login.example/"), "redirect"),
    "shows a web page": (
        lambda handler: handler.reply(200, b"<!doctype html>", "text/html; charset=utf-8"),
        "not-otlp",
    ),
    "says what is not HTTP": (lambda handler: handler.raw(b"\x00\x01SSH-2.0\r\n\r\n"), "not-http"),
    "hangs up": (lambda handler: handler.reset(), "reset"),
    "hangs up within the head of its answer": (lambda handler: handler.raw(b"HTTP/1.1 200 OK\r\nserver: x"), "reset"),
    "hangs up after a line of its answer": (lambda handler: handler.raw(b"HTTP/1.1 200 OK\r\n"), "reset"),
    "hangs up within its answer": (
        lambda handler: handler.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"),
        "reset",
    ),
}


@pytest.mark.parametrize("way", WRONG)
def test_whatever_a_backend_does_everything_arrives_when_it_is_well_again(
    tmp_path: Path, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is put aside or dropped, what failed is counted by reason, and it is said once, not for each request."""
    caplog.set_level(logging.INFO, "taximeter")
    behaviour, reason = WRONG[way]
    with (
        Backend() as backend,
        forwarding(tmp_path, backend.url, timeout="2s" if reason == "timeout" else "60s") as forwarder,
    ):
        forwarder.append(spans(count=3))
        forwarder.settled()
        backend.always = behaviour
        for _ in range(8):
            forwarder.append(spans(count=3))
        # What was under way together has failed by then, and one asks at a time: none fails after one gets through.
        until(lambda: len(backend.asked) >= (6 if reason == "timeout" else 10), "it does not try")
        assert not forwarder.is_done()
        backend.always = None
        all_arrive(backend, forwarder)
        forwarder.settled()
        forwarder.stop()
        assert set(forwarder.by_label("failed_attempts")) == {reason}
        assert forwarder.dead_letters() == []
    assert [line for line in said(caplog) if "request" in line or "nothing" in line] == [
        line for line in said(caplog) if line
    ]
    assert [line.split(" until")[0] for line in said(caplog)] == [
        "a destination will take nothing" if WRONG[way][1] in _TO_PUT_RIGHT else "a destination takes nothing now",
        "a destination takes requests again",
    ]


_TO_PUT_RIGHT = ("http-401", "http-404", "http-415", "redirect", "not-otlp")


@pytest.mark.parametrize(
    ("url", "reason"),
    [("http://nowhere.invalid:4318", "dns"), ("http://127.0.0.1:9", "connect"), ("grpc://127.0.0.1:9", "connect")],
)
def test_a_backend_that_is_not_there_is_waited_for(tmp_path: Path, url: str, reason: str) -> None:
    with forwarding(tmp_path, url) as forwarder:
        forwarder.append(spans())
        until(lambda: reason in forwarder.by_label("failed_attempts"), "it is not told")
        assert not forwarder.is_done()


def test_a_certificate_that_nobody_trusts_sends_nothing_and_one_that_is_named_does(
    tmp_path: Path, certificates: Certificates
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.path("server.pem"), certificates.path("server.key"))
    context.load_verify_locations(certificates.path("ca.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    with Backend(context=context) as backend:
        with forwarding(tmp_path / "a", backend.url) as forwarder:
            forwarder.append(spans())
            until(lambda: "tls" in forwarder.by_label("failed_attempts"), "it is not told")
            assert not backend.asked
        files = {"tls_ca": "ca.pem", "tls_certificate": "client.pem", "tls_key": "client.key"}
        more = {key: certificates.path(file) for key, file in files.items()}
        with forwarding(tmp_path / "b", backend.url, **more) as forwarder:
            forwarder.append(spans())
            all_arrive(backend, forwarder)


def test_a_key_that_is_put_right_is_used_at_once(tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("wrong")
    with Backend() as backend, forwarding(tmp_path, backend.url, key_file=key_file) as forwarder:
        forwarder.stop()
        forwarder.config = _with_pause(forwarder, 600)
        forwarder.start()
        backend.always = lambda handler: (
            backend.take(handler) if handler.asked.headers["authorization"] == "Bearer right" else handler.reply(401)
        )
        forwarder.append(spans())
        until(lambda: forwarder.by_label("failed_attempts").get("http-401"), "it is not told")
        key_file.write_text("right")
        forwarder.reload()
        forwarder.settled()


def _with_pause(forwarder: Forwarding, pause_s: float) -> Config:
    destination = replace(forwarder.config.forward["backend"], longest_pause_s=pause_s)
    return replace(forwarder.config, forward={"backend": destination})


def test_a_backend_is_not_asked_again_before_it_said(tmp_path: Path) -> None:
    moments: list[float] = []

    def later(handler: object) -> None:
        moments.append(time.monotonic())
        handler.reply(429, retry_after="1")  # type: ignore[attr-defined]

    with Backend() as backend, forwarding(tmp_path, backend.url, requests=1) as forwarder:
        backend.then(later, lambda handler: (moments.append(time.monotonic()), backend.take(handler))[0])
        forwarder.append(spans())
        all_arrive(backend, forwarder)
    assert moments[1] - moments[0] >= 1


def test_retry_after_is_seconds_or_a_date() -> None:
    assert of_http(429, {"retry-after": "7"}, b"", "traces").wait_s == 7
    wait_s = of_http(503, {"retry-after": formatdate(time.time() + 100, usegmt=True)}, b"", "traces").wait_s
    assert wait_s is not None and 50 < wait_s <= 100
    assert of_http(503, {"retry-after": "soon"}, b"", "traces").wait_s is None
    its_now = time.time() + 5000
    ahead = {"retry-after": formatdate(its_now + 30), "date": formatdate(its_now)}
    assert of_http(503, ahead, b"", "traces").wait_s == 30  # its clock is not ours
    assert of_http(503, {"retry-after": "99999999"}, b"", "traces").wait_s == 3600


def test_what_an_error_says_is_told_in_a_line() -> None:
    status = Status(message="no such\nproject").SerializeToString()
    answer = of_http(403, {"content-type": "application/x-protobuf"}, status, "traces")
    assert (answer.verdict, answer.message) == (Verdict.TO_PUT_RIGHT, "403 no such project")
    assert of_http(400, {"content-type": "application/json"}, b'{"message": "no"}', "logs").message == "400 no"
    assert of_http(400, {"content-type": "text/html"}, b"<html>", "logs").message == "400"


# What is refused for good


def test_what_is_refused_for_good_is_put_aside_with_the_reason_and_its_neighbours_arrive(tmp_path: Path) -> None:
    with Backend() as backend, forwarding(tmp_path, backend.url, max_request_bytes=4096) as forwarder:
        bad = lone("bad")
        backend.always = lambda handler: (
            handler.reply(400, b"a span without a name", "text/plain")
            if handler.asked.payload == bad
            else backend.take(handler)
        )
        for payload in (lone(), bad, lone()):
            forwarder.append(payload)
        forwarder.settled()
        assert len(backend.taken) == 2
        (letter,) = forwarder.dead_letters()
        assert letter["request"] == bad
        assert (letter["reason"], letter["message"]) == ("http-400", "400 a span without a name")
        assert (letter["signal"], letter["items"], letter["first"]) == ("traces", 1, 1)


def _refuses(bad: Counter[bytes], status: int, backend: Backend) -> Behaviour:
    """A request with one of these spans in it; all else is taken."""
    return lambda handler: handler.reply(status) if bad & span_ids(handler.asked.payload) else backend.take(handler)


@pytest.mark.parametrize("status", [400, 500])
def test_one_bad_record_of_a_request_costs_itself(tmp_path: Path, status: int) -> None:
    payload = spans(count=200)
    bad = Counter(list(span_ids(payload))[::90])
    with Backend() as backend, forwarding(tmp_path, backend.url) as forwarder:
        backend.always = _refuses(bad, status, backend)
        forwarder.append(payload)
        forwarder.settled()
        assert backend.span_ids() == forwarder.sent - bad
        assert sum((span_ids(letter["request"]) for letter in forwarder.dead_letters()), Counter()) == bad
        assert {letter["items"] for letter in forwarder.dead_letters()} == {1}


def test_a_backend_that_refuses_everything_is_not_asked_about_each_record(tmp_path: Path) -> None:
    with Backend() as backend, forwarding(tmp_path, backend.url, requests=1) as forwarder:
        backend.always = lambda handler: handler.reply(400)
        for number in range(8):
            forwarder.append(spans(count=200, pad_bytes=1000))
            until(lambda: len(backend.asked) > number, "it is not sent")  # noqa: B023 - asked at once
        forwarder.settled()
        refused = sum((span_ids(letter["request"]) for letter in forwarder.dead_letters()), Counter())
        assert refused == forwarder.sent
        assert len(backend.asked) < 200


def test_what_was_refused_can_be_sent_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Backend() as backend, forwarding(tmp_path, backend.url) as forwarder:
        backend.always = lambda handler: handler.reply(422)
        forwarder.append(spans())
        forwarder.settled()
        backend.always = None
        data = ["--data", str(forwarder.config.data), "--set", f"forward.backend.endpoint={backend.url}"]
        assert main(["forward", "retry", "backend", *data]) == 0
        assert "1 requests will be sent again" in capsys.readouterr().out
        all_arrive(backend, forwarder)
        letters = DeadLetters(forwarder.config.data, "backend")
        until(lambda: not (letters.letters() or letters.waiting() or letters.size()), "it is kept")


def test_what_is_refused_again_is_put_aside_again(tmp_path: Path) -> None:
    with Backend() as backend, forwarding(tmp_path, backend.url) as forwarder:
        backend.always = lambda handler: handler.reply(422)
        forwarder.append(spans())
        forwarder.settled()
        letters = DeadLetters(forwarder.config.data, "backend")
        assert letters.send_again() == 1
        until(lambda: len(backend.asked) == 2 and not letters.waiting(), "it is not sent")
        assert len(letters.letters()) == 1


def test_a_request_that_is_too_large_is_split_until_only_what_is_too_large_alone_is_put_aside(tmp_path: Path) -> None:
    limit = 60_000
    with Backend() as backend, forwarding(tmp_path, backend.url, compression="none") as forwarder:
        backend.always = lambda handler: handler.reply(413) if handler.asked.size > limit else backend.take(handler)
        small, large = spans(count=40, pad_bytes=5000), spans("large", pad_bytes=limit)
        forwarder.append(small + large)
        forwarder.settled()
        assert backend.span_ids() == span_ids(small)
        (letter,) = forwarder.dead_letters()
        assert span_ids(letter["request"]) == span_ids(large)
        assert letter["reason"] == "http-413"


def test_a_request_that_a_backend_fails_over_is_put_aside_when_others_get_through(tmp_path: Path) -> None:
    with Backend() as backend, forwarding(tmp_path, backend.url, requests=2) as forwarder:
        poison = spans("poison")
        backend.always = lambda handler: (
            handler.reply(500) if handler.asked.payload == poison else backend.take(handler)
        )
        forwarder.append(poison)
        until(lambda: len(backend.asked) > 6, "it does not try")
        assert forwarder.dead_letters() == []  # it may be the backend
        forwarder.append(spans())
        until(lambda: len(forwarder.dead_letters()) == 1, "it is tried for ever")
        forwarder.settled()


def test_requests_that_a_backend_fails_over_do_not_hold_up_those_behind_them(tmp_path: Path) -> None:
    """With one sender, nobody else could get through and tell whose fault it is."""
    poison = [spans("poison", pad_bytes=2500) for _ in range(2)]
    with Backend() as backend, forwarding(tmp_path, backend.url, requests=1, max_request_bytes=4096) as forwarder:
        backend.always = _refuses(sum(map(span_ids, poison), Counter()), 500, backend)
        for payload in (*poison, lone()):
            forwarder.append(payload)
        forwarder.settled()
        assert len(backend.taken) == 1
        assert {letter["request"] for letter in forwarder.dead_letters()} == set(poison)


def test_what_a_backend_rejects_of_a_request_is_counted_and_not_sent_again(tmp_path: Path) -> None:
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = 3
    response.partial_success.error_message = "too old"
    with Backend() as backend, forwarding(tmp_path, backend.url) as forwarder:
        told = json.dumps({"partialSuccess": {"rejectedSpans": "2", "errorMessage": "too new"}}).encode()
        backend.then(
            lambda handler: backend.take(handler, response.SerializeToString()),
            lambda handler: backend.take(handler, told, "application/json"),
        )
        forwarder.append(spans(count=10))
        forwarder.settled()
        forwarder.append(spans(count=10))
        forwarder.settled()
        forwarder.stop()
        assert len(backend.asked) == 2
        assert forwarder.by_label("dropped_items") == {"rejected": 5}
        assert forwarder.count("sent_items") == 15
        assert read_state(forwarder.config.data, "backend")["last_error"]["message"] == "too new"


@pytest.mark.parametrize("kind", ["application/x-protobuf", "application/json", "text/plain"])
def test_an_answer_of_ok_is_believed_whatever_is_in_it(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Backend() as backend, forwarding(tmp_path, backend.url, max_request_bytes=4096) as forwarder:
        backend.always = lambda handler: backend.take(handler, b"\xff\xff thanks", kind)
        for _ in range(3):
            forwarder.append(lone())
        forwarder.settled()
        assert len(backend.asked) == 3
    assert len([line for line in said(caplog) if "believed" in line]) == 1


def test_dead_letters_have_a_limit_at_which_sending_stops(tmp_path: Path) -> None:
    more = {"dead_letter_size": "1MiB", "max_request_bytes": "500KiB"}  # so that none is joined with another
    with Backend() as backend, forwarding(tmp_path, backend.url, **more) as forwarder:
        backend.always = lambda handler: handler.reply(400)
        for _ in range(3):
            forwarder.append(spans(pad_bytes=400_000))
        until(lambda: "dead-letters-full" in forwarder.by_label("failed_attempts"), "it goes on")
        until(lambda: len(forwarder.dead_letters()) == 2, "what there is room for is not kept")
        assert not forwarder.is_done()
        assert DeadLetters(forwarder.config.data, "backend").delete() == 2
        forwarder.settled()
        assert len(forwarder.dead_letters()) == 1


def test_dead_letters_that_are_put_aside_at_once_stay_within_their_limit(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path, "backend", 1 << 20)
    facts = {"journal_id": "x", "items": 1, "reason": "http-400", "treated": True}

    def keep(first: int) -> bool:
        return letters.keep(Signal.TRACES, bytes(300_000), facts | {"first": first})

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(keep, range(40))) == 3
    assert letters.size() == 900_000


def test_what_was_refused_can_be_sent_again_when_dead_letters_have_reached_their_limit(tmp_path: Path) -> None:
    with Backend() as backend, forwarding(tmp_path, backend.url, dead_letter_size="1MiB") as forwarder:
        backend.always = lambda handler: handler.reply(400)
        forwarder.append(spans(pad_bytes=900_000))
        forwarder.settled()
        letters = DeadLetters(forwarder.config.data, "backend")
        assert letters.send_again() == 1
        until(lambda: len(backend.asked) == 2 and not letters.waiting(), "it is stuck")
        assert len(letters.letters()) == 1


# Cursors


def test_the_cursor_passes_only_what_was_taken(tmp_path: Path) -> None:
    """The first of them is never answered, those behind it are: after a restart all of them are sent again."""
    more = {"drain_timeout": "0s", "timeout": "60s", "max_request_bytes": 4096}
    with Backend() as backend, forwarding(tmp_path, backend.url, **more) as forwarder:
        first = lone("first")
        backend.always = lambda handler: _never(handler) if handler.asked.payload == first else backend.take(handler)
        forwarder.append(first)
        until(lambda: backend.asked, "it does not try")
        others = [lone() for _ in range(5)]
        for payload in others:
            forwarder.append(payload)
        until(lambda: len(backend.taken) == 5, "one that waits holds up the others")
        forwarder.stop()
        assert forwarder.unread() == 6
        backend.always = None
        forwarder.start()
        forwarder.settled()
        assert not forwarder.sent - backend.span_ids()
        assert len(backend.taken) == 11


def test_a_record_that_cannot_be_treated_is_found_and_costs_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No record is known that does this; what is there is treated anew, for half of it may have been given out."""
    bad, take = spans("bad"), Treatment.take

    def fails(treatment: Treatment, records: Sequence[Record], now: float) -> list[Outgoing]:
        outgoing = take(treatment, records, now)
        if any(record.payload == bad for record in records):
            raise RuntimeError("a mistake")
        return outgoing

    monkeypatch.setattr(Treatment, "take", fails)
    with Backend() as backend, forwarding(tmp_path, backend.url, enrich="true") as forwarder:
        forwarder.stop()
        for number in range(30):
            forwarder.append(bad if number == 17 else spans())
        forwarder.start()
        forwarder.settled()
        assert not forwarder.sent - backend.span_ids() - span_ids(bad)
        (letter,) = forwarder.dead_letters()
        assert (letter["request"], letter["treated"], letter["first"]) == (bad, False, 17)


def test_a_record_that_processes_die_of_is_found_and_passed_over(tmp_path: Path) -> None:
    records = [Record(position, 0, Signal.TRACES, 1, "", b"") for position in range(100)]
    deaths, passed = 0, list[int]()
    while not passed:  # each time another process
        suspects = Suspects(tmp_path / "note")
        for portion in suspects.portions(records):
            if not suspects.begin(portion):
                passed += [record.position for record in portion]
            elif records[41] in portion:
                deaths += 1
                break
            else:
                suspects.over()
        suspects.close()
    assert passed == [41]
    assert deaths < 8


def test_a_process_that_is_killed_at_rest_raises_no_suspicion(tmp_path: Path) -> None:
    records = [Record(position, 0, Signal.TRACES, 1, "", b"") for position in range(10)]
    for _ in range(5):
        suspects = Suspects(tmp_path / "note")
        assert list(suspects.portions(records)) == [records]
        assert suspects.begin(records)
        suspects.over()
        suspects.close()


def test_a_dead_letter_that_a_process_died_of_is_not_sent_again(tmp_path: Path) -> None:
    with Backend() as backend, forwarding(tmp_path, backend.url) as forwarder:
        forwarder.stop()
        letters = DeadLetters(forwarder.config.data, "backend")
        facts = {"journal_id": "x", "first": 0, "items": 1, "reason": "not-treated", "treated": False}
        letters.keep(Signal.TRACES, spans(), facts)
        letters.send_again()
        suspects = Suspects(forwarder.config.run_folder / "forward-backend.treating")
        suspects.begin_letter(letters.waiting()[0].name)
        suspects.close()
        forwarder.start()
        forwarder.append(spans())
        forwarder.settled()
        assert len(backend.taken) == len(letters.letters()) == 1


def test_what_is_under_way_at_the_end_is_waited_for(tmp_path: Path) -> None:
    with (
        Backend() as backend,
        forwarding(tmp_path, backend.url, drain_timeout="60s", max_request_bytes=4096) as forwarder,
    ):
        backend.then(lambda handler: (handler.server.ended.wait(0.5), backend.take(handler))[1])
        for _ in range(10):
            forwarder.append(lone())
        until(lambda: backend.asked, "it does not try")
        forwarder.stop()
        assert forwarder.is_done()
        assert sum(backend.span_ids().values()) == 10


def test_what_is_before_a_destination_can_be_skipped(tmp_path: Path) -> None:
    with Backend() as backend, forwarding(tmp_path, backend.url) as forwarder:
        backend.always = lambda handler: handler.reply(503)
        for _ in range(5):
            forwarder.append(spans())
        until(lambda: backend.asked, "it does not try")
        ask_to_skip(forwarder.config.data, forwarder.config.journal.dir, "backend")
        forwarder.settled()
        backend.always = None
        later = spans()
        forwarder.append(later)
        until(lambda: backend.taken, "nothing is sent any more")
        forwarder.stop()
        assert [one.payload for one in backend.taken] == [later]
        assert forwarder.count("skipped_records") == 5


def test_what_comes_after_a_skip_was_asked_for_is_not_skipped(tmp_path: Path) -> None:
    with Backend() as backend, forwarding(tmp_path, backend.url) as forwarder:
        forwarder.stop()
        forwarder.append(spans())
        ask_to_skip(forwarder.config.data, forwarder.config.journal.dir, "backend")
        later = spans()
        forwarder.append(later)
        forwarder.start()
        forwarder.settled()
        assert [one.payload for one in backend.taken] == [later]


def test_requests_under_way_are_bounded_whatever_the_backlog(tmp_path: Path) -> None:
    with (
        Backend() as backend,
        forwarding(tmp_path, backend.url, in_flight="64KiB", requests=2, max_request_bytes="16KiB") as forwarder,
    ):
        backend.always = lambda handler: handler.reply(503)
        for _ in range(40):
            forwarder.append(spans(pad_bytes=10_000))
        until(lambda: len(backend.asked) > 5, "it does not try")
        until(lambda: forwarder.count("in_flight") > 0, "it is not told")
        assert forwarder.count("in_flight") <= 64 << 10
        backend.always = None
        all_arrive(backend, forwarder)


# What is told


def test_destinations_are_listed_with_what_is_before_them_and_what_they_got(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Backend() as backend, forwarding(tmp_path, backend.url) as forwarder:
        forwarder.append(spans(count=7))
        forwarder.settled()
        backend.always = lambda handler: handler.reply(503, b"moving house", "text/plain")
        forwarder.append(spans(count=2))
        until(lambda: forwarder.by_label("failed_attempts"), "it does not try")
        backend.always = None
        forwarder.settled()
        forwarder.stop()
        (info,) = overview(forwarder.config)
        everywhere = " ".join(f"{backend.url}/v1/{signal}" for signal in ("traces", "metrics", "logs"))
        assert (info.name, info.endpoint, info.sent_items) == ("backend", everywhere, 9)
        data = ["--data", str(forwarder.config.data), "--set", f"forward.backend.endpoint={backend.url}"]
        assert main(["forward", "ls", *data]) == 0
        assert "moving house" in capsys.readouterr().out
        assert main(["forward", "ls", "--json", *data]) == 0
        (told,) = json.loads(capsys.readouterr().out)
        assert (told["name"], told["state"], told["sent_items"]) == ("backend", "stopped", 9)
        assert told["last_error"]["reason"] == "http-503"


def test_the_cursor_of_a_destination_that_is_no_more_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Backend() as backend, forwarding(tmp_path, backend.url, name="old") as forwarder:
        forwarder.append(spans())
        forwarder.settled()
    assert orphans(forwarder.config) == []
    assert main(["forward", "ls", "--data", str(forwarder.config.data)]) == 0
    told = capsys.readouterr().out
    assert "orphan" in told and "taximeter journal forget forward-old" in told
    assert main(["journal", "forget", "forward-old", "--data", str(forwarder.config.data)]) == 0


def test_counts_go_on_over_restarts(tmp_path: Path) -> None:
    with Backend() as backend, forwarding(tmp_path, backend.url) as forwarder:
        for _ in range(2):
            forwarder.append(spans(count=4))
            forwarder.settled()
            forwarder.stop()
            forwarder.start()
        assert overview(forwarder.config)[0].sent_items == 8


def test_no_secret_is_ever_told(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not even if the backend repeats it."""
    caplog.set_level(logging.DEBUG)
    environment = {"TAXIMETER_FORWARD_BACKEND_KEY": "hunter2", "TAXIMETER_FORWARD_BACKEND_SECRET_HEADERS": "x=hunter2"}
    with Backend() as backend, forwarding(tmp_path, backend.url, environment) as forwarder:
        backend.always = lambda handler: handler.reply(401, b"the key hunter2 is unknown", "text/plain")
        forwarder.append(spans())
        until(lambda: forwarder.by_label("failed_attempts"), "it does not try")
        forwarder.stop()
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        data = ["--data", str(forwarder.config.data), "--set", f"forward.backend.endpoint={backend.url}"]
        for command in (["config", "show"], ["config", "show", "--json"], ["forward", "ls"], ["config", "check"]):
            assert main([*command, *data]) == 0
        left = "".join(file.read_text("latin-1") for file in forwarder.config.data.rglob("*.json"))
        told = capsys.readouterr().out + left + caplog.text + "".join(str(vars(one)) for one in caplog.records)
        assert "the key *** is unknown" in told
        assert "hunter2" not in told
        assert "hunter2" not in repr(overview(forwarder.config))


# Splitting


@pytest.mark.parametrize(
    ("signal", "make"), [(Signal.TRACES, spans), (Signal.LOGS, log_records)], ids=["traces", "logs"]
)
def test_halves_have_all_items_once_with_what_is_around_them(signal: Signal, make: object) -> None:
    payload = b"".join(make(count=count) for count in (1, 6, 2))  # type: ignore[operator]
    (first, some), (second, rest) = halves(signal, payload)
    assert (some + rest, min(some, rest) > 0) == (9, True)
    if signal is Signal.TRACES:
        assert span_ids(first) + span_ids(second) == span_ids(payload)


def test_a_metric_with_many_points_is_halved_by_its_points() -> None:
    payload = points(count=10)
    (first, some), (second, rest) = halves(Signal.METRICS, payload)
    assert (some + rest, min(some, rest) > 0) == (10, True)
    assert _points_of(first) + _points_of(second) == _points_of(payload)


def _points_of(payload: bytes) -> list[bytes]:
    (resource,) = ExportMetricsServiceRequest.FromString(payload).resource_metrics
    assert resource.resource.attributes
    return [point.SerializeToString() for point in resource.scope_metrics[0].metrics[0].sum.data_points]


# Traces that are waited for


def test_the_cursor_waits_for_traces_that_wait_and_for_those_that_are_judged_and_not_sent(tmp_path: Path) -> None:
    """What is judged while the backend takes nothing holds the cursor back, too, before its turn has come."""
    more = {
        "keep": "slower:1h",
        "sample": "0.999999999",
        "keep_window": "300ms",
        "in_flight": "64KiB",
        "max_request_bytes": 4096,
    }
    with Backend() as backend, forwarding(tmp_path, backend.url, drain_timeout="0s", requests=1, **more) as forwarder:
        backend.always = lambda handler: handler.reply(503)
        for _ in range(60):
            forwarder.append(lone())
        until(lambda: len(backend.asked) > 8, "it does not try")
        forwarder.stop()
        assert forwarder.unread() == 60
        backend.always = None
        forwarder.start()
        forwarder.settled()
        assert not forwarder.sent - backend.span_ids()


def test_at_the_end_traces_that_wait_are_judged_as_they_are(tmp_path: Path) -> None:
    more = {"keep": "slower:1h", "sample": "0.999999999", "keep_window": "1h", "drain_timeout": "60s"}
    with Backend() as backend, forwarding(tmp_path, backend.url, **more) as forwarder:
        forwarder.append(spans(count=2))
        until(lambda: forwarder.count("held_items") == 2, "they are not waited for")
        assert not backend.asked
        forwarder.stop()
        assert forwarder.is_done()
        assert backend.span_ids() == forwarder.sent


def test_dead_letters_that_cannot_be_written_are_told_once_and_nothing_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file is where their folder would be, as good as a disk that fails."""
    caplog.set_level(logging.INFO, "taximeter")
    with Backend() as backend, forwarding(tmp_path, backend.url) as forwarder:
        in_the_way = forwarder.config.data / "dead-letter"
        in_the_way.write_text("not a folder")
        backend.always = lambda handler: handler.reply(400)
        forwarder.append(spans())
        until(lambda: forwarder.by_label("failed_attempts").get("dead-letters-fail", 0) > 2, "it is not told")
        assert not forwarder.is_done()
        in_the_way.unlink()
        forwarder.settled()
        assert len(forwarder.dead_letters()) == 1
    assert said(caplog).count("a destination takes nothing now") == 1
