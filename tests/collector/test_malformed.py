"""`tests/e2e/malformed.py`, in small."""

from __future__ import annotations

from tests.e2e.malformed import run


def test_malformed_requests_harm_neither_the_collector_nor_their_neighbours() -> None:
    told: list[str] = []
    assert run(3000, seed=7, tell=told.append) == [], "\n".join(told)
    assert any("200: " in line and "400: " in line for line in told)
