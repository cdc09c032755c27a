"""Which attempt a request is. Most SDKs say so in a header; of the others, the same request after a failure is one."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic

from taximeter.call import Call
from taximeter.dialect import WireRequest

__all__ = ["RESEND_COUNT", "remember", "resend_count"]

RESEND_COUNT = "http.request.resend_count"
_RETRYABLE = frozenset({408, 409, 425, 429, *range(500, 600)})
_LONGEST_WAIT_S = 120  # between two attempts


@dataclass(slots=True)
class _Attempt:
    """A call that failed in a way that SDKs try again after."""

    target: tuple[str, int | None, str]
    body_hash: int
    count: int
    at_s: float


_failed_before: ContextVar[_Attempt | None] = ContextVar("taximeter_failed_before", default=None)


def resend_count(request: WireRequest) -> int:
    """Which attempt this is: by the SDK's own word, else because the same request has just failed."""
    stated = request.headers.get("x-stainless-retry-count")
    if stated is not None and stated.isdecimal():
        return int(stated)
    if stated := request.headers.get("amz-sdk-request"):
        for field in stated.split(";"):
            name, _, value = field.strip().partition("=")
            if name == "attempt" and value.isdecimal():
                return int(value) - 1
    before = _failed_before.get()
    if (
        before is not None
        and request.body is not None
        and monotonic() - before.at_s < _LONGEST_WAIT_S
        and before.target == (request.host, request.port, request.path)
        and before.body_hash == hash(request.body)
    ):
        return before.count + 1
    return 0


def remember(request: WireRequest, call: Call, status: int) -> None:
    """Keep what failed, so that the same request sent again is known for what it is."""
    failed = call.error_type is not None and (status == 0 or status in _RETRYABLE)
    if failed and request.body is not None:
        count = int(call.attributes.get(RESEND_COUNT, 0))
        target = (request.host, request.port, request.path)
        _failed_before.set(_Attempt(target, hash(request.body), count, monotonic()))
    elif _failed_before.get() is not None:
        _failed_before.set(None)
