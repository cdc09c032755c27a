"""Errors as people read them: what never failed has no line of its own. Machines get all of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from taximeter_queries.answer import Answer
from taximeter_queries.columns import Unit
from taximeter_queries.dimensions import TOTAL

__all__ = ["eventful"]

_EVENTS = ("errors", "retries")


def eventful(answer: Answer, *, most_first: bool) -> Answer:
    """Only what failed or was tried again at some time; of that every day or hour, so that none is missing between two.

    All calls together have a line however they went. With `most_first` rows that were cut off have no errors either, if
    the last that is there has none.
    """
    by = list(enumerate(answer.columns[: answer.grouped_by]))
    if answer.report != "errors" or any(column.name == TOTAL for _, column in by):
        return answer
    lasting = [place for place, column in by if column.unit not in (Unit.DAY, Unit.TIME)]
    counts = [answer.names.index(name) for name in _EVENTS]

    def whose(row: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(row[place] for place in lasting)

    known = {whose(row) for row in answer.rows if any(row[place] for place in counts)}
    kept = [row for row in answer.rows if whose(row) in known]
    left_out = len(answer.rows) - len(kept)
    if not left_out or not kept:
        return replace(answer, rows=kept)
    cut = answer.cut and not (most_first and len(lasting) == len(by) and answer.rows[-1] is not kept[-1])
    note = f"{left_out:,} row{'s'[: left_out != 1]} without errors left out; --format csv has all"
    return replace(answer, rows=kept, cut=cut, notes=(*answer.notes, note))
