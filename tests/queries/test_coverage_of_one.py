"""What stands below one trace or conversation is of that one, not of the whole ledger."""

from __future__ import annotations

from pathlib import Path

import pytest
from taximeter_queries import ask

from tests.queries.ledgers import call, landed

TRACE = "ab" * 16


@pytest.mark.parametrize(
    ("name", "asked"), [("trace", {"trace_id": TRACE}), ("conversation", {"conversation_id": "one"})]
)
def test_coverage_is_of_what_was_looked_up(tmp_path: Path, name: str, asked: dict[str, str]) -> None:
    inside = [call(trace_id=TRACE, conversation_id="one", model="new", journal_position=at) for at in range(2)]
    outside = [call(trace_id="cd" * 16, conversation_id="two", journal_position=at) for at in range(2, 7)]
    coverage = ask(landed(tmp_path, [*inside, *outside]), name, coverage=True, **asked).coverage
    assert coverage is not None
    assert (coverage.calls, [one.model for one in coverage.unpriced]) == (2, ["new"])


def test_coverage_of_a_comparison_has_a_call_once_that_is_on_both_sides(tmp_path: Path) -> None:
    """And none that is on neither."""
    views = [call(model=model, user_id=user, journal_position=at) for at, (model, user) in enumerate(_CALLS)]
    answer = ask(landed(tmp_path, views), "compare", a="model=m", b="user=u", coverage=True)
    assert answer.records()[0]["a"] == answer.records()[0]["b"] == 3
    assert answer.coverage is not None
    assert answer.coverage.calls == 4


def test_coverage_does_not_depend_on_what_is_grouped_by(tmp_path: Path) -> None:
    """Also where the condition names it as the column that it is."""
    views = [call(model=model, user_id=user, journal_position=at) for at, (model, user) in enumerate(_CALLS)]
    lake = landed(tmp_path, views)
    for by, where in ((["attribute.none"], "user=u"), (["tag.team", "day"], "\"tag.team\" IS NULL AND user = 'u'")):
        coverage = ask(lake, "cost", by=by, where=where, coverage=True).coverage
        assert coverage is not None
        assert coverage.calls == 3


_CALLS = (("m", "u"), ("m", "u"), ("m", None), ("n", "u"), ("n", None))
