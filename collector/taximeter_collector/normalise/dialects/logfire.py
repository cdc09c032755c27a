"""Logfire's spans of the SDKs of OpenAI, Anthropic and Claude's agents, and of OpenAI's agents.

Details of usage are in the provider's own JSON only; before version 4.13 everything is. Of a streamed call there are
two spans: the call, which ends when the answer begins, and a "log" when the stream is over, which has the usage.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.normalise.dialect import At, Dialect, Key
from taximeter_collector.normalise.view import Mask, View

__all__ = ["DIALECT"]

_STREAMED = "streaming response from "
_BY_BEGINNING = {
    "Chat Completion with ": "chat",
    "Chat completion with ": "chat",
    "Responses API": "chat",
    "Message with ": "chat",
    _STREAMED: "chat",
    "Completion with ": "text_completion",
    "Embedding Creation with ": "embeddings",
    "Image Generation with ": "image_generation",
    "OpenAI Agents trace: ": "invoke_workflow",
    "Agent run: ": "invoke_agent",
    "Function: ": "execute_tool",
}


def _raw(*paths: str) -> list[Key]:
    """Where the SDKs' usage is, in the newer versions, the older ones, and of OpenAI's agents."""
    return [key for path in paths for key in (At(_RAW, path), At("response_data", f"usage.{path}"), At("usage", path))]


_RAW = "gen_ai.usage.raw"


def _adjust(view: View) -> None:
    _name(view)
    exclusive = _of(view, "logfire.anthropic") & ~view.has("gen_ai.usage.input_tokens") & view.told("input_tokens")
    if exclusive.any():  # as Anthropic counts
        cached = view.counts("cache_read_tokens") + view.counts("cache_write_tokens")
        view.set("input_tokens", view.counts("input_tokens") + cached, exclusive)
    streamed = _begins(view, _STREAMED)
    opened = _opens_a_stream(view)
    view.set("stream", True, streamed | opened)
    view.never_billed("stream_opened", opened)
    view.set("response_model", None, view.failed & ~view.told("response_id"))  # they put the one that was asked for


def _name(view: View) -> None:
    encoded = view.names.dictionary_encode()
    found = [_operation(name or "") for name in encoded.dictionary.to_pylist()]
    view.set("operation", pa.array(found, pa.string()).take(encoded.indices), ~view.told("operation"))
    view.set("agent_name", view.attribute("name"), _begins(view, "Agent run: ") & view.has("name"))
    view.set("tool_name", view.attribute("name"), _begins(view, "Function: ") & view.has("name"))
    view.set("workflow_name", view.attribute("name"), _begins(view, "OpenAI Agents trace: ") & view.has("name"))
    for provider in ("openai", "anthropic"):
        view.set("provider", provider, _of(view, f"logfire.{provider}") & ~view.told("provider"))


def _operation(name: str) -> str | None:
    return next((operation for begin, operation in _BY_BEGINNING.items() if name.startswith(begin)), None)


def _begins(view: View, beginning: str) -> Mask:
    return np.asarray(pc.starts_with(view.names.cast(pa.string()), beginning).fill_null(False))


def _of(view: View, *scopes: str) -> Mask:
    return np.asarray(pc.is_in(view.scope_name, pa.array(scopes, pa.string())).fill_null(False))


def _opens_a_stream(view: View) -> Mask:
    """A call that went well, and tells nothing of what came of it."""
    silent = ~view.told("input_tokens") & ~view.told("response_id") & ~view.has("response_data")
    return silent & _of(view, "logfire.openai", "logfire.anthropic") & ~view.failed & ~_begins(view, _STREAMED)


DIALECT = Dialect(
    name="logfire",
    scopes=["logfire.openai", "logfire.anthropic", "logfire.openai_agents", "logfire.claude_agent_sdk"],
    fields={
        "request_model": ["gen_ai.request.model", At("request_data", "model")],
        "response_id": ["gen_ai.response.id", "response_id"],
        "finish_reason": ["gen_ai.response.finish_reasons", At("gen_ai.output.messages", "0.finish_reason")],
        "conversation_id": ["gen_ai.conversation.id", "group_id"],
        "agent_name": ["gen_ai.agent.name", "agent_name"],
        "input_tokens": [
            "gen_ai.usage.input_tokens",
            At("response_data", "usage.prompt_tokens"),
            At("response_data", "usage.input_tokens"),
        ],
        "output_tokens": [
            "gen_ai.usage.output_tokens",
            At("response_data", "usage.completion_tokens"),
            At("response_data", "usage.output_tokens"),
        ],
        "cache_read_tokens": [
            "gen_ai.usage.cache_read.input_tokens",
            *_raw(
                "prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens", "cache_read_input_tokens"
            ),
        ],
        "cache_write_tokens": ["gen_ai.usage.cache_creation.input_tokens", *_raw("cache_creation_input_tokens")],
        "cache_write_5m_tokens": _raw("cache_creation.ephemeral_5m_input_tokens"),
        "cache_write_1h_tokens": _raw("cache_creation.ephemeral_1h_input_tokens"),
        "reasoning_tokens": _raw(
            "completion_tokens_details.reasoning_tokens",
            "output_tokens_details.reasoning_tokens",
            "output_tokens_details.thinking_tokens",
        ),
        "audio_input_tokens": _raw("prompt_tokens_details.audio_tokens"),
        "audio_output_tokens": _raw("completion_tokens_details.audio_tokens"),
        "image_input_tokens": _raw("input_tokens_details.image_tokens"),
        "image_output_tokens": _raw("output_tokens_details.image_tokens"),
        "web_searches": _raw("server_tool_use.web_search_requests"),
        "service_tier": [At("response", "service_tier"), *_raw("service_tier")],
        "reported_cost_usd": ["operation.cost"],
    },
    rank=20,
    content={
        "request_data": "input",
        "response_data": "output",
        "events": "other",
        "raw_input": "input",
        "input": "input",
        "output": "output",
        "response": "output",
        "all_messages_events": "other",
    },
    adjust=_adjust,
)
