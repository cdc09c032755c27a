"""What a backend's answer means: taken, later, smaller, never, or for the user to put right."""

from __future__ import annotations

import enum
import json
import re
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

__all__ = ["Answer", "Verdict", "of_grpc", "of_http", "taken"]

_LONGEST_WAIT_S = 3600.0
_MESSAGE_CHARACTERS = 2000  # people get less, when secrets have been taken out


class Verdict(enum.Enum):
    """What is to be done about a request."""

    TAKEN = "taken"
    LATER = "later"
    """The backend cannot at this moment: try again."""
    BROKEN = "broken"
    """The backend failed over it: try again, unless others get through and this one does not."""
    TO_PUT_RIGHT = "to put right"
    """No request like this one will be taken until the user has changed something: try again, slowly."""
    TOO_LARGE = "too large"
    REFUSED = "refused"
    """It is this request, and it will always be so."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, or did not. `reason` is one of a few words, for a metric; `message` is for a person."""

    verdict: Verdict
    reason: str
    message: str = ""
    wait_s: float | None = None
    """What the backend asked for."""
    rejected: int = 0
    """Items that it did not take of a request that it took."""
    is_readable: bool = True


_RESPONSES: dict[str, Any] = {
    "traces": (ExportTraceServiceResponse, "rejected_spans"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points"),
    "logs": (ExportLogsServiceResponse, "rejected_log_records"),
}
_HTTP = {
    Verdict.LATER: (408, 425, 429, 502, 503, 504),
    Verdict.TO_PUT_RIGHT: (401, 402, 403, 404, 405, 407, 415, 421, 426, 451),
    Verdict.TOO_LARGE: (413,),
}
_VERDICT_OF_STATUS = {status: verdict for verdict, statuses in _HTTP.items() for status in statuses}
_Code = grpc.StatusCode
_VERDICT_OF_CODE = {
    _Code.CANCELLED: Verdict.LATER,
    _Code.DEADLINE_EXCEEDED: Verdict.LATER,
    _Code.ABORTED: Verdict.LATER,
    _Code.OUT_OF_RANGE: Verdict.LATER,
    _Code.UNAVAILABLE: Verdict.LATER,
    _Code.DATA_LOSS: Verdict.LATER,
    _Code.INTERNAL: Verdict.BROKEN,
    _Code.UNKNOWN: Verdict.BROKEN,
    _Code.UNAUTHENTICATED: Verdict.TO_PUT_RIGHT,
    _Code.PERMISSION_DENIED: Verdict.TO_PUT_RIGHT,
    _Code.UNIMPLEMENTED: Verdict.TO_PUT_RIGHT,
    _Code.NOT_FOUND: Verdict.TO_PUT_RIGHT,
}
_ABOUT_SIZE = re.compile(
    r"larger than|too large|too big|exceeds? (the )?(max|limit|size)|message size|max.{0,20}size", re.IGNORECASE
)


def of_http(status: int, headers: dict[str, str], body: bytes, signal: str) -> Answer:
    """What an HTTP answer means. Names of headers are in lower case."""
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if 200 <= status < 300:
        if body and content_type in ("text/html", "application/xhtml+xml"):
            message = f"{status} with a web page: nothing there takes OTLP; is the path right?"
            return Answer(Verdict.TO_PUT_RIGHT, "not-otlp", message)
        return taken(signal, body, as_json=content_type == "application/json")
    if 300 <= status < 400:
        place = headers.get("location", "").partition("?")[0]
        return Answer(
            Verdict.TO_PUT_RIGHT, "redirect", f"{status}, to {_clean(place) or 'nowhere'}; set that as endpoint"
        )
    verdict = _VERDICT_OF_STATUS.get(status, Verdict.BROKEN if status >= 500 else Verdict.REFUSED)
    message = f"{status} {_message(body, content_type)}".strip()
    return Answer(verdict, f"http-{status}", message, _retry_after_s(headers))


def of_grpc(code: grpc.StatusCode, details: str, trailing: Any) -> Answer:
    """What a gRPC status means."""
    wait_s = _retry_info_s(trailing)
    reason = f"grpc-{code.name.lower().replace('_', '-')}"
    message = f"{code.name}: {_clean(details)}"
    if code is _Code.RESOURCE_EXHAUSTED:
        is_size = wait_s is None and _ABOUT_SIZE.search(details)
        return Answer(Verdict.TOO_LARGE if is_size else Verdict.LATER, reason, message, wait_s)
    if code is _Code.INTERNAL and details == "Invalid metadata":  # what our own side of gRPC says
        return Answer(Verdict.TO_PUT_RIGHT, "metadata", "gRPC does not take a header that is set")
    if code is _Code.UNAVAILABLE:
        reason = _of_connection(details) or reason
    return Answer(_VERDICT_OF_CODE.get(code, Verdict.REFUSED), reason, message, wait_s)


def taken(signal: str, body: bytes, *, as_json: bool = False) -> Answer:
    """An answer of OK, which may say that some items were not taken, or that it is not what it should be."""
    kind, field = _RESPONSES[signal]
    try:
        if as_json:
            told = (json.loads(body or b"{}") or {}).get("partialSuccess") or {}
            parts = field.split("_")
            rejected = int(told.get(parts[0] + "".join(part.title() for part in parts[1:]), 0))
            message = str(told.get("errorMessage", ""))
        else:
            partial = kind.FromString(body).partial_success
            rejected, message = int(getattr(partial, field)), partial.error_message
    except Exception:  # whatever a backend calls an answer, it said OK
        return Answer(Verdict.TAKEN, "ok", is_readable=False)
    return Answer(Verdict.TAKEN, "ok", _clean(message), rejected=max(0, rejected))


def _of_connection(details: str) -> str:
    """gRPC has one code for all that can be wrong with a connection."""
    told = details.lower()
    if "dns" in told or "name resolution" in told or "domain name not found" in told:
        return "dns"
    if "ssl" in told or "tls" in told or "handshak" in told or "certificate" in told:
        return "tls"
    return "connect" if "connect" in told or "socket closed" in told else ""


def _message(body: bytes, content_type: str) -> str:
    """What a body of an error says: a google.rpc.Status, or text."""
    try:
        if content_type == "application/x-protobuf":
            return _clean(Status.FromString(body).message)
        if content_type == "application/json":
            told = json.loads(body)
            return _clean(str(told.get("message") or told.get("error") or "")) if isinstance(told, dict) else ""
    except Exception:
        return ""
    return "" if content_type == "text/html" else _clean(body.decode("utf-8", "replace"))


def _clean(text: str) -> str:
    return " ".join("".join(mark if mark.isprintable() else " " for mark in text[:_MESSAGE_CHARACTERS]).split())


def _retry_after_s(headers: dict[str, str]) -> float | None:
    """Seconds, or a date: from now on by the backend's own clock, if it tells that."""
    value = headers.get("retry-after", "")
    if re.fullmatch(r"\s*\d{1,9}(\.\d+)?\s*", value):
        return min(float(value), _LONGEST_WAIT_S)
    until, now = _moment(value), _moment(headers.get("date", ""))
    if until is None:
        return None
    return min(max(0.0, until - (time.time() if now is None else now)), _LONGEST_WAIT_S)


def _moment(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _retry_info_s(trailing: Any) -> float | None:
    for key, value in trailing or ():
        if key == "grpc-status-details-bin":
            try:
                details = Status.FromString(value).details
            except Exception:
                return None
            for detail in details:
                info = RetryInfo()
                if detail.Unpack(info):
                    return min(max(0.0, float(info.retry_delay.ToNanoseconds()) / 1e9), _LONGEST_WAIT_S)
    return None
