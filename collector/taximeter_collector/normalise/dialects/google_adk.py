"""Google's Agent Development Kit: its own format ("schema one"), and the conventions', which newer ones default to.

In the first, `call_llm` is around `generate_content`, and until version 2.0 only the outer one knew of thoughts. These
were beside the output then; now they are part of it, and for what LiteLLM calls they are part of it twice.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.normalise.dialect import At, Dialect
from taximeter_collector.normalise.providers import provider_named
from taximeter_collector.normalise.view import Mask, View

__all__ = ["DIALECT"]

_ANSWER = "gcp.vertex.agent.llm_response"
_EVENT = "gen_ai.client.inference.operation.details"
_THOUGHTS = "gen_ai.usage.reasoning.output_tokens"
_NO_PROVIDER = ("projects", "publishers", "models", "endpoints", "apigee")


def _adjust(view: View) -> None:
    _name(view)
    thoughts, output = view.counts("reasoning_tokens"), view.counts("output_tokens")
    beside = ~view.has(_THOUGHTS) & (thoughts > 0) & view.told("output_tokens")
    view.set("output_tokens", output + thoughts, beside)
    by_litellm = _unfold_models(view) | view.where("provider", "openai")
    view.set("output_tokens", output - thoughts, by_litellm & view.has(_THOUGHTS) & (output >= 2 * thoughts))


def _name(view: View) -> None:
    for name, operation in (("call_llm", "generate_content"), ("invocation", "invoke_workflow")):
        view.set("operation", operation, view.named(name) & ~view.told("operation"))
    names = view.names.cast(pa.string())
    runs = np.asarray(pc.starts_with(names, "agent_run [").fill_null(False))
    view.set("operation", "invoke_agent", runs)
    view.set("agent_name", pc.replace_substring_regex(names, r"^agent_run \[(.*)\]$", r"\1"), runs)
    # Of a call that failed the event does not say so; what says nothing of a call is not one.
    view.set("operation", "generate_content", view.named(_EVENT) & view.told("input_tokens"))
    inner = view.where("operation", "generate_content") & ~view.named("call_llm") & view.told("input_tokens")
    view.set("operation", "", inner & ~view.has(_THOUGHTS) & ~view.has("gen_ai.provider.name"))
    view.set("provider", None, view.where("provider", "gcp.vertex.agent"))


def _unfold_models(view: View) -> Mask:
    """LiteLLM's names of models begin with the provider."""
    encoded = view.texts("request_model").dictionary_encode()
    parts = [_provider_and_model(text) for text in encoded.dictionary.to_pylist()]
    provider = pa.array([of for of, _ in parts], pa.string()).take(encoded.indices)
    model = pa.array([name for _, name in parts], pa.string()).take(encoded.indices)
    folded = np.asarray(model.is_valid())
    view.set("provider", provider, folded)
    view.set("request_model", model, folded)
    return folded


def _provider_and_model(text: str) -> tuple[str | None, str | None]:
    """Both, if the name is in two parts.

    >>> _provider_and_model("anthropic/claude-sonnet-4-5"), _provider_and_model("models/gemini-2.5-flash")
    (('anthropic', 'claude-sonnet-4-5'), (None, None))
    """
    provider, _, model = text.partition("/")
    return (provider_named(provider), model) if model and provider not in _NO_PROVIDER else (None, None)


DIALECT = Dialect(
    name="google_adk",
    scopes=["gcp.vertex.agent"],
    keys=["gcp.vertex.agent.*"],
    fields={
        "conversation_id": ["gen_ai.conversation.id", "gcp.vertex.agent.session_id"],
        "response_model": ["gen_ai.response.model", At(_ANSWER, "model_version")],
        "cache_read_tokens": [
            "gen_ai.usage.cache_read.input_tokens",
            At(_ANSWER, "usage_metadata.cached_content_token_count"),
        ],
        "reasoning_tokens": [
            _THOUGHTS,
            "gen_ai.usage.experimental.reasoning_tokens",
            At(_ANSWER, "usage_metadata.thoughts_token_count"),
        ],
    },
    rank=10,
    content={
        "gcp.vertex.agent.llm_request": "input",
        _ANSWER: "output",
        "gcp.vertex.agent.tool_call_args": "tool_input",
        "gcp.vertex.agent.tool_response": "tool_output",
        "gcp.vertex.agent.data": "other",
    },
    adjust=_adjust,
)
