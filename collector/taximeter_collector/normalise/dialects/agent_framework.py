"""Microsoft's Agent Framework: the conventions, with totals on agents, and of Anthropic counted as Anthropic counts."""

from __future__ import annotations

from taximeter_collector.normalise.dialect import Dialect, Each
from taximeter_collector.normalise.dialects._texts import host_of
from taximeter_collector.normalise.view import View

__all__ = ["DIALECT"]


def _adjust(view: View) -> None:
    view.set("operation", "invoke_workflow", view.named("workflow.run"))
    cached = view.counts("cache_read_tokens") + view.counts("cache_write_tokens")
    beside = view.where("provider", "anthropic") & view.told("input_tokens") & (cached > 0)
    view.set("input_tokens", view.counts("input_tokens") + cached, beside)
    view.set("provider", None, view.where("provider", "microsoft.agent_framework"))  # what it says of agents


DIALECT = Dialect(
    name="agent_framework",
    scopes=["agent_framework"],
    fields={
        "workflow_name": ["gen_ai.workflow.name", "workflow.name", "workflow_builder.name"],
        "server_address": [Each("server.address", host_of)],
    },
    input_may_exclude_cache=True,  # an agent's span does not tell whose tokens they are
    rank=10,
    content={"workflow.definition": "other"},
    adjust=_adjust,
)
