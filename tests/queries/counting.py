"""What counts in a ledger, in plain Python: each call once, and each failure once."""

from __future__ import annotations

from collections.abc import Sequence

from tests.queries.ledgers import Row

__all__ = ["attempts", "errors"]


def attempts(views: Sequence[Row]) -> list[Row]:
    """The calls that count, and those that failed: not again what was sent again, nor what spans around repeat."""
    kept, seen = [], set()
    for one in sorted(views, key=lambda one: (one["journal_position"], one["journal_item"])):
        same = tuple(one.get(name) for name in _SAME)
        if one["billable"] or (
            one["not_billable_because"] == "failed" and same not in seen and not _elsewhere(one, views)
        ):
            kept.append(one)
        if one.get("not_billable_because") == "failed":
            seen.add(same)
    return kept


def errors(views: Sequence[Row]) -> int:
    """How many of these went wrong."""
    return sum(1 for one in attempts(views) if one["status"] == "error")


_SAME = ("source", "trace_id", "span_id", "start_unix_nano", "attempt", "error_type", "model")


def _elsewhere(one: Row, views: Sequence[Row]) -> bool:
    place = (one.get("trace_id"), one.get("span_id"))
    if None in place:
        return False
    for other in views:
        here = (other.get("trace_id"), other.get("span_id"))
        if one["source"] == "span":
            below = other["source"] == "span" and (other.get("trace_id"), other.get("parent_span_id")) == place
            if below or (other["source"] == "log" and other["status"] == "error" and here == place):
                return True
        elif other["source"] == "span" and other["status"] == "error" and other["billable"] and here == place:
            return True
    return False
