"""What `taximeter run` prints at the end, of a lake in which things went wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from taximeter_cli.running.environment import RUN_ATTRIBUTE
from taximeter_cli.running.receipt import Receipt

from tests.queries.landing import landed


def test_failures_are_told_with_the_most_frequent_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of three that failed, two alike; and nothing of another run."""
    failed = {"status": "error", "billable": False, "not_billable_because": "failed", "model": "gpt-5"}
    calls = [
        {"span_id": f"{at:016x}", "error_type": error, "source": "span", "cost_status": "missing_usage", **failed}
        for at, error in enumerate(["RateLimitError", "RateLimitError", "APITimeoutError", "Other", "Other", "Other"])
    ]
    ours, others = [(RUN_ATTRIBUTE, "ours")], [(RUN_ATTRIBUTE, "others")]
    spans = [{"span_id": f"{at:016x}", "resource_attributes": ours if at < 3 else others} for at in range(6)]
    lake = landed(tmp_path, calls, spans=spans)
    Receipt(lake.folder, "ours", datetime(2026, 1, 1, tzinfo=UTC)).show(tmp_path, landed=True)
    assert "errors    3 of 3 attempts failed, mostly RateLimitError; 0 retries" in capsys.readouterr().err
