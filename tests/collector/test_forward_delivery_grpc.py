"""Forwarding over gRPC: what arrives, whatever a backend answers."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from taximeter_collector.forward.compression import COMPRESS
from taximeter_collector.journal import Signal

from tests.collector.forwarding import forwarding, span_ids
from tests.collector.receiving import Certificates
from tests.e2e.collector import until
from tests.e2e.sending import METHODS, log_records, points, spans

Answer = Callable[[bytes, Any], bytes]


class GrpcBackend(grpc.GenericRpcHandler):
    """Takes requests; `then` has the next ones answered otherwise, `always` all of them."""

    def __init__(self, credentials: Any = None) -> None:
        self.taken: list[tuple[str, bytes, dict[str, Any]]] = []
        self.moments: list[float] = []
        self.always: Answer | None = None
        self._next: deque[Answer] = deque()
        self._lock = threading.Lock()
        self.server = grpc.server(ThreadPoolExecutor(8), handlers=[self])
        add = self.server.add_insecure_port if credentials is None else self.server.add_secure_port
        more = () if credentials is None else (credentials,)
        self.port = add("localhost:0", *more)
        self.url = f"{'grpc' if credentials is None else 'grpcs'}://localhost:{self.port}"
        self.server.start()

    def service(self, details: Any) -> Any:
        if details.method not in METHODS.values():
            return None
        metadata = dict(details.invocation_metadata)

        def export(message: bytes, context: Any) -> bytes:
            with self._lock:
                self.moments.append(time.monotonic())
                answer = self._next.popleft() if self._next else self.always
            if answer:
                return answer(message, context)
            with self._lock:
                self.taken.append((details.method, message, metadata))
            return b""

        return grpc.unary_unary_rpc_method_handler(export)

    def then(self, *answers: Answer) -> None:
        """Answer the next requests in these ways."""
        self._next.extend(answers)

    def span_ids(self) -> Counter[bytes]:
        """How often each span was taken."""
        return sum((span_ids(message) for _, message, _ in list(self.taken)), Counter())


@pytest.fixture
def backend() -> Iterator[GrpcBackend]:
    made = GrpcBackend()
    yield made
    made.server.stop(0).wait()


def failing(code: grpc.StatusCode, details: str = "", wait_s: float | None = None) -> Answer:
    """Answers with an error; with a RetryInfo if there is a time."""

    def answer(_: bytes, context: Any) -> bytes:
        if wait_s is not None:
            status, detail = Status(code=code.value[0]), AnyMessage()
            detail.Pack(RetryInfo(retry_delay=Duration(nanos=int(wait_s * 1e9))))
            status.details.append(detail)
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(code, details)
        raise AssertionError

    return answer


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_requests_arrive_byte_for_byte_and_once(tmp_path: Path, backend: GrpcBackend, compression: str) -> None:
    payloads = {"traces": spans(count=50), "metrics": points(count=5), "logs": log_records(count=5)}
    environment = {"TAXIMETER_FORWARD_BACKEND_KEY": "abc"}
    with forwarding(tmp_path, backend.url, environment, compression=compression) as forwarder:
        for signal, payload in zip(Signal, payloads.values(), strict=True):
            forwarder.append(payload, signal, 5)
        forwarder.settled()
        expected = {METHODS[signal]: payload for signal, payload in payloads.items()}
        assert {method: message for method, message, _ in backend.taken} == expected
        assert len(backend.taken) == 3
        assert {told["authorization"] for _, _, told in backend.taken} == {"Bearer abc"}


def test_messages_are_compressed_by_us_with_the_grpc_that_is_installed(
    tmp_path: Path, backend: GrpcBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes a way into grpcio that grpcio does not promise; without it, gzip costs five times as much."""
    compressed = list[bytes]()
    gzip = COMPRESS["gzip"]
    monkeypatch.setitem(COMPRESS, "gzip", lambda data: (compressed.append(data), gzip(data))[1])
    with forwarding(tmp_path, backend.url) as forwarder:
        payload = spans(count=50)
        forwarder.append(payload)
        forwarder.settled()
        assert compressed == [message for _, message, _ in backend.taken] == [payload]


def test_a_connection_over_which_nothing_comes_is_made_anew(tmp_path: Path, backend: GrpcBackend) -> None:
    peers, ended = list[str](), threading.Event()

    def first_hangs(message: bytes, context: Any) -> bytes:
        peers.append(context.peer())
        if len(peers) == 1:
            ended.wait(60)
        return b""

    backend.always = first_hangs
    with forwarding(tmp_path, backend.url, timeout="500ms", requests=1) as forwarder:
        forwarder.append(spans())
        forwarder.settled()
    ended.set()
    assert peers[0] not in peers[1:] != []


CODES = [
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.INTERNAL,
]


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_what_may_be_well_again_is_tried_again(tmp_path: Path, backend: GrpcBackend, code: grpc.StatusCode) -> None:
    backend.then(failing(code), failing(code))
    with forwarding(tmp_path, backend.url) as forwarder:
        forwarder.append(spans(count=4))
        forwarder.settled()
        forwarder.stop()
        assert backend.span_ids() == forwarder.sent
        assert forwarder.by_label("failed_attempts") == {f"grpc-{code.name.lower().replace('_', '-')}": 2}
        assert forwarder.dead_letters() == []


def test_a_backend_is_not_asked_again_before_it_said(tmp_path: Path, backend: GrpcBackend) -> None:
    backend.then(failing(grpc.StatusCode.UNAVAILABLE, "busy", wait_s=0.9))
    with forwarding(tmp_path, backend.url) as forwarder:
        forwarder.append(spans())
        forwarder.settled()
    first, second = backend.moments
    assert second - first >= 0.9


def test_what_is_refused_for_good_is_put_aside_with_the_reason(tmp_path: Path, backend: GrpcBackend) -> None:
    backend.then(failing(grpc.StatusCode.INVALID_ARGUMENT, "a span without a name"))
    with forwarding(tmp_path, backend.url) as forwarder:
        forwarder.append(spans())
        forwarder.settled()
        (letter,) = forwarder.dead_letters()
        assert (letter["reason"], letter["items"]) == ("grpc-invalid-argument", 1)
        assert letter["message"] == "INVALID_ARGUMENT: a span without a name"


def test_a_message_that_is_too_large_is_split(tmp_path: Path, backend: GrpcBackend) -> None:
    limit = 50_000

    def answer(message: bytes, context: Any) -> bytes:
        if len(message) > limit:
            details = f"grpc: received message larger than max ({len(message)} vs. {limit})"
            return failing(grpc.StatusCode.RESOURCE_EXHAUSTED, details)(message, context)
        backend.taken.append(("", message, {}))
        return b""

    backend.always = answer
    with forwarding(tmp_path, backend.url) as forwarder:
        forwarder.append(spans(count=30, pad_bytes=6000))
        forwarder.settled()
        assert backend.span_ids() == forwarder.sent
        assert forwarder.dead_letters() == []


def test_what_a_backend_rejects_of_a_request_is_counted(tmp_path: Path, backend: GrpcBackend) -> None:
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = 2
    backend.then(lambda message, context: response.SerializeToString())
    with forwarding(tmp_path, backend.url) as forwarder:
        forwarder.append(spans(count=5))
        forwarder.settled()
        forwarder.stop()
        assert len(backend.moments) == 1
        assert (forwarder.count("sent_items"), forwarder.by_label("dropped_items")) == (3, {"rejected": 2})


def test_one_that_never_answers_is_given_up_at_the_end_and_sent_again(tmp_path: Path, backend: GrpcBackend) -> None:
    ended = threading.Event()

    def never(message: bytes, context: Any) -> bytes:
        ended.wait(60)
        return b""

    backend.always = never
    with forwarding(tmp_path, backend.url, drain_timeout="0s") as forwarder:
        forwarder.append(spans())
        until(lambda: backend.moments, "it does not try")
        forwarder.stop()
        assert forwarder.unread() == 1
        ended.set()
        backend.always = None
        forwarder.start()
        forwarder.settled()
        assert backend.span_ids() == forwarder.sent


def test_certificates_are_asked_for_and_shown(tmp_path: Path, certificates: Certificates) -> None:
    key, chain, ca = (certificates.read(name) for name in ("server.key", "server.pem", "ca.pem"))
    secure = GrpcBackend(grpc.ssl_server_credentials([(key, chain)], ca, require_client_auth=True))
    try:
        with forwarding(tmp_path / "a", secure.url) as forwarder:
            forwarder.append(spans())
            until(lambda: "tls" in forwarder.by_label("failed_attempts"), "it is not told")
        files = {"tls_ca": "ca.pem", "tls_certificate": "client.pem", "tls_key": "client.key"}
        more = {key: certificates.path(file) for key, file in files.items()}
        with forwarding(tmp_path / "b", secure.url, **more) as forwarder:
            forwarder.append(spans())
            forwarder.settled()
            assert secure.span_ids() == forwarder.sent
    finally:
        secure.server.stop(0).wait()


@pytest.mark.parametrize("header", ["x-bin=1", "bad!name=1"])
def test_a_header_that_grpc_does_not_take_is_for_the_user_to_put_right(
    tmp_path: Path, backend: GrpcBackend, header: str
) -> None:
    with forwarding(tmp_path, backend.url, headers=header) as forwarder:
        forwarder.append(spans())
        until(lambda: "metadata" in forwarder.by_label("failed_attempts"), "it is not told")
        assert not forwarder.is_done()
