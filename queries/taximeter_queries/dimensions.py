"""What calls can be grouped by: columns of the ledger, times, tags, and attributes of whatever reported the call."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from taximeter_queries.columns import Unit
from taximeter_queries.errors import UnknownName
from taximeter_queries.text import literal, quoted

__all__ = ["ALIASES", "DIMENSIONS", "PREFIXES", "TIMES", "TOTAL", "Dimension", "dimension", "offsets"]

_DAY_NANO = 86_400 * 10**9

# Short names, and the columns of the ledger that they stand for.
ALIASES = {
    "service": "service_name",
    "version": "service_version",
    "user": "user_id",
    "conversation": "conversation_id",
    "session": "conversation_id",
    "agent": "agent_name",
    "workflow": "workflow_name",
    "prompt": "prompt_name",
    "error": "error_type",
    "trace": "trace_id",
    "tier": "service_tier",
    "server": "server_address",
}
_COLUMNS = (
    "model",
    "provider",
    "operation",
    "service_name",
    "service_version",
    "environment",
    "user_id",
    "conversation_id",
    "agent_name",
    "workflow_name",
    "prompt_name",
    "request_model",
    "response_model",
    "stream",
    "status",
    "error_type",
    "finish_reason",
    "attempt",
    "service_tier",
    "processing",
    "speed",
    "region",
    "server_address",
    "cost_status",
    "cost_reason",
    "price_id",
    "not_billable_because",
    "billable",
    "source",
    "dialect",
    "trace_id",
    "span_id",
    "response_id",
    "journal_id",
    "date",
)
TIMES = ("hour", "day", "week", "month")
PREFIXES = {"tag.": "tags", "tags.": "tags", "attribute.": "attributes", "attributes.": "attributes"} | {
    "resource.": "resource_attributes"
}
TOTAL = "total"
DIMENSIONS = (*_COLUMNS, *ALIASES, *TIMES, TOTAL)
_FLAGS = ("stream", "billable")


@dataclass(frozen=True, slots=True)
class Dimension:
    """Something to group by. `name` is as it was asked for, and what the column of the answer is called."""

    name: str
    expression: str
    unit: Unit = Unit.TEXT
    reported: bool = False
    """Whether it is told only by the span or log record behind the call, so that these have to be read, too."""


def dimension(name: str, timezone: ZoneInfo, days: tuple[datetime, datetime] | None) -> Dimension:
    """A dimension by its name. `days` is from when to when there are calls, for the time zone's changes in between."""
    if name in TIMES:
        return Dimension(name, _time(name, timezone, days), Unit.TIME if name == "hour" else Unit.DAY)
    if name == TOTAL:
        return Dimension(name, "'all'")
    for prefix, column in PREFIXES.items():
        key = name.removeprefix(prefix)
        if key and key != name:
            return Dimension(name, f"{column}[{literal(key)}]", reported=column != "tags")
    column = ALIASES.get(name, name)
    if column not in _COLUMNS:
        raise UnknownName("dimension", name, DIMENSIONS, "(or tag.NAME, attribute.KEY, resource.KEY)")
    return Dimension(name, quoted(column), Unit.FLAG if column in _FLAGS else Unit.TEXT)


def _time(name: str, timezone: ZoneInfo, days: tuple[datetime, datetime] | None) -> str:
    """Arithmetic on nanoseconds: the engine's own `date_trunc` in a time zone takes twenty times as long, and has the
    two hours of an autumn night that bear the same name become one (`python bench/reports.py times`)."""
    offset = _offset(timezone, days)
    if name == "hour":
        hour = 3_600 * 10**9
        return f"make_timestamptz((((start_unix_nano + {offset}) // {hour}) * {hour} - {offset}) // 1000)"
    day = f"(DATE '1970-01-01' + CAST((start_unix_nano + {offset}) // {_DAY_NANO} AS INTEGER))"
    if name == "day":
        return day
    return f"CAST(date_trunc('{name}', {day}) AS DATE)"


def _offset(timezone: ZoneInfo, days: tuple[datetime, datetime] | None) -> str:
    """What to add to UTC, in nanoseconds, as SQL."""
    changes = offsets(timezone, *days) if days else [(0, 0)]
    if len(changes) == 1:
        return str(changes[0][1])
    cases = " ".join(f"WHEN start_unix_nano < {until} THEN {offset}" for (_, offset), (until, _) in pairwise(changes))
    return f"CASE {cases} ELSE {changes[-1][1]} END"


def offsets(timezone: ZoneInfo, first: datetime, last: datetime) -> list[tuple[int, int]]:
    """The offsets that hold between two moments: from when, in Unix nanoseconds, and how much, in nanoseconds.

    >>> offsets(ZoneInfo("Europe/Zurich"), datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 30, tzinfo=UTC))
    [(1774656000000000000, 3600000000000), (1774746000000000000, 7200000000000)]
    """
    at = first.astimezone(UTC).replace(microsecond=0)
    changes = [(_nano(at), _offset_at(timezone, at))]
    while at < last:
        later = at + timedelta(days=1)
        if _offset_at(timezone, later) != changes[-1][1]:
            changes.append(_change(timezone, at, later))
        at = later
    return changes


def _change(timezone: ZoneInfo, before: datetime, after: datetime) -> tuple[int, int]:
    """The change between two moments, to the second."""
    old = _offset_at(timezone, before)
    while (after - before) > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if _offset_at(timezone, middle) == old:
            before = middle
        else:
            after = middle
    return _nano(after), _offset_at(timezone, after)


def _offset_at(timezone: ZoneInfo, at: datetime) -> int:
    offset = at.astimezone(timezone).utcoffset()
    assert offset is not None
    return offset // timedelta(microseconds=1) * 1000


def _nano(at: datetime) -> int:
    return int(at.timestamp()) * 10**9
