"""From the neutral record to telemetry, with the official library: one inference span per call, ours or another's."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from timeit import default_timer
from typing import Any, Protocol

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.semconv.schemas import Schemas
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.util.genai import types
from opentelemetry.util.genai.completion_hook import load_completion_hook
from opentelemetry.util.genai.handler import TelemetryHandler
from opentelemetry.util.genai.invocation import EmbeddingInvocation, FetchResponseInvocation, InferenceInvocation

from taximeter import faults
from taximeter.adopt import SCOPE, attributes_of, awaited, give_back, spend, standing_span
from taximeter.call import Call, Content
from taximeter.context import situation
from taximeter.dialect import Dialect, WireRequest
from taximeter.metering import METERED
from taximeter.providers import provider_at, provider_named
from taximeter.redaction import redacted, redacted_content
from taximeter.resend import RESEND_COUNT, resend_count
from taximeter.rivals import litellm, openllmetry
from taximeter.settings import Settings
from taximeter.version import __version__

__all__ = ["Emission", "Emitter", "has_official_span"]

_LONGEST_ERROR = 500


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
            return _Official(self.handler, within, call, provider, host, port, self._settings)
        if (span := standing_span(call.model)) is not None:
            return _Adopted(span, within, call, provider, host, port)
        if openllmetry.tells_afterwards():
            return _Awaiting(within, call, provider, host, port)
        if self._instruments is None or call.operation == "fetch_response":
            return _Official(self.handler, within, call, provider, host, port, self._settings)
        return _Plain(self._tracer, self._instruments, within, call, provider, host, port, self._settings)


_EMIT_EVENT = "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT"
_OFFICIAL_KEYS = (
    "opentelemetry.genai.client.inference.context",
    "opentelemetry.genai.client.embedding.context",
    "opentelemetry.genai.client.fetch_response.context",
)


def has_official_span(within: Context) -> bool:
    """Whether an instrumentation that is built on the official library is at work around us."""
    for key in _OFFICIAL_KEYS:
        if within.get(key):
            return True
    return False


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
                span.set_status(Status(StatusCode.ERROR, _error_message(call, self._settings)))
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


_TOKEN_TYPE = "gen_ai.token.type"


def start_attributes(call: Call, provider: str, host: str, port: int | None) -> dict[str, Any]:
    """What a sampler may decide by."""
    facts: dict[str, Any] = {
        "gen_ai.operation.name": call.operation,
        "gen_ai.provider.name": provider,
        "server.address": host,
    }
    if call.model is not None:
        facts["gen_ai.request.model"] = call.model
    if port is not None:
        facts["server.port"] = port
    return facts


def _error_message(call: Call, settings: Settings) -> str | None:
    message = redacted(call.error_message, settings)
    return message[:_LONGEST_ERROR] if message else None


class _Official:
    """The official library's way: a span of ours with all there is, or our part of an official span."""

    ends_early = True

    def __init__(
        self,
        handler: TelemetryHandler,
        within: Context,
        call: Call,
        provider: str,
        host: str,
        port: int | None,
        settings: Settings,
    ) -> None:
        self._settings = settings
        self._situation = situation(from_baggage=settings.baggage)
        where: dict[str, Any] = {"server_address": host, "server_port": port, "context": within}
        self._invocation: InferenceInvocation | EmbeddingInvocation | FetchResponseInvocation
        match call.operation:
            case "embeddings":
                self._invocation = handler.embedding(provider, request_model=call.model, **where)
            case "fetch_response":
                self._invocation = handler.fetch_response(provider, response_id=call.response_id or "", **where)
            case operation:
                conversation_id = self._situation.conversation_id or call.conversation_id
                self._invocation = handler.inference(
                    provider,
                    request_model=call.model,
                    operation_name=operation,
                    conversation_id=conversation_id,
                    **where,
                )
        litellm.note(self._invocation.span)
        # A suppressed invocation attaches nothing, so the mark that keeps inner taps quiet is attached here.
        self._token: Any = None if self._invocation._context_token is not None else context.attach(within)

    def suspend(self) -> None:
        self._invocation.suspend()
        if self._token is not None:
            context.detach(self._token)
            self._token = None

    def first_chunk(self) -> None:
        self._invocation.record_stream_chunk()

    def next_chunk(self) -> None:
        self._invocation.record_stream_chunk()

    def finish(self, call: Call) -> None:
        self.suspend()
        invocation = self._invocation
        invocation.attributes.update(call.attributes)
        invocation.attributes.update(self._situation.attributes())
        try:
            self._fill(call)
        finally:
            if call.error_type is None:
                invocation.stop()
            else:
                invocation.fail(types.Error(message=_error_message(call, self._settings), type=call.error_type))

    def _fill(self, call: Call) -> None:
        invocation = self._invocation
        if isinstance(invocation, InferenceInvocation):
            _fill_inference(invocation, call, self._settings)
        elif isinstance(invocation, EmbeddingInvocation):
            _fill_embedding(invocation, call)
        else:
            _fill_fetch(invocation, call)

    def drop(self) -> None:
        self.suspend()


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


# ---------------------------------------------------------------------------------------------------------------------
# The record in the words of the conventions: our field, the official library's field, the attribute.

_CALL_FIELDS = (
    ("max_tokens", "request_max_tokens", "gen_ai.request.max_tokens"),
    ("temperature", "request_temperature", "gen_ai.request.temperature"),
    ("top_p", "request_top_p", "gen_ai.request.top_p"),
    ("top_k", "request_top_k", "gen_ai.request.top_k"),
    ("frequency_penalty", "request_frequency_penalty", "gen_ai.request.frequency_penalty"),
    ("presence_penalty", "request_presence_penalty", "gen_ai.request.presence_penalty"),
    ("stop_sequences", "request_stop_sequences", "gen_ai.request.stop_sequences"),
    ("seed", "request_seed", "gen_ai.request.seed"),
    ("choice_count", "request_choice_count", "gen_ai.request.choice.count"),
    ("reasoning_level", "request_reasoning_level", "gen_ai.request.reasoning.level"),
    ("previous_response_id", "request_previous_response_id", "gen_ai.request.previous_response.id"),
    ("output_type", "output_type", "gen_ai.output.type"),
    ("conversation_compacted", "conversation_compacted", "gen_ai.conversation.compacted"),
    ("encoding_formats", "encoding_formats", "gen_ai.request.encoding_formats"),
    ("dimension_count", "dimension_count", "gen_ai.embeddings.dimension.count"),
    ("response_id", "response_id", "gen_ai.response.id"),
    ("response_model", "response_model", "gen_ai.response.model"),
)
_DETAIL_FIELDS = (
    ("cache_read_tokens", "usage_cache_read_input_tokens", "gen_ai.usage.cache_read.input_tokens"),
    ("cache_write_tokens", "usage_cache_write_input_tokens", "gen_ai.usage.cache_write.input_tokens"),
    ("reasoning_tokens", "usage_reasoning_output_tokens", "gen_ai.usage.reasoning.output_tokens"),
    ("text_input_tokens", "usage_text_input_tokens", "gen_ai.usage.text.input_tokens"),
    ("image_input_tokens", "usage_image_input_tokens", "gen_ai.usage.image.input_tokens"),
    ("audio_input_tokens", "usage_audio_input_tokens", "gen_ai.usage.audio.input_tokens"),
    ("text_output_tokens", "usage_text_output_tokens", "gen_ai.usage.text.output_tokens"),
    ("image_output_tokens", "usage_image_output_tokens", "gen_ai.usage.image.output_tokens"),
    ("audio_output_tokens", "usage_audio_output_tokens", "gen_ai.usage.audio.output_tokens"),
    ("text_cache_read_tokens", "usage_text_cache_read_input_tokens", "gen_ai.usage.text.cache_read.input_tokens"),
    ("image_cache_read_tokens", "usage_image_cache_read_input_tokens", "gen_ai.usage.image.cache_read.input_tokens"),
    ("audio_cache_read_tokens", "usage_audio_cache_read_input_tokens", "gen_ai.usage.audio.cache_read.input_tokens"),
)


def canonical_attributes(call: Call) -> dict[str, Any]:
    """A call as span attributes. A detail that is zero says nothing, and is left out, as the official library does."""
    facts = dict(call.attributes)
    for ours, _, attribute in _CALL_FIELDS:
        if (value := getattr(call, ours)) is not None:
            facts[attribute] = value
    usage = call.usage
    if usage.input_tokens is not None:
        facts["gen_ai.usage.input_tokens"] = usage.input_tokens
    if usage.output_tokens is not None:
        facts["gen_ai.usage.output_tokens"] = usage.output_tokens
    for ours, _, attribute in _DETAIL_FIELDS:
        if value := getattr(usage, ours):
            facts[attribute] = value
    facts["gen_ai.operation.name"] = call.operation
    if call.model is not None:
        facts["gen_ai.request.model"] = call.model
    if call.stream:
        facts["gen_ai.request.stream"] = True
    if call.conversation_id is not None:
        facts["gen_ai.conversation.id"] = call.conversation_id
    if call.status is not None:
        facts["gen_ai.response.status"] = call.status
    if (reasons := _finish_reasons(call)) is not None:
        facts["gen_ai.response.finish_reasons"] = reasons
    return facts


def _finish_reasons(call: Call) -> list[str] | None:
    """One a choice, in their order; a choice that was broken off ended in error."""
    if not any(call.finish_reasons.values()) and call.error_type is None:
        return None
    reasons = [call.finish_reasons[index] or "error" for index in sorted(call.finish_reasons)]
    return reasons or None


def _fill_inference(invocation: InferenceInvocation, call: Call, settings: Settings) -> None:
    data = invocation.data
    for ours, theirs, _ in _CALL_FIELDS:
        if (value := getattr(call, ours)) is not None:
            setattr(data, theirs, value)
    usage = call.usage
    data.usage_input_tokens = usage.input_tokens
    data.usage_output_tokens = usage.output_tokens
    for ours, theirs, _ in _DETAIL_FIELDS:
        if (value := getattr(usage, ours)) is not None:
            setattr(data, theirs, value)
    data.response_finish_reasons = _finish_reasons(call)
    if call.stream:
        invocation.request_stream = True
    if call.conversation_id and not invocation.conversation_id:
        invocation.conversation_id = call.conversation_id
    if call.status is not None:
        invocation.attributes["gen_ai.response.status"] = call.status
    if call.content is not None:
        try:
            _fill_content(invocation, redacted_content(call.content, settings))
        except Exception as error:  # what cannot be told must not cost the tokens
            faults.count("emit.content", error)


def _fill_embedding(invocation: EmbeddingInvocation, call: Call) -> None:
    invocation.response_model_name = call.response_model
    invocation.input_tokens = call.usage.input_tokens
    invocation.dimension_count = call.dimension_count
    invocation.encoding_formats = call.encoding_formats
    if call.response_id is not None:
        invocation.attributes["gen_ai.response.id"] = call.response_id
    if (pictures := call.usage.image_input_tokens) is not None:
        invocation.attributes["gen_ai.usage.image.input_tokens"] = pictures


def _fill_fetch(invocation: FetchResponseInvocation, call: Call) -> None:
    """What the response used was used, and told, by the call that made it; here it stands under a name of its own."""
    invocation.response_model_name = call.response_model
    invocation.finish_reasons = _finish_reasons(call)
    invocation.response_status = call.status
    if call.stream:
        invocation.request_stream = True
    for name in ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"):
        if (count := getattr(call.usage, name)) is not None:
            invocation.attributes[f"taximeter.fetched.{name}"] = count


# ---------------------------------------------------------------------------------------------------------------------
# Content: parts in the JSON shape of the conventions become the official library's classes

_PARTS: Mapping[str, Callable[..., Any]] = {
    "text": types.TextPart,
    "reasoning": types.ReasoningPart,
    "tool_call": types.ToolCallRequestPart,
    "tool_call_response": types.ToolCallResponsePart,
    "server_tool_call": types.ServerToolCallPart,
    "server_tool_call_response": types.ServerToolCallResponsePart,
    "blob": types.BlobPart,
    "file": types.FilePart,
    "uri": types.UriPart,
    "compaction": types.CompactionPart,
}


def _part(part: dict[str, Any]) -> Any:
    kind = part.get("type", "text")
    try:
        return _PARTS[kind](**part)
    except (KeyError, TypeError):  # a kind that only its provider knows, or one of ours that lacks something
        return types.GenericPart(type=str(kind))


def _fill_content(invocation: InferenceInvocation, content: Content) -> None:
    invocation.system_instruction = [_part(part) for part in content.system]
    invocation.input_messages = [
        types.InputMessage(role=said["role"], parts=[_part(part) for part in said["parts"]], name=said.get("name"))
        for said in content.input
    ]
    invocation.output_messages = [
        types.OutputMessage(
            role=said["role"],
            parts=[_part(part) for part in said["parts"]],
            finish_reason=said.get("finish_reason"),
            name=said.get("name"),
        )
        for said in content.output
    ]
    invocation.tool_definitions = [_tool(tool) for tool in content.tools] or None


def _tool(tool: dict[str, Any]) -> types.ToolDefinition:
    if tool["type"] == "function":
        return types.FunctionToolDefinition(
            name=tool["name"], description=tool.get("description"), parameters=tool.get("parameters")
        )
    return types.GenericToolDefinition(name=tool["name"], type=tool["type"])
