"""OpenLLMetry (Traceloop): keys of its own until 0.4x, those of the conventions since, and always some of both."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.normalise.dialect import Dialect, Each, Measure
from taximeter_collector.normalise.dialects._texts import host_of
from taximeter_collector.normalise.view import View

__all__ = ["DIALECT"]

_SCOPES = (
    *("agno", "alephalpha", "anthropic", "bedrock", "cohere", "crewai", "google_generativeai", "groq", "haystack"),
    *("langchain", "llamaindex", "mcp", "mistralai", "ollama", "openai", "openai.v0", "openai.v1", "openai_agents"),
    *("replicate", "sagemaker", "together", "transformers", "voyageai", "watsonx", "writer"),
)
_PROPERTIES = "traceloop.association.properties"


def _adjust(view: View) -> None:
    """A framework is no provider; an older version calls a chat a completion; entities are of many kinds."""
    view.set("provider", None, view.where("provider", "langchain", "langgraph"))
    view.set("operation", "chat", view.named("anthropic.chat") & view.where("operation", "text_completion"))
    if view.has("traceloop.entity.name").any():
        kind, name = view.attribute("traceloop.span.kind"), view.attribute("traceloop.entity.name")
        for one, field in (("agent", "agent_name"), ("tool", "tool_name")):
            view.set(field, name, np.asarray(pc.equal(kind, one).fill_null(False)) & ~view.told(field))


DIALECT = Dialect(
    name="openllmetry",
    scopes=["traceloop.*", *(f"opentelemetry.instrumentation.{name}" for name in _SCOPES)],
    keys=["traceloop.*", "llm.request.type", "llm.usage.total_tokens"],
    precedence=-10,  # others have taken over some of its keys
    fields={
        "operation": ["gen_ai.operation.name", "llm.request.type", "traceloop.span.kind"],
        "finish_reason": [
            "gen_ai.response.finish_reasons",
            "gen_ai.completion.0.finish_reason",
            "llm.response.finish_reason",
            "llm.response.stop_reason",
        ],
        "conversation_id": ["gen_ai.conversation.id", f"{_PROPERTIES}.session_id", f"{_PROPERTIES}.thread_id"],
        "user_id": [f"{_PROPERTIES}.user_id", "llm.user"],
        "agent_name": ["gen_ai.agent.name", f"{_PROPERTIES}.lc_agent_name"],
        "workflow_name": ["traceloop.workflow.name"],
        "server_address": [Each("server.address", host_of), Each("gen_ai.openai.api_base", host_of)],
        "reasoning_tokens": ["llm.usage.reasoning_tokens"],
        "stream": ["llm.is_streaming", "gen_ai.is_streaming"],
    },
    operations={"task": "", "agent": "invoke_agent", "tool": "execute_tool", "workflow": "invoke_workflow"},
    input_may_exclude_cache=True,
    rank=15,
    content={
        "gen_ai.prompt.*": "input",
        "gen_ai.completion.*": "output",
        "gen_ai.completion.0.finish_reason": "",
        "llm.prompts.*": "input",
        "llm.completions.*": "output",
        "llm.request.functions.*": "tools",
        "traceloop.entity.input": "input",
        "traceloop.entity.output": "output",
        "gen_ai.task.input": "input",
        "gen_ai.task.output": "output",
    },
    tags=[f"{_PROPERTIES}.*"],
    measures={
        "gen_ai.client.generation.choices": Measure("choices"),
        "llm.openai.chat_completions.streaming_time_to_first_token": Measure("ttft_s"),
    },
    adjust=_adjust,
)
