"""Under which names a backend looks for what it reads, beside ours. One that shows any attribute needs none.

What each of these reads was looked up in its own source (docs/forwarding.md says where):

- Langfuse takes a JSON text with costs by kind, and else `gen_ai.usage.cost` as the total. To a generation without
  either it gives a cost by its own prices, so what is not billed says that it costs nothing.
- Phoenix and Arize have the names of OpenInference. Phoenix itself goes by token counts, the model's name and its own
  prices, and shows `llm.cost.*` as attributes. It gives a cost to every span of the kind LLM, so what is not billed is
  of the kind CHAIN, unless its sender has said otherwise.
- Honeycomb counts an item as often as its `SampleRate` says.
- `gen_ai.usage.cost` is what OpenLIT and OpenRouter write, and what others took over from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["NAMES", "Names"]


@dataclass(frozen=True, slots=True)
class Names:
    """Names of attributes, each for a column of the ledger or one that follows from them (`figures.py`)."""

    costs: Mapping[str, str] = field(default_factory=dict)
    """Written for the view of a call that is billed, and taken out of all others."""
    counts: Mapping[str, str] = field(default_factory=dict)
    """Written where the sender has not."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Likewise."""
    breakdown: str = ""
    """One text for all costs, as JSON; for what is not billed it says so."""
    sample_rate: str = ""
    """For how many items one stands that was sampled, as a whole number."""


_OPENINFERENCE = Names(
    costs={
        "llm.cost.total": "cost_usd",
        "llm.cost.prompt": "prompt_cost_usd",
        "llm.cost.completion": "output_cost_usd",
        "llm.cost.prompt_details.cache_read": "cache_read_cost_usd",
        "llm.cost.prompt_details.cache_write": "cache_write_cost_usd",
    },
    counts={
        "llm.token_count.prompt": "input_tokens",
        "llm.token_count.completion": "output_tokens",
        "llm.token_count.total": "total_tokens",
        "llm.token_count.prompt_details.cache_read": "cache_read_tokens",
        "llm.token_count.prompt_details.cache_write": "cache_write_tokens",
        "llm.token_count.completion_details.reasoning": "reasoning_tokens",
    },
    texts={"llm.model_name": "model", "openinference.span.kind": "openinference_kind"},
)

NAMES: dict[str, Names] = {
    "taximeter": Names(),
    "langfuse": Names(costs={"gen_ai.usage.cost": "cost_usd"}, breakdown="langfuse.observation.cost_details"),
    "phoenix": _OPENINFERENCE,
    "arize": _OPENINFERENCE,
    "openinference": _OPENINFERENCE,
    "honeycomb": Names(sample_rate="SampleRate"),
    "openlit": Names(costs={"gen_ai.usage.cost": "cost_usd"}),
}
