"""Two windows, models, versions or teams beside each other, and whether the difference is more than chance."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from taximeter_queries.answer import Answer
from taximeter_queries.columns import Column, Unit
from taximeter_queries.dimensions import TOTAL
from taximeter_queries.report import Report
from taximeter_queries.sides import Side, side
from taximeter_queries.statistics import FEWEST, SIGNIFICANT, Sample, holm, two_proportions, welch
from taximeter_queries.window import Window

__all__ = ["REPORT"]

_COLUMNS = (
    Column("measure", Unit.TEXT, "What is compared."),
    Column("unit", Unit.TEXT, "`count`, `usd`, `tokens`, `share`, `ms` or `per_second`.", detail=True),
    Column("a", Unit.VALUE, "On the first side."),
    Column("b", Unit.VALUE, "On the second side."),
    Column("change", Unit.VALUE, "How much more it is on the second side."),
    Column("change_share", Unit.SHARE, "The same, as a share of the first.", "change by"),
    Column("a_per_day", Unit.VALUE, "Of totals: for a day of the first side's window.", "a/day", detail=True),
    Column("b_per_day", Unit.VALUE, "Of totals: for a day of the second side's window.", "b/day", detail=True),
    Column("count_a", Unit.COUNT, "Calls on the first side that tell it.", "calls a"),
    Column("count_b", Unit.COUNT, "Calls on the second side that tell it.", "calls b"),
    Column("test", Unit.TEXT, "`welch`: of means; `welch_ln`: of mean logarithms; `two_proportions`.", detail=True),
    Column("p_value", Unit.VALUE, "How often chance gives a difference this large; NULL if nothing can be said.", "p"),
    Column("significant", Unit.FLAG, "Whether it is more than chance, all tests together at 5 %.", "sure"),
)
_Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Measure:
    name: str
    unit: str
    value: Callable[[_Row], Any]
    count: str
    test: str | None = None
    sample: tuple[str, str, str] | None = None
    """The columns of the count, the mean and the variance that are tested."""
    total: bool = False


def _typical(column: str) -> Callable[[_Row], float | None]:
    return lambda row: None if row[column] is None else math.exp(row[column])


def _share(part: str, whole: str) -> Callable[[_Row], float | None]:
    return lambda row: row[part] / row[whole] if row[whole] else None


_MEASURES = (
    _Measure("calls", "count", lambda row: row["calls"], "calls", total=True),
    _Measure("cost_usd", "usd", lambda row: row["cost_usd"], "priced_calls", total=True),
    _Measure(
        "cost_per_call_usd",
        "usd",
        lambda row: row["cost_usd"] / row["priced_calls"] if row["priced_calls"] else None,
        "priced_calls",
        "welch",
        ("priced_calls", "mean_cost", "var_cost"),
    ),
    _Measure(
        "input_tokens_per_call",
        "tokens",
        lambda row: row["mean_input"],
        "input_calls",
        "welch",
        ("input_calls", "mean_input", "var_input"),
    ),
    _Measure(
        "output_tokens_per_call",
        "tokens",
        lambda row: row["mean_output"],
        "output_calls",
        "welch",
        ("output_calls", "mean_output", "var_output"),
    ),
    _Measure("cache_hit_share", "share", lambda row: row["cache_hit_share"], "read_calls"),
    _Measure("error_share", "share", _share("errors", "attempts"), "attempts", "two_proportions"),
    _Measure("mean_duration_ms", "ms", lambda row: row["mean_duration"], "timed_calls"),
    _Measure("p50_duration_ms", "ms", lambda row: row["p50_duration"], "timed_calls"),
    _Measure("p95_duration_ms", "ms", lambda row: row["p95_duration"], "timed_calls"),
    _Measure(
        "typical_duration_ms",
        "ms",
        _typical("mean_ln_duration"),
        "ln_calls",
        "welch_ln",
        ("ln_calls", "mean_ln_duration", "var_ln_duration"),
    ),
    _Measure("p50_ttft_ms", "ms", lambda row: row["p50_ttft"], "ttft_calls"),
    _Measure(
        "typical_ttft_ms",
        "ms",
        _typical("mean_ln_ttft"),
        "ln_ttft_calls",
        "welch_ln",
        ("ln_ttft_calls", "mean_ln_ttft", "var_ln_ttft"),
    ),
    _Measure("p50_output_tokens_per_second", "per_second", lambda row: row["p50_speed"], "speed_calls"),
    _Measure(
        "typical_output_tokens_per_second",
        "per_second",
        _typical("mean_ln_speed"),
        "ln_speed_calls",
        "welch_ln",
        ("ln_speed_calls", "mean_ln_speed", "var_ln_speed"),
    ),
)


def _sides(asked: Mapping[str, str], window: Window) -> Sequence[Side]:
    return [side(name, asked[name], window) for name in ("a", "b")]


def _finish(answer: Answer) -> Answer:
    """A row for each measure of each group."""
    answer = _without_total(answer)
    by = answer.grouped_by
    groups: dict[tuple[Any, ...], dict[str, _Row]] = {}
    for row in answer.rows:
        told = dict(zip(answer.names[by:], row[by:], strict=True))
        groups.setdefault(row[:by], {})[told["side"]] = told
    if not groups and not by:
        groups = {(): {}}
    nothing = dict.fromkeys(answer.names[by:]) | {name: 0 for name in answer.names[by:] if name in _COUNTS}
    days = [_days(one.window) for one in answer.sides]
    rows = [
        (*group, *values)
        for group, told in groups.items()
        for values in _compared(told.get("a", nothing), told.get("b", nothing), days)
    ]
    verdicts = holm([row[-1] for row in rows])
    rows = [(*row, verdict) for row, verdict in zip(rows, verdicts, strict=True)]
    columns = (*answer.columns[:by], *_COLUMNS)
    return replace(answer, columns=columns, rows=rows, notes=(*answer.notes, *_notes(rows, answer.sides)))


def _without_total(answer: Answer) -> Answer:
    """One group needs no name."""
    if [column.name for column in answer.columns[: answer.grouped_by]] != [TOTAL]:
        return answer
    return replace(answer, columns=answer.columns[1:], rows=[row[1:] for row in answer.rows], grouped_by=0)


_COUNTS = {"attempts", "errors", *(measure.count for measure in _MEASURES)}


def _compared(a: _Row, b: _Row, days: Sequence[float | None]) -> Iterator[tuple[Any, ...]]:
    """What each measure is on both sides; without the verdict, which depends on all of them."""
    for measure in _MEASURES:
        of_a, of_b = _finite(measure.value(a)), _finite(measure.value(b))
        change = None if of_a is None or of_b is None else of_b - of_a
        share = float(change) / float(of_a) if change is not None and of_a else None
        daily = [_daily(one, length) if measure.total else None for one, length in zip((of_a, of_b), days, strict=True)]
        p_value = _p_value(measure, a, b)
        counts = (a[measure.count], b[measure.count])
        yield measure.name, measure.unit, of_a, of_b, change, share, *daily, *counts, measure.test, p_value


def _p_value(measure: _Measure, a: _Row, b: _Row) -> float | None:
    if measure.test == "two_proportions":
        if min(a["attempts"], b["attempts"]) < FEWEST:
            return None
        return two_proportions(a["errors"], a["attempts"], b["errors"], b["attempts"])
    if measure.sample is None:
        return None
    return welch(*(Sample(*(one[name] for name in measure.sample)) for one in (a, b)))


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _daily(total: Any, days: float | None) -> Any:
    if total is None or not days:
        return None
    return total / Decimal(days) if isinstance(total, Decimal) else total / days


def _days(window: Window) -> float | None:
    return None if window.hours is None else window.hours / 24


def _notes(rows: Sequence[tuple[Any, ...]], sides: Sequence[Side]) -> list[str]:
    tests = sum(1 for row in rows if row[-2] is not None)
    without = sum(1 for row in rows if row[-3] and row[-2] is None)
    said = [f"{one.name}: {one.said} ({one.window})" for one in sides]
    lengths = {one.window.hours for one in sides}
    if len(lengths) > 1:
        said.append("the windows are not of the same length: totals are given for a day, too")
    if tests:
        said.append(
            f"p: how often chance alone would give a difference this large, not how likely there is none; of {tests} "
            f"tests, `significant` are those that hold together at {SIGNIFICANT:.0%} (Holm); calls that resemble each "
            "other, as in one conversation, make p too small"
        )
    if without:
        said.append(f"{without} tests have too few calls (fewer than {FEWEST} on a side), or too few errors, to say")
    return said


REPORT = Report(
    name="compare",
    sentence="Two windows, models, versions or tags beside each other, and whether the difference is more than chance.",
    by=(TOTAL,),
    columns=_COLUMNS,
    reads=("calls", "failures"),
    asks={
        "a": "The first side: a window (2026-11-01..2026-11-07, last-week), NAME=VALUE, or several with commas.",
        "b": "The second side, likewise.",
    },
    finish=_finish,
    whole=True,
    sides=_sides,
)
