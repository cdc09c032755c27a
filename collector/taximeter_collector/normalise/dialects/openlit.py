"""OpenLIT: the conventions' keys, with figures of its own."""

from __future__ import annotations

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.normalise.dialect import Dialect, Measure
from taximeter_collector.normalise.view import Mask, View

__all__ = ["DIALECT"]

_SCOPE = "openlit.instrumentation."
_BESIDE = ("anthropic", "bedrock")
"""Whose input is told as these providers tell it: without what was cached."""
_PROVIDERS = {"anthropic": "anthropic", "bedrock": "aws.bedrock", "openai": "openai"}


def _adjust(view: View) -> None:
    """What it says where it knows nothing is taken back: the first piece of what came whole, costs of 0."""
    _take_back(view, "ttft_ms", ~_where(view.columns.get("stream"), True))
    _take_back(view, "reported_cost_usd", _where(view.columns.get("reported_cost_usd"), "0.000000000000"))
    for name, provider in _PROVIDERS.items():
        view.set("provider", provider, _where(view.scope_name, f"{_SCOPE}{name}") & ~view.told("provider"))
    if view.signal == "span":
        _read_names(view)
    beside = np.logical_or.reduce([_where(view.scope_name, f"{_SCOPE}{name}") for name in _BESIDE])
    cached = view.counts("cache_read_tokens") + view.counts("cache_write_tokens")
    if (beside & (cached > 0)).any():
        view.set("input_tokens", view.counts("input_tokens") + cached, beside & view.told("input_tokens"))


def _read_names(view: View) -> None:
    """The span of a call that failed may have nothing but its name."""
    parts = pc.extract_regex(view.names, r"^(?P<operation>chat|embeddings) (?P<model>\S+)$")
    for field, part in (("operation", "operation"), ("request_model", "model")):
        told = pc.struct_field(parts, part)
        view.set(field, told, np.asarray(told.is_valid()) & ~view.told(field))


def _take_back(view: View, field: str, where: Mask) -> None:
    where = where & view.told(field)
    if where.any():
        view.set(field, None, where)


def _where(column: pa.Array | None, value: object) -> Mask:
    return np.zeros(1, dtype=np.bool_) if column is None else np.asarray(pc.equal(column, value).fill_null(False))


DIALECT = Dialect(
    name="openlit",
    scopes=["openlit.*"],
    keys=["openlit.*"],
    fields={
        "service_tier": ["openai.response.service_tier", "gen_ai.request.service_tier"],
        "reported_cost_usd": ["gen_ai.usage.cost"],
        "stream": ["gen_ai.request.stream", "gen_ai.request.is_stream"],
    },
    input_may_exclude_cache=True,
    rank=15,
    content={
        "gen_ai.tool.args": "tool_input",
        "gen_ai.tool.input": "tool_input",
        "gen_ai.tool.output": "tool_output",
        "gen_ai.agent.instructions": "system",
    },
    measures={
        "gen_ai.usage.cost": Measure("cost_usd"),
        "gen_ai.server.time_to_first_token": Measure("ttft_s"),
    },
    adjust=_adjust,
)
