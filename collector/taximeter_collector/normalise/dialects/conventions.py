"""OpenTelemetry's GenAI conventions, current and older, and what Taximeter's own meter adds to them."""

from __future__ import annotations

import numpy as np

from taximeter_collector.normalise.dialect import Dialect, Key, Measure, Scaled
from taximeter_collector.normalise.view import View

__all__ = ["DIALECT"]

_FIELDS: dict[str, list[Key]] = {
    "provider": ["gen_ai.provider.name", "gen_ai.system"],
    "operation": ["gen_ai.operation.name"],
    "request_model": ["gen_ai.request.model"],
    "response_model": ["gen_ai.response.model"],
    "response_id": ["gen_ai.response.id"],
    "finish_reason": ["gen_ai.response.finish_reasons", "gen_ai.response.finish_reason"],
    "error_type": ["error.type", "exception.type"],
    "conversation_id": ["gen_ai.conversation.id", "session.id"],
    "user_id": ["user.id", "enduser.id", "gen_ai.user", "gen_ai.request.user"],
    "agent_name": ["gen_ai.agent.name"],
    "workflow_name": ["gen_ai.workflow.name"],
    "prompt_name": ["gen_ai.prompt.name"],
    "tool_name": ["gen_ai.tool.name"],
    "service_tier": [
        "openai.response.service_tier",
        "anthropic.response.service_tier",
        "aws.bedrock.response.service_tier",
        "gcp.gemini.response.service_tier",
        "gen_ai.openai.response.service_tier",
        "gen_ai.response.service_tier",
        "openai.request.service_tier",
        "anthropic.request.service_tier",
        "aws.bedrock.request.service_tier",
        "gcp.gemini.request.service_tier",
        "gen_ai.openai.request.service_tier",
    ],
    "processing": ["taximeter.processing"],
    "speed": ["anthropic.response.speed"],
    "region": ["anthropic.response.inference_geo", "cloud.region"],
    "server_address": ["server.address", "gen_ai.openai.api_base"],
    "input_tokens": ["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"],
    "output_tokens": ["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"],
    "cache_read_tokens": [
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.cache_read_tokens",
        "gen_ai.usage.details.cache_read_tokens",
    ],
    "cache_write_tokens": [
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_tokens",
        "gen_ai.usage.details.cache_write_tokens",
    ],
    "reasoning_tokens": [
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens",
    ],
    "cache_write_5m_tokens": [
        "anthropic.usage.cache_creation.ephemeral_5m_input_tokens",
        "taximeter.usage.cache_write_5m",
        "taximeter.usage.cache_write_5m_tokens",
    ],
    "cache_write_1h_tokens": [
        "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
        "taximeter.usage.cache_write_1h",
        "taximeter.usage.cache_write_1h_tokens",
    ],
    "image_input_tokens": ["gen_ai.usage.image.input_tokens"],
    "audio_input_tokens": ["gen_ai.usage.audio.input_tokens"],
    "video_input_tokens": ["gen_ai.usage.video.input_tokens", "taximeter.usage.video.input_tokens"],
    "image_cache_read_tokens": ["gen_ai.usage.image.cache_read.input_tokens"],
    "audio_cache_read_tokens": ["gen_ai.usage.audio.cache_read.input_tokens"],
    "image_output_tokens": ["gen_ai.usage.image.output_tokens"],
    "audio_output_tokens": ["gen_ai.usage.audio.output_tokens"],
    "citation_tokens": ["taximeter.usage.citation_tokens"],
    "characters": ["taximeter.usage.characters"],
    "audio_input_ms": [Scaled("taximeter.usage.audio_seconds", 1000)],
    "pages": ["taximeter.usage.pages"],
    "images": ["taximeter.usage.images"],
    "rerank_searches": ["taximeter.usage.search_units"],
    "web_searches": [
        "taximeter.usage.web_search_requests",
        "taximeter.usage.num_search_queries",
        "taximeter.usage.web_search.num_requests",
        "taximeter.usage.google_search",
    ],
    "file_searches": ["taximeter.usage.file_search.num_requests"],
    "code_executions": ["taximeter.usage.code_execution_requests"],
    "attempt": ["http.request.resend_count"],
    "ttft_ms": [
        Scaled("gen_ai.response.time_to_first_chunk", 1000),
        Scaled("gen_ai.server.time_to_first_token", 1000),
    ],
    "reported_cost_usd": ["taximeter.reported_cost_usd", "gen_ai.usage.cost.amount", "gen_ai.usage.total_cost"],
    "stream": ["gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming"],
}

_TOKENS = {"input": "input", "output": "output"}
_INFERENCE = "gen_ai.client.inference"


def _adjust(view: View) -> None:
    """A stored response that is fetched again was paid for before. A cost in another currency is not in USD."""
    view.never_billed("fetched", view.where("operation", "fetch_response"))
    currency = view.attribute("gen_ai.usage.cost.currency")
    if currency.null_count < view.size:
        foreign = np.array([text not in (None, "USD") for text in currency.to_pylist()])
        view.set("reported_cost_usd", None, foreign & view.told("reported_cost_usd"))


DIALECT = Dialect(
    name="conventions",
    keys=["gen_ai.*"],
    names=["gen_ai.*"],
    scopes=["taximeter"],
    precedence=-100,
    fields=_FIELDS,
    by_name={
        "gen_ai.client.operation.exception": "",
        "gen_ai.evaluation.result": "",
        "gen_ai.system.message": "",
        "gen_ai.user.message": "",
        "gen_ai.assistant.message": "",
        "gen_ai.tool.message": "",
        "gen_ai.choice": "",
    },
    rank=20,
    content={
        "gen_ai.input.messages": "input",
        "gen_ai.output.messages": "output",
        "gen_ai.system_instructions": "system",
        "gen_ai.tool.definitions": "tools",
        "gen_ai.tool.call.arguments": "tool_input",
        "gen_ai.tool.call.result": "tool_output",
        "gen_ai.prompt.variable.*": "input",
        "gen_ai.prompt": "input",
        "gen_ai.completion": "output",
        "gen_ai.content.prompt": "input",
        "gen_ai.content.completion": "output",
        "gen_ai.event.content": "other",
        "gen_ai.retrieval.query.text": "input",
        "gen_ai.retrieval.documents": "output",
        "gen_ai.memory.query.text": "input",
        "gen_ai.memory.records": "output",
    },
    body={
        "gen_ai.system.message": "system",
        "gen_ai.user.message": "input",
        "gen_ai.assistant.message": "input",
        "gen_ai.tool.message": "tool_output",
        "gen_ai.choice": "output",
        "gen_ai.client.inference.operation.details": "other",
    },
    tags=["taximeter.tag.*"],
    measures={
        "gen_ai.client.token.usage": Measure("tokens", by="gen_ai.token.type", parts=_TOKENS),
        "gen_ai.client.operation.duration": Measure("duration_s", by="gen_ai.operation.name"),
        "gen_ai.client.operation.time_to_first_chunk": Measure("ttft_s"),
        "gen_ai.client.operation.time_per_output_chunk": Measure("chunk_interval_s"),
        "gen_ai.client.operation.cost": Measure("cost_usd"),
        f"{_INFERENCE}.duration": Measure("duration_s", by="gen_ai.operation.name"),
        f"{_INFERENCE}.time_to_first_chunk": Measure("ttft_s"),
        f"{_INFERENCE}.time_per_output_chunk": Measure("chunk_interval_s"),
        f"{_INFERENCE}.usage.input_tokens": Measure("tokens", part="input"),
        f"{_INFERENCE}.usage.output_tokens": Measure("tokens", part="output"),
        f"{_INFERENCE}.usage.cache_read.input_tokens": Measure("tokens", part="cache_read"),
        f"{_INFERENCE}.usage.cache_write.input_tokens": Measure("tokens", part="cache_write"),
        f"{_INFERENCE}.usage.reasoning.output_tokens": Measure("tokens", part="reasoning"),
    },
    adjust=_adjust,
)
