"""One trace as a tree: every span, and the calls that only a log record told of, with what is below costs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from taximeter_queries.answer import Answer
from taximeter_queries.columns import Column, Unit
from taximeter_queries.errors import NotFound
from taximeter_queries.ids import MOST, ends, like, only_one
from taximeter_queries.report import Report
from taximeter_queries.text import literal
from taximeter_queries.tree import Node, covered, in_order, planted

__all__ = ["REPORT"]

_DIGITS = 32
_HEXADECIMAL = re.compile(r"[0-9a-f]+")
_COLUMNS = (
    Column("depth", Unit.COUNT, "How many spans are around it."),
    Column("span_id", Unit.TEXT, "16 hexadecimal digits; NULL for a log record.", "span", detail=True),
    Column("parent_span_id", Unit.TEXT, "The span around it, as it was sent.", "parent", detail=True),
    Column("name", Unit.TEXT, "The span's name; of a log record, what was called."),
    Column("kind", Unit.TEXT, "`client`, `server`, `internal`, ...; `log` for a log record.", detail=True),
    Column("service_name", Unit.TEXT, "The service.", "service"),
    Column("operation", Unit.TEXT, "`chat`, `execute_tool`, `invoke_agent`, ...", detail=True),
    Column("tool_name", Unit.TEXT, "The tool that was executed.", "tool", detail=True),
    Column("start_time", Unit.TIME, "When it began.", "start", detail=True),
    Column("offset_ms", Unit.MS, "When it began, after the first of all.", "offset"),
    Column("duration_ms", Unit.MS, "How long it took.", "duration"),
    Column("self_ms", Unit.MS, "Of it: when nothing was going on below it.", "self", detail=True),
    Column("status", Unit.TEXT, "`ok` or `error`; NULL if it was not set."),
    Column("status_message", Unit.TEXT, "What was said of the error.", "message", detail=True),
    Column("error_type", Unit.TEXT, "What went wrong with the call.", "error", detail=True),
    Column("model", Unit.TEXT, "The model that was called."),
    Column("ttft_ms", Unit.MS, "To the first piece of a streamed answer.", "first token", detail=True),
    Column("input_tokens", Unit.TOKENS, "All that went in, of a call that counts.", "input"),
    Column("output_tokens", Unit.TOKENS, "All that came out, of a call that counts.", "output"),
    Column("cost_usd", Unit.USD, "What the call costs, if it counts and that is known.", "cost"),
    Column("cost_status", Unit.TEXT, "`priced`, ..., or why there is no price.", detail=True),
    Column("billable", Unit.FLAG, "Whether it is a call that counts; NULL for what is no call.", detail=True),
    Column("not_billable_because", Unit.TEXT, "Why the call does not count.", "not billed", detail=True),
    Column("subtree_calls", Unit.COUNT, "Calls that count, of it and of all below it.", "calls below"),
    Column("subtree_cost_usd", Unit.USD, "What these cost; NULL if nothing of it is known.", "cost below"),
)
_BILLED = ("input_tokens", "output_tokens", "cost_usd")


def _resolve(asked: Mapping[str, str], rows: Callable[[str], list[tuple[Any, ...]]]) -> Mapping[str, str]:
    """The whole id, from as much of it as tells it from others."""
    said = asked["trace_id"].strip().lower().replace("-", "")
    head, tail = ends(said) or (said, "")
    if not _HEXADECIMAL.fullmatch(head + tail) or len(head + tail) > _DIGITS:
        raise NotFound(
            f"{asked['trace_id']!r} is no trace id: expected {_DIGITS} hexadecimal digits, or some of the first"
        )
    if len(said) == _DIGITS:
        return {"trace_id": said}
    likes = f"trace_id >= {literal(head)} AND trace_id < {literal(head + 'g')}"
    likes = f"{likes} AND {like('trace_id', head, tail)}" if tail else likes
    found = rows(
        f"SELECT trace_id FROM spans WHERE {likes} UNION SELECT trace_id FROM calls WHERE {likes} "
        f"ORDER BY 1 LIMIT {MOST}"
    )
    return {"trace_id": only_one(found, "traces", said) or said}


def _finish(answer: Answer) -> Answer:
    """Rows in the order of the tree."""
    if not answer.rows:
        raise NotFound(f"no trace has that id in {answer.window}: `taximeter traces` lists them")
    told, again = _once([dict(zip(answer.names, row, strict=True)) for row in answer.rows])
    nodes = planted(
        [row["span_id"] for row in told], [row["parent_span_id"] for row in told], [_time(row) for row in told]
    )
    order = list(in_order(nodes))
    sums = _sums(order, told)
    first = min(row["start_unix_nano"] for row in told)
    rows = [_row(node, told[node.at], first, sums[node.at]) for node in order]
    return replace(answer, columns=_COLUMNS, rows=rows, notes=(*answer.notes, *_notes(order, told, again)))


def _once(rows: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """A span that was sent again is there once, with the call that counts; and how many are left out.

    Where two count, as when two collectors were told of one call, both are there: what is summed is what was billed.
    """
    same = ("kind", "span_id", "parent_span_id", "name", "start_unix_nano", "end_unix_nano")
    kept: dict[tuple[Any, ...], dict[str, Any]] = {}
    identity = ("journal_id", "journal_position", "journal_item")
    for row in sorted(rows, key=lambda row: (not row["billable"], *(row[name] for name in identity))):
        span = tuple(row[name] for name in (same if row["span_id"] else identity))
        is_counted_twice = row["billable"] and span in kept
        kept.setdefault(tuple(row[name] for name in identity) if is_counted_twice else span, row)
    return sorted(kept.values(), key=lambda row: tuple(row[name] for name in identity)), len(rows) - len(kept)


def _time(row: Mapping[str, Any]) -> tuple[int, int]:
    start, end, duration_ms = row["start_unix_nano"], row["end_unix_nano"], row["duration_ms"]
    if end is None and duration_ms is not None and 0 <= duration_ms < 1e10:
        end = start + int(duration_ms * 1e6)
    return start, start if end is None else end


def _sums(order: Sequence[Node], told: Sequence[Mapping[str, Any]]) -> dict[int, tuple[int, Decimal | None]]:
    """Calls and cost of each node and of all below it."""
    sums: dict[int, tuple[int, Decimal | None]] = {}
    for node in reversed(order):
        row = told[node.at]
        own = (1, row["cost_usd"]) if row["billable"] else (0, None)
        parts = [own, *(sums[one.at] for one in node.below)]
        known = [cost for _, cost in parts if cost is not None]
        sums[node.at] = sum(calls for calls, _ in parts), sum(known, start=Decimal(0)) if known else None
    return sums


def _row(node: Node, row: Mapping[str, Any], first: int, sums: tuple[int, Decimal | None]) -> tuple[Any, ...]:
    whole = node.end - node.start
    made = {
        **row,
        "depth": node.depth,
        "offset_ms": (node.start - first) / 1e6,
        "self_ms": None if row["duration_ms"] is None else (whole - covered(node)) / 1e6,
        "subtree_calls": sums[0],
        "subtree_cost_usd": sums[1],
    }
    if not row["billable"]:
        made |= dict.fromkeys(_BILLED)
    return tuple(made[column.name] for column in _COLUMNS)


def _notes(order: Sequence[Node], told: Sequence[Mapping[str, Any]], again: int) -> list[str]:
    """What was wrong with what was sent."""
    lost = sum(1 for node in order if not node.parent and told[node.at]["parent_span_id"])
    counted: dict[str, int] = {}
    for row in told:
        if row["span_id"]:
            counted[row["span_id"]] = counted.get(row["span_id"], 0) + 1
    several = sum(1 for count in counted.values() if count > 1)
    found = (
        (lost, "of the rows are below a span that is not here, or around itself; they stand at the top"),
        (several, "of the span ids are those of several spans; what is below hangs on the first"),
        (again, "of the records were sent again, and are left out"),
    )
    return [f"{count} {what}" for count, what in found if count]


REPORT = Report(
    name="trace",
    sentence="One trace as a tree: every span, what it took, and what it and all below it cost.",
    can_group=False,
    columns=_COLUMNS,
    sort=("start_time",),
    reads=("calls", "spans"),
    asks={"trace_id": "The trace's id, or as much of its beginning as tells it from others."},
    finish=_finish,
    resolve=_resolve,
    whole=True,
)
