"""OTLP over HTTP: paths, content types, and the exact answers of the specification. And the state of the collector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

from taximeter_collector.receive.access import Tokens
from taximeter_collector.receive.compression import ENCODINGS, decompress
from taximeter_collector.receive.config import ReceiveConfig
from taximeter_collector.receive.http import Head, Request, Response
from taximeter_collector.receive.intake import Intake
from taximeter_collector.receive.refusals import Reason, Refused, status_of
from taximeter_collector.receive.shape import SHAPES, Shape
from taximeter_collector.telemetry import metrics
from taximeter_collector.telemetry.exposition import CONTENT_TYPE as METRICS_TYPE

__all__ = ["OtlpHttp", "State"]

_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_PROFILES = ("/v1/profiles", "/v1development/profiles")
_STATES = ("/healthz", "/readyz", "/metrics")
_SHAPES = {shape.path: shape for shape in SHAPES}
_TRANSPORT = "http"


@dataclass(frozen=True, slots=True)
class State:
    """What the collector says of itself. `ready` gives the reason why it is not, or nothing."""

    ready: Callable[[], str]
    metrics: Callable[[], str]


@dataclass(frozen=True, slots=True)
class _Export:
    """An export request, by its head."""

    shape: Shape
    media_type: str
    encoding: str
    limit: int
    sender: str


class OtlpHttp:
    """The app behind the HTTP server. Without an intake it tells of the state, and nothing else."""

    def __init__(self, config: ReceiveConfig, tokens: Tokens, state: State, intake: Intake | None) -> None:
        self.tokens = tokens
        self._config = config
        self._state = state
        self._intake = intake

    def admit(self, head: Head) -> tuple[int, object]:
        """See `HttpApp.admit`."""
        if head.path in _STATES:
            if head.method not in ("GET", "HEAD"):
                raise Refused(Reason.WRONG_METHOD, f"{head.path} takes GET")
            if head.path == "/metrics":
                self.tokens.sender_of(head.headers.get("authorization"))
            return 0, None
        shape = _SHAPES.get(head.path) if self._intake else None
        if shape is None:
            raise Refused(Reason.UNKNOWN_PATH, _unknown(head.path))
        origin = head.headers.get("origin")
        if origin is not None and not self._is_allowed(origin):
            raise Refused(Reason.FORBIDDEN_ORIGIN, "pages of this origin may not send; see receive.cors_origins")
        if head.method == "OPTIONS" and origin is not None:
            return 0, None
        if head.method != "POST":
            raise Refused(Reason.WRONG_METHOD, f"{head.path} takes POST")
        export = self._export(shape, head)
        return export.limit, export

    async def respond(self, request: Request) -> Response:
        """See `HttpApp.respond`."""
        if isinstance(request.context, _Export):
            return await self._take(request.head, request.body, request.context)
        if request.head.method == "OPTIONS":
            return Response(204, headers=self._cors(request.head) | _PREFLIGHT)
        return self._tell(request.head.path)

    def refuse(self, head: Head, refused: Refused) -> Response:
        """See `HttpApp.refuse`."""
        if self._intake:
            self._intake.registry.add(metrics.REFUSED_REQUESTS, 1, _TRANSPORT, refused.reason.value.label)
        headers = self._cors(head)
        if refused.retry_after_s is not None:
            headers["retry-after"] = str(refused.retry_after_s)
        if refused.reason is Reason.UNAUTHENTICATED:
            headers["www-authenticate"] = "Bearer"
        if refused.reason is Reason.WRONG_METHOD:
            headers["allow"] = "GET, HEAD" if head.path in _STATES else "POST"
        if refused.reason is Reason.UNSUPPORTED:
            headers |= {"accept": f"{_PROTOBUF}, {_JSON}", "accept-encoding": ", ".join(ENCODINGS)}
        media_type = _PROTOBUF if _media_type(head) == _PROTOBUF else _JSON
        return Response(refused.reason.value.http, _serialized(status_of(refused), media_type), media_type, headers)

    def _export(self, shape: Shape, head: Head) -> _Export:
        sender = self.tokens.sender_of(head.headers.get("authorization"))
        media_type = _media_type(head)
        if media_type not in (_PROTOBUF, _JSON):
            raise Refused(Reason.UNSUPPORTED, f"content-type {media_type!r} is not {_PROTOBUF} or {_JSON}")
        encoding = head.headers.get("content-encoding", "").strip().lower()
        limit = self._config.max_json_request if media_type == _JSON else self._config.max_request
        return _Export(shape, media_type, encoding, limit, sender)

    async def _take(self, head: Head, body: bytes, export: _Export) -> Response:
        assert self._intake
        intake = self._intake
        intake.registry.add(metrics.RECEIVED_BYTES, len(body), _TRANSPORT)
        content = decompress(export.encoding, body, export.limit)
        grown = len(content) - len(body) if content is not body else 0
        intake.memory.take(grown)
        try:
            take = intake.take_json if export.media_type == _JSON else intake.take
            checked = await take(export.shape, content, _TRANSPORT, export.sender)
        finally:
            intake.memory.give_back(grown)
        answer = _serialized(export.shape.answer(checked), export.media_type)
        return Response(200, answer, export.media_type, self._cors(head))

    def _tell(self, path: str) -> Response:
        if path == "/metrics":
            return Response(200, self._state.metrics().encode(), METRICS_TYPE)
        reason = self._state.ready() if path == "/readyz" else ""
        return Response(503 if reason else 200, f"{reason or 'ok'}\n".encode(), "text/plain; charset=utf-8")

    def _is_allowed(self, origin: str) -> bool:
        return any(fnmatchcase(origin, pattern) for pattern in self._config.cors_origins)

    def _cors(self, head: Head) -> dict[str, str]:
        origin = head.headers.get("origin")
        if origin is None or not self._is_allowed(origin):
            return {}
        return {"access-control-allow-origin": origin, "vary": "Origin"}


_PREFLIGHT = {
    "access-control-allow-methods": "POST",
    "access-control-allow-headers": "authorization, content-encoding, content-type",
    "access-control-max-age": "7200",
}


def _media_type(head: Head) -> str:
    return head.headers.get("content-type", "").partition(";")[0].strip().lower()


def _unknown(path: str) -> str:
    if path in _PROFILES:
        return "profiles are not accepted; this collector takes traces, metrics and logs"
    return f"nothing is at {path[:100]!r}; there are {', '.join((*_SHAPES, *_STATES))}"


def _serialized(message: Message, media_type: str) -> bytes:
    if media_type == _PROTOBUF:
        return message.SerializeToString()
    return MessageToJson(message, indent=None).encode()
