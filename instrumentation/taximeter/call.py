"""The neutral record: what one model call said of itself, whatever API it was made through.

A dialect fills it in; what emits telemetry reads it. It knows neither of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Call", "Content", "Message", "Part", "Usage"]

_LONGEST_ERROR_TYPE = 100  # it is an attribute of metrics

# Part of a message in the JSON shape of the GenAI conventions: {"type": "text", "content": "..."} and so on.
Part = dict[str, Any]
Message = dict[str, Any]


@dataclass(slots=True)
class Usage:
    """Token counts by the conventions: totals include their details, and None means that nobody said."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    text_input_tokens: int | None = None
    image_input_tokens: int | None = None
    audio_input_tokens: int | None = None
    text_output_tokens: int | None = None
    image_output_tokens: int | None = None
    audio_output_tokens: int | None = None
    text_cache_read_tokens: int | None = None
    image_cache_read_tokens: int | None = None
    audio_cache_read_tokens: int | None = None


@dataclass(slots=True)
class Content:
    """The messages of a call. Filled in only when the user asked for content to be captured."""

    system: list[Part] = field(default_factory=list)
    input: list[Message] = field(default_factory=list)
    output: list[Message] = field(default_factory=list)
    tools: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Call:
    """One call to a model: what was asked, what came back, what it used."""

    operation: str
    model: str | None = None
    stream: bool = False
    # Set when the operation only fetches, by its id, what an earlier call produced and paid for.
    fetched: bool = False

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop_sequences: list[str] | None = None
    seed: int | None = None
    choice_count: int | None = None
    reasoning_level: str | None = None
    output_type: str | None = None
    previous_response_id: str | None = None
    conversation_id: str | None = None
    conversation_compacted: bool | None = None
    encoding_formats: list[str] | None = None
    dimension_count: int | None = None

    response_id: str | None = None
    response_model: str | None = None
    status: str | None = None
    # By choice; a choice whose reason never came stays None.
    finish_reasons: dict[int, str | None] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    error_type: str | None = None
    error_message: str | None = None
    # The provider's own word that nothing more will come, where its protocol has one.
    complete: bool = False

    # What a provider says beyond the record, under the attribute name that it will have.
    attributes: dict[str, Any] = field(default_factory=dict)
    content: Content | None = None
    # What a dialect keeps between the events of one stream.
    state: dict[Any, Any] = field(default_factory=dict)

    def fail(self, error_type: object, message: object = None) -> None:
        """Keep the first error that the provider reported."""
        if self.error_type is None:
            named = isinstance(error_type, (str, int)) and error_type
            self.error_type = str(error_type)[:_LONGEST_ERROR_TYPE] if named else "_OTHER"
            self.error_message = str(message) if message else None
