"""What must be in the ledger at the end, so that the exit code can say whether it is."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from taximeter_cli.demo.coding_agent import MODEL
from taximeter_cli.demo.provider import FLAKY, OVERLOADED, UNKNOWN

__all__ = ["missing", "without"]

# By SDK: the calls that count, the tokens that went in and came out, by model. And what fails by itself.
_OF_SDKS = {
    "openai": {
        "gpt-5": (2, 4_160, 878),
        "gpt-5-mini": (2, 6_400, 552),
        FLAKY: (6, 1_734, 48),
        UNKNOWN: (1, 232, 8),
        "text-embedding-3-small": (1, 46, 0),
    },
    "anthropic": {"claude-sonnet-4-5": (2, 9_660, 184)},
}
_ALWAYS = {MODEL: (4, 89_590, 2_637)}
_FAILED = {"openai": FLAKY, "anthropic": OVERLOADED}


def without() -> list[str]:
    """The SDKs that are not installed, whose part is skipped."""
    return [name for name in _OF_SDKS if find_spec(name) is None]


def missing(lake: Path) -> Iterator[str]:
    """What should be in the ledger and is not, or is otherwise, in sentences."""
    from taximeter_queries import Lake, ask_sql

    query = (
        "SELECT model, count(*) FILTER (billable), coalesce(sum(input_tokens) FILTER (billable), 0), "
        "coalesce(sum(output_tokens) FILTER (billable), 0), count(cost_usd) FILTER (billable), "
        "count(*) FILTER (status = 'error') FROM calls GROUP BY model"
    )
    found = {row[0]: tuple(map(int, row[1:])) for row in ask_sql(Lake(lake), query).rows}
    there = [name for name in _OF_SDKS if name not in without()]
    expected = {**_ALWAYS, **{model: said for name in there for model, said in _OF_SDKS[name].items()}}
    for model, (calls, *tokens) in expected.items():
        seen = found.get(model, (0, 0, 0, 0, 0))
        if seen[:3] != (calls, *tokens):
            yield f"{model}: {seen[0]} calls, {seen[1]} tokens in, {seen[2]} out; expected {calls}, {tokens}"
        elif seen[3] != (0 if model == UNKNOWN else calls):
            yield f"{model}: {seen[3]} of {calls} calls have a price"
    for name in there:
        if not found.get(_FAILED[name], (0,) * 5)[4]:
            yield f"{_FAILED[name]}: its error is missing"
