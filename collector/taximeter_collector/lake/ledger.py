"""The rules of the ledger: what holds for each row of `calls`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

__all__ = ["COST_STATUSES", "LEDGER_COLUMNS", "PARTS", "broken_rules"]

PARTS = ("input_cost_usd", "output_cost_usd", "cache_read_cost_usd", "cache_write_cost_usd", "other_cost_usd")
# Whether there is a cost, by what is said of it.
COST_STATUSES = {
    "priced": True,
    "reported": True,
    "free": True,
    "unpriced_model": False,
    "missing_usage": False,
    "inconsistent_usage": False,
}
LEDGER_COLUMNS = ("billable", "not_billable_because", "cost_status", "cost_usd", *PARTS)
_WIDE = pa.decimal128(24, 12)


def broken_rules(calls: Any) -> dict[str, npt.NDArray[np.bool_]]:
    """For each rule, the rows that break it."""
    billable = _mask(calls.column("billable"))
    reason = _mask(pc.is_valid(calls.column("not_billable_because")))
    cost = calls.column("cost_usd")
    has_cost = _mask(pc.is_valid(cost))
    status = calls.column("cost_status")
    is_known = _mask(pc.is_in(status, pa.array(list(COST_STATUSES))))
    should_cost = _mask(pc.is_in(status, pa.array([name for name, costs in COST_STATUSES.items() if costs])))
    parts = [calls.column(name) for name in PARTS]
    is_sum = _mask(pc.equal(_sum(parts), cost.cast(_WIDE)))
    has_parts = np.logical_or.reduce([_mask(pc.is_valid(part)) for part in parts])
    return {
        "a row that is not billable says why, and a billable one does not": billable == reason,
        "cost_status is one of those that docs/lake.md lists": ~is_known,
        "cost_usd is NULL if and only if cost_status says that it is not known": is_known & (has_cost != should_cost),
        "the parts of a cost sum to it exactly": has_parts & ~(has_cost & is_sum),
        "a cost is not negative": _mask(pc.less(cost, pa.scalar(Decimal(0), cost.type))),
    }


def _mask(values: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), dtype=bool)


def _sum(parts: list[pa.Array]) -> pa.Array:
    nothing = pa.scalar(Decimal(0), _WIDE)
    total = pc.fill_null(parts[0].cast(_WIDE), nothing)
    for part in parts[1:]:
        total = pc.add(total, pc.fill_null(part.cast(_WIDE), nothing)).cast(_WIDE)
    return total
