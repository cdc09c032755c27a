"""Export requests, each with content of its own, and the plainest of senders."""

from __future__ import annotations

import http.client
import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

METHODS = {
    signal: f"/opentelemetry.proto.collector.{package}.v1.{service}Service/Export"
    for signal, package, service in (
        ("traces", "trace", "Trace"),
        ("metrics", "metrics", "Metrics"),
        ("logs", "logs", "Logs"),
    )
}


@dataclass
class Answer:
    """What came back: an HTTP status, or a gRPC code by its name."""

    status: int | str
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_delay_s: int | None = None

    @property
    def acknowledged(self) -> bool:
        return self.status in (200, "OK")


class Sender:
    """Sends requests, one at a time."""

    def send(self, payload: bytes, signal: str = "traces") -> Answer:
        """Send one, and wait for the answer."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the connection."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class HttpSender(Sender):
    """One connection. OSError or HTTPException if there is no answer; the next request takes a new one."""

    def __init__(self, url: str, token: str = "", timeout_s: float = 30) -> None:
        place = urlsplit(url)
        self._headers = {"content-type": "application/x-protobuf"}
        if token:
            self._headers["authorization"] = f"Bearer {token}"
        self._connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=timeout_s)

    def send(self, payload: bytes, signal: str = "traces", **headers: str) -> Answer:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            self._connection.request("POST", f"/v1/{signal}", payload, self._headers | more)
            response = self._connection.getresponse()
            message = response.read().decode("latin-1")
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        return Answer(response.status, message, {name.lower(): value for name, value in response.getheaders()})

    def close(self) -> None:
        self._connection.close()


class GrpcSender(Sender):
    """One channel, that is back soon after its server is."""

    def __init__(self, target: str, token: str = "", timeout_s: float = 30) -> None:
        options = [
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.initial_reconnect_backoff_ms", 50),
            ("grpc.min_reconnect_backoff_ms", 50),
            ("grpc.max_reconnect_backoff_ms", 200),
            ("grpc.enable_retries", 0),  # what fails is for the test to see
        ]
        self._channel = grpc.insecure_channel(target, options)
        self._calls = {signal: self._channel.unary_unary(method) for signal, method in METHODS.items()}
        self._metadata = [("authorization", f"Bearer {token}")] if token else []
        self._timeout_s = timeout_s

    def send(self, payload: bytes, signal: str = "traces") -> Answer:
        try:
            self._calls[signal](payload, timeout=self._timeout_s, metadata=self._metadata)
        except grpc.RpcError as error:
            return Answer(error.code().name, error.details() or "", retry_delay_s=_retry_delay_s(error))
        return Answer("OK")

    def close(self) -> None:
        self._channel.close()


def _retry_delay_s(error: grpc.RpcError) -> int | None:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in Status.FromString(value).details:
                info = RetryInfo()
                if detail.Unpack(info):
                    return int(info.retry_delay.seconds)
    return None


def spans(name: str = "chat", count: int = 1, pad_bytes: int = 0) -> bytes:
    """A request with spans that nobody else sends."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "tests"
    scope = resource.scope_spans.add()
    scope.scope.name = "tests"
    for _ in range(count):
        span = scope.spans.add(trace_id=os.urandom(16), span_id=os.urandom(8), name=name, kind=3)
        span.start_time_unix_nano = time.time_ns()
        span.end_time_unix_nano = time.time_ns()
        span.status.code = 1
        if pad_bytes:
            span.attributes.add(key="pad").value.bytes_value = os.urandom(pad_bytes)
    return request.SerializeToString()


def points(name: str = "tokens", count: int = 1) -> bytes:
    """A request with the points of a counter."""
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "tests"
    scope = resource.scope_metrics.add()
    scope.scope.name = "tests"
    counter = scope.metrics.add(name=name, unit="{token}").sum
    counter.aggregation_temporality = 1
    for _ in range(count):
        counter.data_points.add(time_unix_nano=time.time_ns(), as_int=random.getrandbits(62))
    return request.SerializeToString()


def log_records(text: str = "said", count: int = 1) -> bytes:
    """A request with log records."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "tests"
    scope = resource.scope_logs.add()
    scope.scope.name = "tests"
    for _ in range(count):
        record = scope.log_records.add(time_unix_nano=time.time_ns(), severity_number=9, event_name="test")
        record.body.string_value = f"{text} {os.urandom(8).hex()}"
    return request.SerializeToString()


REQUESTS = {"traces": spans, "metrics": points, "logs": log_records}
