"""From the neutral record to telemetry, with the official library: one inference span per call, ours or another's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from timeit import default_timer
from typing import Any, Protocol

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.semconv.schemas import Schemas
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.util.genai.completion_hook import load_completion_hook
from opentelemetry.util.genai.handler import TelemetryHandler

from taximeter.adopt import SCOPE, attributes_of, awaited, give_back, spend, standing_span
from taximeter.call import Call
from taximeter.context import situation
from taximeter.conventions import canonical_attributes, start_attributes
from taximeter.dialect import Dialect, WireRequest
from taximeter.metering import METERED
from taximeter.official import Official, has_official_span
from taximeter.providers import provider_at, provider_named
from taximeter.redaction import redacted_error
from taximeter.resend import RESEND_COUNT, resend_count
from taximeter.rivals import litellm, openllmetry
from taximeter.settings import Settings
from taximeter.version import __version__

__all__ = ["Emission", "Emitter"]


class Emission(Protocol):
    """The telemetry of one call while it runs."""

    # Whether the span is another's, who may end it at the end of the stream, before the stream is closed.
    ends_early: bool

    def suspend(self) -> None:
        """Give the user's own context back: what runs from here on is no part of the call."""

    def first_chunk(self) -> None: ...

    def next_chunk(self) -> None: ...

    def finish(self, call: Call) -> None: ...

    def drop(self) -> None:
        """Nothing of this is to be told: the request was a redirect."""


class Emitter:
    """Makes emissions. One for each time that metering is switched on, so that settings cannot change under a call."""

    def __init__(self, settings: Settings, **providers: Any) -> None:
        self._settings = settings
        hook = load_completion_hook()
        self.handler = TelemetryHandler(
            completion_hook=hook,
            instrumentation_scope_name=SCOPE,
            instrumentation_scope_version=__version__,
            **providers,
        )
        self.captures = self.handler.should_capture_content()
        self._tracer = trace.get_tracer(SCOPE, __version__, providers.get("tracer_provider"), Schemas.V1_37_0.value)
        # Content, events and hooks are the official library's work. Where nothing but spans and metrics is wanted, its
        # way costs twice the span itself (`python bench/emission.py`), so they are made here, on its instruments; a
        # test holds both ways to the same telemetry.
        wants_more = self.captures or os.environ.get(_EMIT_EVENT, "").strip().lower() == "true"
        self._instruments = None if wants_more else getattr(self.handler, "_instruments", None)

    def begin(self, dialect: Dialect, call: Call, request: WireRequest) -> Emission:
        """Start a span for the call, or find the one that stands around it already."""
        if attempt := resend_count(request):
            call.attributes[RESEND_COUNT] = attempt
        host, port = request.host, request.port
        provider = provider_at(host, port) or provider_named(request.headers.get("user-agent")) or dialect.provider
        within = context.set_value(METERED, True)
        # The context keys of the official library come first: it then suppresses our span and takes our facts.
        if has_official_span(within):
            return Official(self.handler, within, call, provider, host, port, self._settings)
        if (span := standing_span(call.model)) is not None:
            return _Adopted(span, within, call, provider, host, port)
        if openllmetry.tells_afterwards():
            return _Awaiting(within, call, provider, host, port)
        if self._instruments is None or call.operation == "fetch_response":
            return Official(self.handler, within, call, provider, host, port, self._settings)
        return _Plain(self._tracer, self._instruments, within, call, provider, host, port, self._settings)


_EMIT_EVENT = "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT"
_TOKEN_TYPE = "gen_ai.token.type"


class _Plain:
    """A span and the metrics, and nothing else."""

    ends_early = False

    __slots__ = (
        "_chunk_s",
        "_instruments",
        "_last_chunk_s",
        "_settings",
        "_situation",
        "_span",
        "_start",
        "_started_s",
        "_token",
        "_within",
    )

    def __init__(
        self,
        tracer: Tracer,
        instruments: Any,
        within: Context,
        call: Call,
        provider: str,
        host: str,
        port: int | None,
        settings: Settings,
    ) -> None:
        self._instruments = instruments
        self._settings = settings
        self._situation = situation(from_baggage=settings.baggage)
        self._start = start_attributes(call, provider, host, port)
        name = f"{call.operation} {call.model}" if call.model else call.operation
        self._span = tracer.start_span(name, within, SpanKind.CLIENT, self._start)
        litellm.note(self._span)
        self._within = trace.set_span_in_context(self._span, within)
        self._token: Any = context.attach(self._within)
        self._started_s = default_timer()
        self._chunk_s: float | None = None
        self._last_chunk_s = 0.0

    def suspend(self) -> None:
        if self._token is not None:
            context.detach(self._token)
            self._token = None

    def first_chunk(self) -> None:
        if self._chunk_s is None:
            self._chunk_s = self._last_chunk_s = default_timer() - self._started_s
            self._instruments.time_to_first_chunk.record(self._chunk_s, self._start, self._within)

    def next_chunk(self) -> None:
        now_s = default_timer() - self._started_s
        self._instruments.time_per_output_chunk.record(now_s - self._last_chunk_s, self._start, self._within)
        self._last_chunk_s = now_s

    def finish(self, call: Call) -> None:
        self.suspend()
        span = self._span
        try:
            facts = canonical_attributes(call)
            facts.update(self._situation.attributes())
            if call.stream and self._chunk_s is not None:
                facts["gen_ai.response.time_to_first_chunk"] = self._chunk_s
            if call.error_type is not None:
                facts["error.type"] = call.error_type
                span.set_status(Status(StatusCode.ERROR, redacted_error(call.error_message, self._settings)))
            self._record(call)
            for name in self._start:
                facts.pop(name, None)
            span.set_attributes(facts)
        finally:
            span.end()

    def _record(self, call: Call) -> None:
        if getattr(self._instruments.operation_duration, "_real_instrument", self) is None:
            return  # a proxy, and nobody has set up metrics behind it
        duration_s = max(default_timer() - self._started_s, 0.0)
        facts = self._start
        if call.response_model is not None:
            facts = {**facts, "gen_ai.response.model": call.response_model}
        if call.error_type is not None:
            facts = {**facts, "error.type": call.error_type}
        within = self._within
        self._instruments.operation_duration.record(duration_s, facts, within)
        usage = call.usage
        if usage.input_tokens is not None:
            self._instruments.token_usage.record(usage.input_tokens, {**facts, _TOKEN_TYPE: "input"}, within)
        if usage.output_tokens is not None:
            self._instruments.token_usage.record(usage.output_tokens, {**facts, _TOKEN_TYPE: "output"}, within)

    def drop(self) -> None:
        self.suspend()  # and never end: a span that does not end is not exported


class _Awaiting:
    """A span that another makes when the answer is there. It gets our facts then; or we it, if it comes first."""

    ends_early = True

    def __init__(self, within: Context, call: Call, provider: str, host: str, port: int | None) -> None:
        self._start = start_attributes(call, provider, host, port)
        self._facts: dict[str, Any] | None = None
        self._span: Span | None = None
        self._first_chunk_s: float | None = None
        self._started_s = default_timer()
        self._token: Any = context.attach(within)
        awaited.set(self)

    def meet(self, span: Span) -> None:
        """Here it is."""
        self._span = span
        if self._facts is not None:
            complete(span, self._facts)

    def suspend(self) -> None:
        if self._token is not None:
            context.detach(self._token)
            self._token = None

    def first_chunk(self) -> None:
        self._first_chunk_s = default_timer() - self._started_s

    def next_chunk(self) -> None:
        return None

    def finish(self, call: Call) -> None:
        self.suspend()
        self._facts = {**self._start, **canonical_attributes(call)}
        if call.stream and self._first_chunk_s is not None:
            self._facts["gen_ai.response.time_to_first_chunk"] = self._first_chunk_s
        if self._span is not None:
            complete(self._span, self._facts)

    def drop(self) -> None:
        self.suspend()


class _Adopted:
    """Another's span. We fill in what it lacks, and leave its life to its owner."""

    ends_early = True

    def __init__(self, span: Span, within: Context, call: Call, provider: str, host: str, port: int | None) -> None:
        self._span = span
        self._start = start_attributes(call, provider, host, port)
        self._first_chunk_s: float | None = None
        self._started_s = default_timer()
        spend(span)
        self._token: Any = context.attach(within)

    def suspend(self) -> None:
        if self._token is not None:
            context.detach(self._token)
            self._token = None

    def first_chunk(self) -> None:
        if self._first_chunk_s is None:
            self._first_chunk_s = default_timer() - self._started_s

    def next_chunk(self) -> None:
        return None

    def finish(self, call: Call) -> None:
        self.suspend()
        if call.error_type is not None and call.response_id is None:
            give_back(self._span)
            return  # an attempt that failed is the owner's to tell: the next one may succeed
        facts = {**self._start, **canonical_attributes(call)}
        if call.stream and self._first_chunk_s is not None:
            facts["gen_ai.response.time_to_first_chunk"] = self._first_chunk_s
        complete(self._span, facts)

    def drop(self) -> None:
        self.suspend()
        give_back(self._span)


def complete(span: Span, facts: Mapping[str, Any]) -> None:
    """Add what a span does not say yet."""
    said = attributes_of(span)
    lacking = {name: value for name, value in facts.items() if value is not None and name not in said}
    if lacking and span.is_recording():
        span.set_attributes(lacking)
