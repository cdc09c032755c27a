"""docs/lake.md says what is so."""

from __future__ import annotations

from pathlib import Path

from taximeter_collector.lake.ledger import COST_STATUSES
from taximeter_collector.lake.page import brought_up_to_date
from taximeter_collector.lake.schema import TABLES
from taximeter_collector.price import Status

PAGE = (Path(__file__).parents[2] / "docs/lake.md").read_text("utf-8")


def test_every_column_is_documented_as_it_is() -> None:
    """`python -m taximeter_collector.lake.page docs/lake.md` makes it so."""
    assert brought_up_to_date(PAGE) == PAGE
    for table in TABLES.values():
        assert all(f"| `{column.name}` |" in PAGE for column in table.columns)


def test_every_cost_status_is_in_the_rules() -> None:
    rules = PAGE.split("## The ledger's rules")[1]
    assert set(COST_STATUSES) == {status.value for status in Status}
    assert all(f"`{name}`" in rules for name in COST_STATUSES)


def test_every_table_has_limits_of_its_own() -> None:
    from taximeter_collector.lake import LakeConfig

    for table in TABLES:
        assert hasattr(LakeConfig(), f"{table}_max_age_s") and hasattr(LakeConfig(), f"{table}_max_size")
