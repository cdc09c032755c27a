"""Whether a tool's data has arrived; and if not, what to look at."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path as File
from typing import TYPE_CHECKING, Any

from taximeter_cli.connecting.choosing import Chosen
from taximeter_cli.connecting.places import Place
from taximeter_cli.connecting.showing import short
from taximeter_cli.connecting.tool import Tool
from taximeter_cli.connecting.unfit import Unfit
from taximeter_cli.connecting.writing import FORMATS

if TYPE_CHECKING:
    from taximeter_collector.configuration import Config
    from taximeter_queries import Lake, Window

__all__ = ["Arrived", "Finding", "arrived", "findings", "overriding", "unlanded"]

_TABLES = {"spans": "start_time", "logs": "time", "metrics": "time"}
_PATIENCE_S = 3.0


@dataclass(frozen=True, slots=True)
class Arrived:
    """What the lake has of a tool."""

    records: Mapping[str, int] = field(default_factory=dict)
    last: datetime | None = None
    """When the last record happened."""
    calls: int = 0
    """Calls that count."""
    last_call: datetime | None = None
    priced_calls: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None
    unpriced_models: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    """Which dialects the lake has calls in, if it has none of this tool."""

    def __bool__(self) -> bool:
        """Whether anything has arrived."""
        return bool(self.calls or any(self.records.values()))

    def as_json(self) -> dict[str, Any]:
        """For a program: money exactly, as text, and moments with their zone."""
        found = asdict(self)
        times = {name: at.isoformat() for name in ("last", "last_call") if (at := getattr(self, name))}
        return {**found, **times, "cost_usd": None if self.cost_usd is None else format(self.cost_usd, "f")}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that may be why, and what to do about it."""

    what: str
    do: str


def arrived(lake: Lake, tool: Tool, window: Window) -> Arrived:
    """What there is of it. Metrics tell of the same calls once more, and are only counted."""
    from taximeter_queries import ask_sql

    records: dict[str, int] = {}
    last = None
    union = " UNION ALL ".join(
        f"SELECT '{table}', count(*), max({time}) FROM {table} WHERE {tool.evidence}" for table, time in _TABLES.items()
    )
    for table, count, at in ask_sql(lake, union, window=window).rows:
        records[table] = count
        last = max(filter(None, (last, at)), default=None)
    ((calls, *rest, unpriced),) = ask_sql(lake, _calls(tool), window=window).rows
    last_call, priced, input_tokens, output_tokens, cost_usd = rest
    others = ()
    if not calls and not any(records.values()):
        rows = ask_sql(lake, "SELECT DISTINCT dialect FROM calls ORDER BY dialect", window=window).rows
        others = tuple(row[0] for row in rows)
    models = tuple(sorted(one for one in unpriced or () if one))
    return Arrived(
        records, last, calls, last_call, priced, _whole(input_tokens), _whole(output_tokens), cost_usd, models, others
    )


def _calls(tool: Tool) -> str:
    condition = tool.evidence
    if "resource_attributes" in condition:  # which the ledger has not
        condition = f"(trace_id, span_id) IN (SELECT (trace_id, span_id) FROM spans WHERE {condition})"
    return f"""
        SELECT
            count(*), max(start_time), count(cost_usd), sum(input_tokens), sum(output_tokens), sum(cost_usd),
            array_agg(DISTINCT CASE WHEN cost_usd IS NULL THEN coalesce(model, 'unknown') END)
        FROM calls
        WHERE billable AND ({condition})
    """


def _whole(count: Any) -> int | None:
    return None if count is None else int(count)


def findings(
    tool: Tool, place: Place, what: Chosen, file: File | None, form: str, found: Arrived, waiting: int = 0
) -> Iterator[Finding]:
    """What may be in the way, the likeliest first."""
    if not _answers(place.http):
        start = "`taximeter collect` starts one" if place.whence != "--endpoint" else "is the address right?"
        yield Finding(f"nobody takes OTLP/HTTP at {place.http}", start)
    if file:
        yield from _of_file(tool, what, file, form)
    yield from overriding(tool, what)
    missing = [name for name, value in what.environment.items() if os.environ.get(name) != value]
    if missing and not (file and form in ("env", "shell")):
        yield Finding(
            f"in this shell, not set so: {', '.join(missing)}",
            f'eval "$(taximeter connect {tool.name} --env)", or see that the tool has them where it runs',
        )
    if found.others:
        yield Finding(
            f"the lake has calls of others: {', '.join(found.others)}", "the collector does land what it gets"
        )
    if waiting:
        yield Finding(
            f"received and not landed yet: {waiting:,} request{'s' if waiting > 1 else ''}",
            "`taximeter doctor` and the collector's log say what keeps them, if they stay",
        )
    yield Finding("what is sent lands some two seconds later", f"use {tool.title}, then --check --wait 60")


def _of_file(tool: Tool, what: Chosen, file: File, form: str) -> Iterator[Finding]:
    write = f"taximeter connect {tool.name} --write"
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            unset = what.unset(FORMATS[form].read(opened.read() or ("{}" if form == "json" else "")))
    except FileNotFoundError:
        yield Finding(f"{short(file)} is not there", write)
        return
    except (Unfit, UnicodeDecodeError) as error:
        yield Finding(f"{short(file)} cannot be read: {error}", "put it right; the tool cannot read it, either")
        return
    if unset:
        yield Finding(f"{short(file)} does not say {', '.join('.'.join(path) for path in unset)}", write)


def overriding(tool: Tool, what: Chosen) -> Iterator[Finding]:
    """Variables of this shell that win over what is set in the file."""
    ours = what.variables
    for name in tool.overridden_by:
        value = os.environ.get(name)
        if value is not None and value != ours.get(name):
            yield Finding(f"{name} is set in this shell, and wins over the file", f"unset {name}")


def unlanded(config: Config) -> int:
    """How many requests are in the journal, and not in the lake."""
    from taximeter_collector.journal.segments import Folder
    from taximeter_collector.land.process import READER

    journal = Folder(config.journal.dir)
    try:
        head, cursor = journal.head(), journal.cursor(READER)
    except OSError:
        return 0
    return max(0, head.next - (cursor.next if cursor else 0)) if head else 0


def _answers(http: str) -> bool:
    """Whether there is something that speaks HTTP: a refusal is an answer."""
    try:
        with urllib.request.urlopen(f"{http}/healthz", timeout=_PATIENCE_S):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False
