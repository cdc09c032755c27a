"""Pydantic AI: the conventions, with details under names of its own, and totals on the spans of agents."""

from __future__ import annotations

from taximeter_collector.normalise.dialect import Dialect, Key, Measure, Scaled
from taximeter_collector.normalise.view import View

__all__ = ["DIALECT"]

_DETAIL = "gen_ai.usage.details"
_TOTAL = "gen_ai.aggregated_usage"


def _adjust(view: View) -> None:
    """Only a streamed answer has a first chunk; whether one was asked for is not told otherwise."""
    view.set("stream", True, view.told("ttft_ms"))
    for name, operation in (("agent run", "invoke_agent"), ("running tool", "execute_tool")):  # before there was a word
        view.set("operation", operation, view.named(name) & ~view.told("operation"))


def _detail(*names: str) -> list[Key]:
    return [f"{prefix}.{name}" for name in names for prefix in (_DETAIL, f"{_TOTAL}.details")]


DIALECT = Dialect(
    name="pydantic_ai",
    scopes=["pydantic-ai"],
    fields={
        "request_model": ["gen_ai.request.model", "model_name"],
        "agent_name": ["gen_ai.agent.name", "agent_name"],
        # Of an agent's span: all that its calls used. They say so themselves, and then the total is nested.
        "input_tokens": ["gen_ai.usage.input_tokens", f"{_TOTAL}.input_tokens"],
        "output_tokens": ["gen_ai.usage.output_tokens", f"{_TOTAL}.output_tokens"],
        "cache_read_tokens": ["gen_ai.usage.cache_read.input_tokens", f"{_TOTAL}.cache_read.input_tokens"],
        "cache_write_tokens": ["gen_ai.usage.cache_creation.input_tokens", f"{_TOTAL}.cache_creation.input_tokens"],
        "cache_write_1h_tokens": _detail("ephemeral_1h_input_tokens"),
        "reasoning_tokens": _detail("reasoning_tokens", "thoughts_tokens", "thinking_tokens"),
        "image_input_tokens": _detail("image_prompt_tokens"),
        "audio_input_tokens": _detail("input_audio_tokens", "audio_prompt_tokens"),
        "video_input_tokens": _detail("video_prompt_tokens"),
        "image_cache_read_tokens": _detail("image_cache_tokens"),
        "audio_cache_read_tokens": _detail("cache_audio_read_tokens", "audio_cache_tokens"),
        "video_cache_read_tokens": _detail("video_cache_tokens"),
        "image_output_tokens": _detail("image_candidates_tokens"),
        "audio_output_tokens": _detail("output_audio_tokens", "audio_candidates_tokens"),
        "web_searches": _detail("web_search_requests"),
        "ttft_ms": [Scaled("gen_ai.client.operation.time_to_first_chunk", 1000)],
        "reported_cost_usd": ["operation.cost"],
    },
    providers={"google-cloud": "gcp.vertex_ai"},
    rank=10,
    content={
        "pydantic_ai.all_messages": "other",
        "final_result": "output",
        "model_request_parameters": "tools",
        "tool_arguments": "tool_input",
        "tool_response": "tool_output",
        "inputs": "input",
        "embeddings": "output",
    },
    measures={"operation.cost": Measure("cost_usd")},
    adjust=_adjust,
)
