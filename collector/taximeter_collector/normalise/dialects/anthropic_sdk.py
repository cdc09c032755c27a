"""The spans that Anthropic's own SDKs make, for themselves and for the clouds: the conventions, but for one key."""

from __future__ import annotations

from taximeter_collector.normalise.dialect import Dialect

__all__ = ["DIALECT"]

DIALECT = Dialect(
    name="anthropic_sdk",
    scopes=["com.anthropic.sdk.*"],
    fields={"finish_reason": ["gen_ai.response.finish_reasons", "anthropic.message.stop_reason"]},
    rank=20,
)
