"""Every way in which a request is not accepted, and how each protocol says it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

__all__ = ["Reason", "Refused", "status_of"]


@dataclass(frozen=True, slots=True)
class _Answer:
    label: str
    http: int
    grpc: StatusCode
    retry_after_s: int | None = None


class Reason(Enum):
    """Why; the label is the one in the metrics. What can be tried again is said so in both protocols."""

    MALFORMED = _Answer("malformed", 400, StatusCode.INVALID_ARGUMENT)
    UNAUTHENTICATED = _Answer("unauthenticated", 401, StatusCode.UNAUTHENTICATED)
    FORBIDDEN_ORIGIN = _Answer("forbidden_origin", 403, StatusCode.PERMISSION_DENIED)
    UNKNOWN_PATH = _Answer("unknown_path", 404, StatusCode.UNIMPLEMENTED)
    WRONG_METHOD = _Answer("wrong_method", 405, StatusCode.UNIMPLEMENTED)
    TOO_SLOW = _Answer("too_slow", 408, StatusCode.CANCELLED)
    TOO_LARGE = _Answer("too_large", 413, StatusCode.RESOURCE_EXHAUSTED)
    UNSUPPORTED = _Answer("unsupported", 415, StatusCode.UNIMPLEMENTED)
    HEADERS_TOO_LARGE = _Answer("headers_too_large", 431, StatusCode.RESOURCE_EXHAUSTED)
    INTERNAL = _Answer("internal", 500, StatusCode.INTERNAL)
    BUSY = _Answer("busy", 503, StatusCode.UNAVAILABLE, retry_after_s=1)
    JOURNAL_FULL = _Answer("journal_full", 503, StatusCode.UNAVAILABLE, retry_after_s=5)
    JOURNAL_FAILED = _Answer("journal_failed", 503, StatusCode.UNAVAILABLE, retry_after_s=5)
    STOPPING = _Answer("stopping", 503, StatusCode.UNAVAILABLE, retry_after_s=2)


class Refused(Exception):
    """A request is not accepted. The message is for the developer of the sender."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message

    @property
    def retry_after_s(self) -> int | None:
        """When it is worth another try; None if it never is."""
        return self.reason.value.retry_after_s


def status_of(refused: Refused) -> Status:
    """The same as a `google.rpc.Status`, with a `RetryInfo` where a retry makes sense."""
    code, _ = refused.reason.value.grpc.value
    status = Status(code=code, message=refused.message)
    if (seconds := refused.retry_after_s) is not None:
        status.details.add().Pack(RetryInfo(retry_delay=Duration(seconds=seconds)))
    return status
