"""What stands below a table: how far it can be trusted, and what it is about."""

from __future__ import annotations

from taximeter_queries.answer import Answer, Coverage

from taximeter_cli.reporting.numbers import share
from taximeter_cli.reporting.words import harmless

__all__ = ["covered", "lines"]

_NAMED = 3
_NO_TIME = ("schema",)


def lines(answer: Answer, left_out: int = 0) -> list[str]:
    """The lines below an answer; `left_out` columns had no room.

    Where there are no rows, they say why, if that is known, and nothing else.
    """
    notes = [harmless(note) for note in answer.notes]
    if notes and not answer.rows:
        return notes
    said = [] if answer.report in _NO_TIME else [str(answer.window)]
    if answer.cut:
        rows = "row" if len(answer.rows) == 1 else f"{len(answer.rows):,} rows"
        said.append(f"first {rows}; --limit 0 for all")
    if left_out:
        columns = "1 column" if left_out == 1 else f"{left_out} columns"
        said.append(f"{columns} left out; --format csv has all")
    told = [covered(answer.coverage)] if answer.coverage and (answer.coverage.calls or not notes) else []
    return [*told, *([" · ".join(said)] if said else []), *notes]


def covered(coverage: Coverage) -> str:
    """How many calls have a price, and which have none.

    >>> from taximeter_queries.answer import Unpriced
    >>> covered(Coverage(788, 774, unpriced=(Unpriced("x", "unpriced_model", 14),)))
    '98.2 % of 788 calls priced; 14 unpriced: model x'
    """
    if coverage.share is None:
        return "no calls: try a longer time, or see `taximeter journal ls` for what was received"
    calls = "1 call" if coverage.calls == 1 else f"{coverage.calls:,} calls"
    without = coverage.calls - coverage.priced_calls
    if not without:
        return f"100 % of {calls} priced"
    return f"{share(coverage.share)} of {calls} priced; {without:,} unpriced: {_models(coverage)}"


def _models(coverage: Coverage) -> str:
    models = list(dict.fromkeys(one.model for one in coverage.unpriced))
    named = [f"model {harmless(model)}" if model else "calls without a model" for model in models[:_NAMED]]
    # "model x, y and 4 more models"
    text = ", ".join(one if at == 0 else one.removeprefix("model ") for at, one in enumerate(named))
    more = len(models) - len(named)
    return f"{text} and {more:,} more model{'s'[: more != 1]}" if more else text
