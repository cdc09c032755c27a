"""The official library's way of telling: spans with content, events and completion hooks, and our part of its spans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import context
from opentelemetry.context import Context
from opentelemetry.util.genai import types
from opentelemetry.util.genai.handler import TelemetryHandler
from opentelemetry.util.genai.invocation import EmbeddingInvocation, FetchResponseInvocation, InferenceInvocation

from taximeter import faults
from taximeter.call import Call, Content
from taximeter.context import situation
from taximeter.conventions import CALL_FIELDS, DETAIL_FIELDS, finish_reasons
from taximeter.redaction import redacted_content, redacted_error
from taximeter.rivals import litellm
from taximeter.settings import Settings

__all__ = ["Official", "has_official_span"]

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


class Official:
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
                told = redacted_error(call.error_message, self._settings)
                invocation.fail(types.Error(message=told, type=call.error_type))

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


def _fill_inference(invocation: InferenceInvocation, call: Call, settings: Settings) -> None:
    data = invocation.data
    for ours, theirs, _ in CALL_FIELDS:
        if (value := getattr(call, ours)) is not None:
            setattr(data, theirs, value)
    usage = call.usage
    data.usage_input_tokens = usage.input_tokens
    data.usage_output_tokens = usage.output_tokens
    for ours, theirs, _ in DETAIL_FIELDS:
        if (value := getattr(usage, ours)) is not None:
            setattr(data, theirs, value)
    data.response_finish_reasons = finish_reasons(call)
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
    invocation.finish_reasons = finish_reasons(call)
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
