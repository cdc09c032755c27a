"""Counts as the ledger has them: input with what was cached, output with what was reasoned, details as parts of both.

Whatever is not as it should be after this is said of the call (`inconsistent_usage`) by `price.usage`, not put right.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from taximeter_collector.normalise.dialect import Dialect
from taximeter_collector.normalise.view import Mask, View

__all__ = ["make_inclusive"]

_LARGEST = 2**61


def make_inclusive(dialect: Dialect, view: View) -> None:
    """Add what this dialect counts beside the totals to the totals."""
    by_ttl = view.told("cache_write_5m_tokens") | view.told("cache_write_1h_tokens")
    if by_ttl.any():
        view.set(
            "cache_write_tokens",
            _sum(view, "cache_write_5m_tokens", "cache_write_1h_tokens"),
            by_ttl & ~view.told("cache_write_tokens"),
        )
    cached = _sum(view, "cache_read_tokens", "cache_write_tokens")
    if dialect.input_excludes_cache:
        _add(view, "input_tokens", cached, cached > 0)
    elif dialect.input_may_exclude_cache:
        _add(view, "input_tokens", cached, cached > view.counts("input_tokens"))
    if dialect.output_excludes_reasoning:
        reasoning = view.counts("reasoning_tokens")
        _add(view, "output_tokens", reasoning, reasoning > 0)
    no_output = view.where("operation", "embeddings", "rerank") & view.told("input_tokens")
    if no_output.any():
        view.set("output_tokens", np.zeros(view.size, dtype=np.int64), no_output & ~view.told("output_tokens"))


def _sum(view: View, *names: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    total = np.zeros(view.size, dtype=np.int64)
    for name in names:
        total += np.minimum(view.counts(name), _LARGEST // len(names))
    return total


def _add(view: View, name: str, more: np.ndarray[tuple[int], np.dtype[np.int64]], where: Mask) -> None:
    where = where & view.told(name)
    if where.any():
        view.set(name, pa.array(np.minimum(view.counts(name), _LARGEST) + np.maximum(more, 0)), where)
