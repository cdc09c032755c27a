"""Which attempt a request is. Most SDKs say so in a header; of the others, the same request after a failure is one."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from taximeter.call import Call
from taximeter.dialect import WireRequest

__all__ = ["RESEND_COUNT", "remember", "resend_count"]

RESEND_COUNT = "http.request.resend_count"
_RETRYABLE = frozenset({408, 409, 425, 429, *range(500, 600)})
_MOST_REMEMBERED_BYTES = 1024 * 1024


@dataclass(slots=True)
class _Attempt:
    """A call that failed in a way that SDKs try again after."""

    url: tuple[str, str]
    body: bytes | None
    count: int


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
    if before is not None and before.url == (request.host, request.path) and before.body == request.body:
        return before.count + 1
    return 0


def remember(request: WireRequest, call: Call, status: int) -> None:
    """Keep what failed, so that the same request sent again is known for what it is."""
    failed = call.error_type is not None and (status == 0 or status in _RETRYABLE)
    if failed and (request.body is None or len(request.body) <= _MOST_REMEMBERED_BYTES):
        count = int(call.attributes.get(RESEND_COUNT, 0))
        _failed_before.set(_Attempt((request.host, request.path), request.body, count))
    elif _failed_before.get() is not None:
        _failed_before.set(None)
