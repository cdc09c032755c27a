"""Vercel's AI SDK: its own `ai.*` of versions 3 to 6, and the conventions' names since version 7.

Before version 6 it counted as each provider does, and told of what was cached only in a provider's own JSON, or only
of streams. Spans for a whole run (`ai.generateText`, `invoke_agent`) repeat what the spans of its calls say.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.normalise.dialect import At, Dialect, Each, Key, Scaled
from taximeter_collector.normalise.view import Mask, View

__all__ = ["DIALECT"]

_METADATA = "ai.response.providerMetadata"
_PROVIDERS = {
    "google.vertex": "gcp.vertex_ai",
    "google-vertex": "gcp.vertex_ai",
    "vertex": "gcp.vertex_ai",
    "google": "gcp.gemini",
    "amazon-bedrock": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "azure-openai": "azure.ai.openai",
    "azure": "azure.ai.openai",  # also where version 7 says azure.ai.inference
    "gateway": "vercel_ai_gateway",
}


def _provider(text: str) -> str:
    """The part of a provider's name that is no API.

    >>> _provider("openai.chat"), _provider("google.vertex.chat"), _provider("aws.bedrock")
    ('openai', 'gcp.vertex_ai', 'aws.bedrock')
    """
    if text.startswith(("aws.", "gcp.", "ibm.")):
        return text
    found = next((name for begin, name in _PROVIDERS.items() if f"{text}.".startswith((f"{begin}.", f"{begin}-"))), "")
    return found or text.partition(".")[0]


def _streams(operation: str) -> str | None:
    return "true" if operation.endswith(".doStream") else "false" if operation.endswith(".doGenerate") else None


def _told_by_provider(*paths: str) -> list[Key]:
    return [At(_METADATA, path) for path in paths]


def _adjust(view: View) -> None:
    view.set("stream", True, view.told("ttft_ms"))
    made_up = np.asarray(pc.starts_with(view.texts("response_id"), "aitxt-").fill_null(False))
    view.set("response_id", None, made_up)
    _include(view, ~view.has("ai.usage.inputTokenDetails.noCacheTokens") & view.has("ai.model.provider"))


def _include(view: View, older: Mask) -> None:
    """Add what the older versions' providers counted beside the totals."""
    by = view.attribute("ai.model.provider")
    cached = view.counts("cache_read_tokens") + view.counts("cache_write_tokens")
    beside = older & _matches(by, "anthropic|bedrock") & view.told("input_tokens") & (cached > 0)
    view.set("input_tokens", view.counts("input_tokens") + cached, beside)
    thoughts = view.counts("reasoning_tokens")
    parts = view.counts("input_tokens") + view.counts("output_tokens") + thoughts
    apart = _matches(by, "^(google|vertex)") | (_count(view, "ai.usage.totalTokens") == parts)
    beside = older & apart & view.told("output_tokens") & (thoughts > 0)
    view.set("output_tokens", view.counts("output_tokens") + thoughts, beside)


def _matches(texts: pa.Array, pattern: str) -> Mask:
    return np.asarray(pc.match_substring_regex(texts, pattern).fill_null(False))


def _count(view: View, key: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    numbers = view.attributes.numbers(key)
    if numbers is None:
        return np.full(view.size, -1, dtype=np.int64)
    found = view.attributes.values.ints.take(numbers)
    return np.asarray(found.fill_null(-1).to_numpy(zero_copy_only=False))


DIALECT = Dialect(
    name="vercel_ai",
    scopes=["ai", "gen_ai"],
    keys=["ai.operationId"],
    fields={
        "provider": [Each(key, _provider) for key in ("gen_ai.provider.name", "gen_ai.system", "ai.model.provider")],
        "operation": ["gen_ai.operation.name", "ai.operationId"],
        "request_model": ["gen_ai.request.model", "ai.model.id"],
        "response_model": ["gen_ai.response.model", "ai.response.model"],
        "response_id": ["gen_ai.response.id", "ai.response.id"],
        "finish_reason": ["gen_ai.response.finish_reasons", "ai.response.finishReason", "ai.finishReason"],
        "conversation_id": [
            "gen_ai.conversation.id",
            *(f"ai.telemetry.metadata.{name}" for name in ("sessionId", "session_id", "conversationId", "threadId")),
            *(f"ai.settings.context.{name}" for name in ("sessionId", "conversationId", "threadId")),
        ],
        "user_id": ["ai.telemetry.metadata.userId", "ai.telemetry.metadata.user_id", "ai.settings.context.userId"],
        "error_type": ["error.type", "http.response.status_code"],  # which it tells of errors only
        "agent_name": ["gen_ai.agent.name", "ai.telemetry.functionId"],
        "tool_name": ["gen_ai.tool.name", "ai.toolCall.name"],
        "service_tier": _told_by_provider("openai.serviceTier", "anthropic.usage.service_tier"),
        "input_tokens": [
            "gen_ai.usage.input_tokens",
            *(f"ai.usage.{name}" for name in ("inputTokens", "promptTokens", "tokens", "input_tokens")),
        ],
        "output_tokens": [
            "gen_ai.usage.output_tokens",
            *(f"ai.usage.{name}" for name in ("outputTokens", "completionTokens", "output_tokens")),
        ],
        "cache_read_tokens": [
            "gen_ai.usage.cache_read.input_tokens",
            "ai.usage.inputTokenDetails.cacheReadTokens",
            "ai.usage.cachedInputTokens",
            *_told_by_provider(
                "anthropic.usage.cache_read_input_tokens",
                "anthropic.cacheReadInputTokens",
                "openai.cachedPromptTokens",
                "google.usageMetadata.cachedContentTokenCount",
                "bedrock.usage.cacheReadInputTokens",
            ),
        ],
        "cache_write_tokens": [
            "gen_ai.usage.cache_creation.input_tokens",
            "ai.usage.inputTokenDetails.cacheWriteTokens",
            *_told_by_provider(
                "anthropic.usage.cache_creation_input_tokens",
                "anthropic.cacheCreationInputTokens",
                "bedrock.usage.cacheWriteInputTokens",
            ),
        ],
        "cache_write_5m_tokens": _told_by_provider("anthropic.usage.cache_creation.ephemeral_5m_input_tokens"),
        "cache_write_1h_tokens": _told_by_provider("anthropic.usage.cache_creation.ephemeral_1h_input_tokens"),
        "reasoning_tokens": [
            "ai.usage.outputTokenDetails.reasoningTokens",
            "ai.usage.reasoningTokens",
            *_told_by_provider("openai.reasoningTokens", "google.usageMetadata.thoughtsTokenCount"),
        ],
        "audio_input_tokens": [f"{of}.usage.input_token_details.audio_tokens" for of in ("gen_ai", "ai")],
        "audio_input_ms": [Scaled(f"{of}.usage.seconds", 1000) for of in ("gen_ai", "ai")],
        "characters": [f"{of}.usage.characters" for of in ("gen_ai", "ai")],
        "web_searches": _told_by_provider("anthropic.usage.server_tool_use.web_search_requests"),
        "ttft_ms": [
            "ai.response.msToFirstChunk",
            "ai.stream.msToFirstChunk",
            Scaled("gen_ai.client.operation.time_to_first_chunk", 1000),
        ],
        "stream": ["gen_ai.request.stream", Each("ai.operationId", _streams)],
        "reported_cost_usd": _told_by_provider("gateway.cost", "openrouter.usage.cost"),
    },
    operations={
        "ai.generateText.doGenerate": "chat",
        "ai.streamText.doStream": "chat",
        "ai.generateObject.doGenerate": "chat",
        "ai.streamObject.doStream": "chat",
        "ai.embed.doEmbed": "embeddings",
        "ai.embedMany.doEmbed": "embeddings",
        "ai.rerank.doRerank": "rerank",
        "ai.generateSpeech": "speech",
        "ai.transcribe": "transcription",
        "ai.streamTranscribe": "transcription",
        "ai.toolCall": "execute_tool",
        "ai.generateText": "invoke_agent",
        "ai.streamText": "invoke_agent",
        "ai.generateObject": "invoke_agent",
        "ai.streamObject": "invoke_agent",
        "ai.workflowAgent.stream": "invoke_agent",
        # There is a call below, that says the same.
        "ai.embed": "",
        "ai.embedMany": "",
        "ai.rerank": "",
    },
    rank=10,
    content={
        "ai.prompt": "input",
        "ai.prompt.messages": "input",
        "ai.prompt.tools": "tools",
        "ai.response.text": "output",
        "ai.response.object": "output",
        "ai.response.toolCalls": "output",
        "ai.response.reasoning": "output",
        "ai.response.files": "output",
        "ai.result.*": "output",
        "ai.toolCall.args": "tool_input",
        "ai.toolCall.result": "tool_output",
        "ai.value": "input",
        "ai.values": "input",
        "ai.embedding": "output",
        "ai.embeddings": "output",
        "ai.documents": "input",
        "ai.ranking": "output",
        "ai.request.text": "input",
    },
    tags=["ai.telemetry.metadata.*", "ai.settings.context.*"],
    adjust=_adjust,
)
