"""Haystack's own tracing: pipelines, components, agents. What a call used is in its output, if content is traced."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.normalise.dialect import Dialect, Each
from taximeter_collector.normalise.view import View

__all__ = ["DIALECT"]

_TYPE = "haystack.component.type"
_OUTPUTS = ("haystack.component.output", "haystack.agent.step.llm.output")
_BY_NAME = {
    "haystack.pipeline.run": "invoke_workflow",
    "haystack.async_pipeline.run": "invoke_workflow",
    "haystack.agent.run": "invoke_agent",
    "haystack.agent.step.llm": "chat",
    "haystack.agent.step.tool": "execute_tool",
}
_PROVIDERS = {
    "AzureOpenAI": "azure.ai.openai",
    "OpenAI": "openai",
    "Anthropic": "anthropic",
    "AmazonBedrock": "aws.bedrock",
    "GoogleAI": "gcp.gemini",
    "GoogleGenAI": "gcp.gemini",
    "VertexAI": "gcp.vertex_ai",
    "Mistral": "mistral_ai",
    "Cohere": "cohere",
    "Ollama": "ollama",
    "Nvidia": "nvidia",
    "OpenRouter": "openrouter",
    "TogetherAI": "together_ai",
}
_TEXTS = {"response_model": "model", "finish_reason": "finish_reason", "service_tier": "usage.service_tier"}
_COUNTS = {
    "input_tokens": ("prompt_tokens", "input_tokens"),
    "output_tokens": ("completion_tokens", "output_tokens"),
    "cache_read_tokens": (
        "prompt_tokens_details.cached_tokens",
        "input_tokens_details.cached_tokens",
        "cache_read_input_tokens",
    ),
    "cache_write_tokens": ("cache_creation_input_tokens",),
    "cache_write_5m_tokens": ("cache_creation.ephemeral_5m_input_tokens",),
    "cache_write_1h_tokens": ("cache_creation.ephemeral_1h_input_tokens",),
    "reasoning_tokens": (
        "completion_tokens_details.reasoning_tokens",
        "output_tokens_details.reasoning_tokens",
        "thoughts_token_count",
    ),
}


def _operation(component: str) -> str | None:
    """By the name of a component's class.

    >>> _operation("OpenAIChatGenerator"), _operation("OpenAITextEmbedder"), _operation("ChatPromptBuilder")
    ('chat', 'embeddings', None)
    """
    return "chat" if component.endswith("Generator") else "embeddings" if component.endswith("Embedder") else None


def _provider(component: str) -> str | None:
    return next((name for begin, name in _PROVIDERS.items() if component.startswith(begin)), None)


def _adjust(view: View) -> None:
    for name, operation in _BY_NAME.items():
        view.set("operation", operation, view.named(name))
    calls = pa.array(view.where("operation", "chat", "embeddings"))
    outputs = pc.if_else(calls, pc.coalesce(*map(view.attribute, _OUTPUTS)), pa.scalar(None, pa.string()))
    encoded = outputs.dictionary_encode()
    found = [_told_in(text) for text in encoded.dictionary.to_pylist()]
    for field in (*_TEXTS, *_COUNTS, "stream"):
        type_ = pa.string() if field in _TEXTS else pa.int64() if field in _COUNTS else pa.bool_()
        values = pa.array([told.get(field) for told in found], type_).take(encoded.indices)
        view.set(field, values, np.asarray(values.is_valid()))


def _told_in(output: str) -> dict[str, Any]:
    """What the first reply says of itself, or the embedder."""
    try:
        told = json.loads(output)
        replies = told.get("replies")
        told = replies[0] if replies and isinstance(replies[0], dict) else told
        meta = told["meta"][0] if isinstance(told["meta"], list) else told["meta"]
        usage = meta.get("usage") or {}
        found: dict[str, Any] = {
            field: next((count for path in paths if isinstance(count := _at(usage, path), int)), None)
            for field, paths in _COUNTS.items()
        }
        texts = {field: _at(meta, path) for field, path in _TEXTS.items()}
        found |= {field: text for field, text in texts.items() if isinstance(text, str)}
        if "completion_start_time" in meta:
            found["stream"] = True
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}
    return found


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


DIALECT = Dialect(
    name="haystack",
    keys=["haystack.*"],
    names=["haystack.*"],
    fields={
        "operation": [Each(_TYPE, _operation)],
        "provider": [Each(_TYPE, _provider)],
        "tool_name": ["haystack.tool.name"],
    },
    input_may_exclude_cache=True,
    rank=10,
    content={
        "haystack.component.input": "input",
        "haystack.component.output": "output",
        "haystack.pipeline.input_data": "input",
        "haystack.pipeline.output_data": "output",
        "haystack.agent.input": "input",
        "haystack.agent.output": "output",
        "haystack.agent.tools": "tools",
        "haystack.agent.step.llm.input": "input",
        "haystack.agent.step.llm.output": "output",
        "haystack.agent.step.tool.input": "tool_input",
        "haystack.agent.step.tool.output": "tool_output",
    },
    adjust=_adjust,
)
