"""What somebody who gets no rows, or nothing on a side of a comparison, should know: why, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from taximeter_cli.reporting.asking import limits_of, open_lake, told
from taximeter_cli.reporting.options import Asked

if TYPE_CHECKING:
    from taximeter_queries import Answer, Lake, Window
    from taximeter_queries.mistyped import Mistyped
    from taximeter_queries.sides import Side

__all__ = ["remarks"]

_NONE_OF = {
    "errors": "nothing failed and nothing was tried again",
    "sessions": "no session of a coding agent",
    "conversations": "no conversation",
    "traces": "no trace",
    "latency": "no answer",
}
"""What there is none of, where it is not calls."""


def remarks(asked: Asked, answer: Answer) -> list[str]:
    """A sentence if there are no rows, and one for each side of a comparison that has no calls."""
    if answer.sides:
        with told():
            return list(_of_sides(asked, answer))
    if answer.rows:
        return []
    with told():
        return [_why(asked, answer)]


def _why(asked: Asked, answer: Answer) -> str:
    from taximeter_queries.mistyped import views

    lake, window, where = open_lake(asked), answer.window, asked.where or ()
    landed = _landed(lake)
    if landed is None:
        return (
            f"nothing has landed in {lake.folder} yet; `taximeter collect` lands what is sent to it, and "
            "`taximeter journal ls` tells what was received"
        )
    told_of, calls = views(lake, window, where, limits_of(asked))
    if told_of:
        return _of_others(answer, told_of, calls, where)
    told_of, calls = views(lake, window, limits=limits_of(asked)) if where else (0, 0)
    if not told_of:
        return f"no calls ({window}); the lake has calls {landed}"
    hints = _hints(asked, lake, window, where)
    return f"no call with {' and '.join(where)} among {calls or told_of:,} ({window}){_after(hints)}"


def _of_others(answer: Answer, told_of: int, calls: int, where: Sequence[str]) -> str:
    """There are calls, but nothing of what the report is about."""
    said = f"{' with ' if where else ''}{' and '.join(where)} ({answer.window})"
    if answer.report in _NONE_OF and calls:
        return f"{_NONE_OF[answer.report]} in {calls:,} call{'s'[: calls != 1]}{said}"
    return f"no call counts, of {told_of:,}{said}: `taximeter coverage` tells why"


def _hints(asked: Asked, lake: Lake, window: Window, where: Sequence[str]) -> list[str]:
    from taximeter_queries.conditions import equality
    from taximeter_queries.mistyped import mistyped

    equalities = [found for one in where if (found := equality(one))]
    return [_hint(one) for one in mistyped(lake, equalities, window, limits_of(asked))]


def _hint(one: Mistyped) -> str:
    from taximeter_queries.errors import did_you_mean

    if one.elsewhere:
        return f"{one.name} {one.value} is outside of that time"
    if one.suggestions:
        return did_you_mean(one.suggestions)
    if not one.known:
        return f"no call there has a {one.name}"
    return f"there is {one.name} {', '.join(one.known)}"


def _of_sides(asked: Asked, answer: Answer) -> Iterator[str]:
    """Calls are the first thing that a comparison counts."""
    names = answer.names
    measure, both = names.index("measure"), (names.index("a"), names.index("b"))
    counts = [row for row in answer.rows if row[measure] == "calls"]
    for side, place in zip(answer.sides, both, strict=True):
        if not any(row[place] for row in counts):
            yield _of_side(asked, side)


def _of_side(asked: Asked, side: Side) -> str:
    from taximeter_queries.mistyped import mistyped

    hints = [_hint(one) for one in mistyped(open_lake(asked), side.equals, side.window, limits_of(asked))]
    where = [*(asked.where or ()), *("".join(one) for one in side.equals)]
    return f"{side.name}: no call{' with ' if where else ''}{' and '.join(where)} ({side.window}){_after(hints)}"


def _after(hints: Sequence[str]) -> str:
    return f": {'; '.join(hints)}" if hints else ""


def _landed(lake: Lake) -> str | None:
    """From when to when there are calls; None if there are none at all."""
    calls = lake.files("calls")
    if calls.first is None or calls.last is None:
        return None
    return f"from {calls.first:%Y-%m-%d} to {calls.last - timedelta(days=1):%Y-%m-%d}, UTC"
