"""What reports are held to is by the ledger's rules itself, and has what is hard."""

from __future__ import annotations

from pathlib import Path
from random import Random

from hypothesis import HealthCheck, given, settings
from taximeter_collector.lake.verification import verify_table

from tests.queries.ledgers import Row, billed, described, landed, ledger, ledgers, summed


def test_a_ledger_is_sound_as_the_lander_understands_it(tmp_path: Path) -> None:
    random = Random(1)
    calls = ledger(random, 300, odd_times=True)
    spans, logs = described(random, calls)
    landed(tmp_path, calls, spans=spans, logs=logs)
    for table, rows in (("calls", calls), ("spans", spans), ("logs", logs)):
        verdict = verify_table(tmp_path, table)
        assert verdict.rows == len(rows)
        assert not verdict.problems


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ledgers())
def test_each_call_counts_once_at_most(views: list[Row]) -> None:
    positions = [one["journal_position"] for one in views]
    assert positions == sorted(set(positions))
    assert all(("not_billable_because" in one) != one["billable"] for one in views)


def test_a_ledger_has_every_word_unknown_values_and_sums_beyond_64_bits() -> None:
    views = ledger(Random(2), 2000)
    assert {one["cost_status"] for one in billed(views)} == {
        *("priced", "reported", "free", "unpriced_model", "missing_usage", "inconsistent_usage")
    }
    assert {one.get("not_billable_because") for one in views} >= {"failed", "nested", "retransmitted", None}
    assert summed(billed(views), "input_tokens") > 2**64
    assert summed(billed(views), "cost_usd") > 10**6
    assert None in {one["model"] for one in views}
