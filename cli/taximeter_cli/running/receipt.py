"""What a run cost, as it is printed at its end."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taximeter_cli.running.environment import RUN_ATTRIBUTE

if TYPE_CHECKING:
    from taximeter_queries import Answer

__all__ = ["Receipt"]


class Receipt:
    """The calls of one run, asked of the lake."""

    def __init__(self, lake: Path, run_id: str, began: datetime) -> None:
        self._lake = lake
        self._run_id = run_id
        self._began = began

    def cost(self) -> Decimal:
        """What has landed so far costs; nothing before anything has."""
        from taximeter_queries import NoLake

        try:
            return self._row("cost").get("cost_usd") or Decimal(0)
        except NoLake:
            return Decimal(0)

    def show(self, notes: Path, *, landed: bool, lost: Sequence[str] = (), elsewhere: Sequence[str] = ()) -> None:
        """Print it to stderr, with what is known to be missing in it, and where telemetry went besides."""
        from taximeter_queries import NoLake

        try:
            lines = list(self._lines())
        except NoLake:
            lines = []
        if not lines:
            lines = list(self._not_counted()) or ["no call was seen", *_why(notes, lost, elsewhere)]
        lines += [f"missing   {sentence}" for sentence in map(_printable, lost)]
        if not landed:
            lines.append(
                "not all of it has landed yet; a collector goes on with that, and `taximeter lake stats` tells"
            )
        print("taximeter:", *lines, sep="\n  ", file=sys.stderr, flush=True)

    def _lines(self) -> Iterator[str]:
        from taximeter_cli.reporting.numbers import tokens

        cost = self._ask("cost", coverage=True)
        spent, failed = cost.records()[0] if cost.rows else {}, self._row("errors")
        if not spent and not failed.get("errors"):
            return
        yield from _sum(cost)
        if spent:
            told = {
                name: tokens(spent[f"{name}_tokens"] or 0) for name in ("input", "output", "cache_read", "reasoning")
            }
            yield (
                f"tokens    {told['input']} in ({told['cache_read']} from caches), "
                f"{told['output']} out ({told['reasoning']} reasoning)"
            )
        yield from self._latency()
        yield from self._errors(failed)
        yield from self._most_expensive()
        yield f"lake      {self._lake}"

    def _not_counted(self) -> Iterator[str]:
        """Of calls that were seen, and of which none counts."""
        from taximeter_queries import NoLake

        try:
            views = self._row("coverage").get("views")
        except NoLake:
            return
        if views:
            yield f"{_counted(views, 'call')} seen, none of which counts; `taximeter calls` says why"

    def _latency(self) -> Iterator[str]:
        from taximeter_cli.reporting.numbers import duration

        row = self._row("latency")
        if row.get("p50_duration_ms") is None:
            return
        first = row["p50_ttft_ms"]
        streamed = "" if first is None else f"; first token p50 {duration(first)}, p95 {duration(row['p95_ttft_ms'])}"
        yield f"latency   p50 {duration(row['p50_duration_ms'])}, p95 {duration(row['p95_duration_ms'])}{streamed}"

    def _errors(self, row: dict[str, Any]) -> Iterator[str]:
        if not row.get("errors") and not row.get("retries"):
            return
        most = next(iter(self._ask("errors", by=["error_type"], limit=1).records()), {}).get("error_type")
        mostly = f", mostly {_printable(most)}" if row["errors"] and most else ""
        failed = f"{row['errors']} of {_counted(row['of_attempts'], 'attempt')} failed{mostly}"
        yield f"errors    {failed}; {row['retries']} {'retry' if row['retries'] == 1 else 'retries'}"

    def _most_expensive(self) -> Iterator[str]:
        from taximeter_cli.reporting.numbers import usd

        for title, dimension in (("model", "model"), ("trace", "trace_id")):
            for row in self._ask("top", by=[dimension], limit=1).records():
                if row["cost_usd"]:
                    calls = _counted(row["calls"], "call")
                    yield f"dearest   {title} {_printable(row[dimension])}: {usd(row['cost_usd'])} for {calls}"

    def _row(self, report: str) -> dict[str, Any]:
        return next(iter(self._ask(report).records()), {})

    def _ask(self, report: str, by: list[str] | None = None, **options: Any) -> Answer:
        from taximeter_queries import Lake, Window, ask

        where = f"resource.{RUN_ATTRIBUTE}={self._run_id}"
        window = Window(start=self._began)
        return ask(Lake(self._lake), report, by=by or ["total"], window=window, where=where, **options)


def _sum(cost: Answer) -> Iterator[str]:
    """How many calls, what they cost, and of which that is not known."""
    from taximeter_cli.reporting.numbers import usd

    covered = cost.coverage
    assert covered
    if not covered.calls:
        yield "0 calls were answered"
        return
    amount = usd(covered.cost_usd) if covered.priced_calls else "nobody knows what they cost"
    yield f"{_counted(covered.calls, 'call')}, {amount}"
    if covered.unpriced:
        models = ", ".join(dict.fromkeys(_printable(one.model) for one in covered.unpriced))
        yield f"unpriced  {covered.calls - covered.priced_calls} of them: {models}"


def _why(notes: Path, lost: Sequence[str], elsewhere: Sequence[str]) -> Iterator[str]:
    """What may be the reason for that."""
    file = notes / "not-metered"
    yield from (f"its telemetry went to {_printable(where)}, which it sets itself" for where in elsewhere)
    if not file.exists():
        if not lost and not elsewhere:
            yield "it may have made none, or it is no Python and does not speak OpenTelemetry"
        return
    for python in dict.fromkeys(file.read_text("utf-8").splitlines()):
        yield f"{python} has no Taximeter; there: pip install taximeter"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _printable(name: str | None) -> str:
    """Names come from senders, and must not be able to write on a terminal."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in name or "unknown")
