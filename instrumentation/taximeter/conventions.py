"""The neutral record in the words of the conventions."""

from __future__ import annotations

from typing import Any

from taximeter.call import Call

__all__ = ["CALL_FIELDS", "DETAIL_FIELDS", "canonical_attributes", "finish_reasons", "start_attributes"]


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


CALL_FIELDS = (
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
DETAIL_FIELDS = (
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
    for ours, _, attribute in CALL_FIELDS:
        if (value := getattr(call, ours)) is not None:
            facts[attribute] = value
    usage = call.usage
    if usage.input_tokens is not None:
        facts["gen_ai.usage.input_tokens"] = usage.input_tokens
    if usage.output_tokens is not None:
        facts["gen_ai.usage.output_tokens"] = usage.output_tokens
    for ours, _, attribute in DETAIL_FIELDS:
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
    if (reasons := finish_reasons(call)) is not None:
        facts["gen_ai.response.finish_reasons"] = reasons
    return facts


def finish_reasons(call: Call) -> list[str] | None:
    """One a choice, in their order; a choice that was broken off ended in error."""
    if not any(call.finish_reasons.values()) and call.error_type is None:
        return None
    reasons = [call.finish_reasons[index] or "error" for index in sorted(call.finish_reasons)]
    return reasons or None
