"""What the lake knows and the register does not: rows that landed just before a crash, or all of them.

Rows are settled again in the order in which the lake tells of them. The lake does not tell of spans that are no calls,
so what was nested through one is told by the lake's own columns: a row that is nested is above the one that is billed
instead, and one that is covered is below it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.bill.fingerprints import Keys, joined
from taximeter_collector.bill.rows import Rows
from taximeter_collector.bill.sets import among

__all__ = ["ROWS_AT_ONCE", "Instead", "instead_of", "located"]

ROWS_AT_ONCE = 1 << 16

Numbers = npt.NDArray[np.int64]
_NAME = r"^(?P<journal>.*)/(?P<position>[0-9]+)\.(?P<item>[0-9]+)$"

Instead = tuple[Numbers, Keys]
"""Views by number, and the fingerprints of the rows that are billed instead of them."""


def instead_of(calls: pa.Table, number: Numbers, journals: dict[str, int]) -> Instead:
    """Of rows of the lake: which are nested or covered, and what is billed instead."""
    because = calls["not_billable_because"].cast(pa.string())
    wanted = pc.is_in(because, value_set=pa.array(["nested", "same_call"])).to_numpy(zero_copy_only=False)
    wanted &= (number >= 0) & calls["billed_as"].is_valid().to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(wanted)
    names = calls["billed_as"].cast(pa.string()).take(pa.array(rows)).combine_chunks()
    parts = pc.extract_regex(names, _NAME)
    told = np.flatnonzero(parts.is_valid().to_numpy(zero_copy_only=False))
    parts = parts.take(pa.array(told))
    journal = np.array([journals.get(name, -1) for name in parts.field("journal").to_pylist()], np.int64)
    position, item = (parts.field(name).cast(pa.int64()).to_numpy() for name in ("position", "item"))
    return number[rows[told]], _fingerprints(journal, position, item)


def located(views: Rows, identities: Keys) -> Numbers:
    """The numbers of the views that are these rows; -1 for what is none."""
    order = np.argsort(identities)
    wanted = identities[order]
    found = np.full(len(wanted), -1, np.int64)
    first = 0
    for part in views.parts():
        for start in range(0, len(part), ROWS_AT_ONCE):
            rows = part[start : start + ROWS_AT_ONCE]
            some = _fingerprints(*(rows[name].astype(np.int64) for name in ("journal", "position", "item")))
            here = np.flatnonzero(among(some, wanted))
            left = np.searchsorted(wanted, some[here])
            found[left] = first + start + here
        first += len(part)
    found = found[np.searchsorted(wanted, wanted)]
    located_: Numbers = np.empty(len(found), np.int64)
    located_[order] = found
    return located_


def _fingerprints(journal: npt.NDArray[Any], position: npt.NDArray[Any], item: npt.NDArray[Any]) -> Keys:
    seed = np.full(len(journal), np.uint64(1))
    return joined(joined(joined(seed, journal.view(np.uint64)), position.view(np.uint64)), item.view(np.uint64))
