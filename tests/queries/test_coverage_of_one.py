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
