"""How a trace, a conversation and a model look."""

# what is printed has dashes of its own

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from taximeter_cli.reporting import model, tables
from taximeter_cli.reporting.branches import branches, grown
from taximeter_cli.reporting.model_sheet import COLUMNS
from taximeter_queries import Lake, report
from taximeter_queries.errors import NotFound

from tests.cli.pictures import answer, looks, of_trace

CHECKOUT: list[dict[str, Any]] = [
    {"depth": 0, "name": "POST /checkout", "service_name": "shop", "offset_ms": 0.0, "duration_ms": 4000.0}
    | {"subtree_cost_usd": Decimal("0.0184")},
    {"depth": 1, "name": "invoke_agent planner", "service_name": "shop", "offset_ms": 0.0, "duration_ms": 3000.0}
    | {"subtree_cost_usd": Decimal("0.018")},
    {"depth": 2, "name": "chat", "model": "gpt-5", "offset_ms": 0.0, "duration_ms": 1000.0}
    | {"input_tokens": 1200, "output_tokens": 340, "subtree_cost_usd": Decimal("0.018")},
    {"depth": 2, "name": "execute_tool search", "offset_ms": 1000.0, "duration_ms": 500.0, "status": "error"}
    | {"error_type": "Timeout"},
    {"depth": 1, "name": "embeddings", "service_name": "search", "offset_ms": 3000.0, "duration_ms": 1000.0}
    | {"subtree_cost_usd": Decimal("0.0004"), "billable": True},
]


def test_a_trace_is_a_tree_beside_a_waterfall() -> None:
    """With durations, and what each branch costs."""
    assert looks(tables.render(of_trace(*CHECKOUT)), 90) == (
        "span                                                           duration    tokens     cost\n"
        "POST /checkout (shop)           █████████████████████████████    4.00 s            $0.0184\n"
        "├─ invoke_agent planner         █████████████████████▊           3.00 s            $0.018\n"
        "│ ├─ chat gpt-5                 ███████▎                         1.00 s  1.2k→340  $0.018\n"
        "│ └─ ✗ execute_to…rch: Timeout         ███▉                      500 ms\n"
        "└─ embeddings (search)                               ▐███████    1.00 s            $0.0004\n"
        "5 spans · 4.00 s · $0.0184 · 1 call unpriced · 1 error\n"
        "all time, UTC"
    )


def test_a_trace_in_ascii_has_no_other_characters() -> None:
    """Where the terminal has no blocks."""
    shown = looks(tables.render(of_trace(*CHECKOUT)), 120, encoding="ascii")
    assert shown.split("\n")[3].startswith("| |- chat gpt-5")
    assert "! execute_tool search: Timeout" in shown
    assert "=" in shown
    assert "1 error" in shown


def test_a_very_wide_trace_says_what_is_left_out() -> None:
    """Of a thousand children the failed ones and the longest are shown, and the others counted with their cost."""
    children = [
        {"depth": 1, "name": f"child {number}", "offset_ms": float(number), "duration_ms": 1.0}
        | {"subtree_cost_usd": Decimal("0.001"), "status": "error" if number == 777 else "ok"}
        for number in range(1000)
    ]
    root = {"depth": 0, "name": "root", "offset_ms": 0.0, "duration_ms": 1000.0}
    shown = looks(tables.render(of_trace(root, *children)), 100).split("\n")
    assert len(shown) < 40
    assert any("✗ child 777" in line for line in shown)
    assert any("└─ … 971 more, $0.97" in line for line in shown)
    assert shown[-2] == "1,001 spans · 1.00 s · 1 error"


def test_a_very_deep_trace_says_what_is_left_out() -> None:
    """However deep: ten thousand spans in each other."""
    spans = [{"depth": at, "name": f"level {at}", "offset_ms": 0.0, "duration_ms": 1.0} for at in range(10_000)]
    shown = looks(tables.render(of_trace(*spans)), 80).split("\n")
    assert any(line.strip().startswith("└─ … 9,983 more below") for line in shown), shown[-5:]
    full = looks(tables.render(of_trace(*spans[:60]), full=True), 200)
    assert "level 59" in full


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.text(max_size=20), st.floats(0, 1e9)), max_size=40), st.integers(20, 200)
)
def test_a_trace_fits_the_terminal(told: list[tuple[int, str, float]], columns: int) -> None:
    """Whatever its shape, its names and its times."""
    spans = [{"depth": depth, "name": name, "offset_ms": at, "duration_ms": at / 3} for depth, name, at in told]
    for line in looks(tables.render(of_trace(*spans)), columns).split("\n"):
        assert cell_len(line) <= columns, line


@given(st.lists(st.integers(0, 8), max_size=40))
def test_every_span_is_shown_once_in_full(depths: list[int]) -> None:
    """Whatever the depths are."""
    rows = of_trace(*({"depth": depth, "offset_ms": 0.0, "duration_ms": 1.0} for depth in depths)).records()
    shown = [id(one.node.row) for one in branches(grown(rows), full=True) if one.node]
    assert sorted(shown) == sorted(id(row) for row in rows)


def _conversation(*turns: dict[str, Any]) -> Any:
    columns = report("conversation").columns
    usual = {"start_time": datetime(2026, 11, 20, 12, 30, tzinfo=UTC), "status": "ok", "model": "gpt-5"}
    rows = [
        tuple({**usual, "turn": at, **turn}.get(column.name) for column in columns) for at, turn in enumerate(turns)
    ]
    return answer("conversation", columns, rows, 0)


def test_a_conversation_is_told_turn_by_turn() -> None:
    """With what was said, where it landed."""
    told = _conversation(
        {"input_tokens": 1200, "output_tokens": 340, "cost_usd": Decimal("0.0049"), "duration_ms": 1200.0}
        | {"asked": "Where is my order?\nIt was \x1b[31mdue [b]now[/b].", "answered": "On its way."},
        {"status": "error", "error_type": "rate_limit"},
    )
    assert looks(tables.render(told), 100) == (
        "1 · 2026-11-20 12:30:00 · gpt-5 · 1.2k in · 340 out · $0.0049 · 1.20 s\n"
        "  asked: Where is my order?\n"
        "  It was \\x1b[31mdue [b]now[/b].\n"
        "  answered: On its way.\n"
        "2 · 2026-11-20 12:30:00 · gpt-5 · cost unknown · rate_limit\n"
        "all time, UTC"
    )


def test_long_prompts_are_shortened_unless_they_are_wanted_in_full() -> None:
    """And it is said how much is left out."""
    told = _conversation({"asked": "\n".join(f"line {number}" for number in range(50))})
    short = looks(tables.render(told))
    assert "line 3" in short
    assert "line 4" not in short
    assert "… 46 more lines" in short
    assert "line 49" in looks(tables.render(told, full=True))


def test_a_conversation_without_content_says_so() -> None:
    """Content is not captured by itself."""
    assert "what was said is not in the lake" in looks(tables.render(_conversation({})), 120)


@settings(deadline=None)
@given(st.text(max_size=200), st.text(max_size=50), st.integers(20, 150))
def test_a_conversation_fits_the_terminal(asked: str, name: str, columns: int) -> None:
    """Whatever was said."""
    for line in looks(tables.render(_conversation({"asked": asked, "model": name})), columns).split("\n"):
        assert cell_len(line) <= columns, line


def test_a_model_is_known_by_the_price_book_without_a_lake(tmp_path: Path) -> None:
    """What it costs, in all tiers, what it takes in, and what else it is called."""
    found = model.facts("gpt-5", None, tmp_path)
    assert found["provider"] == "openai"
    assert found["context_tokens"] == 400_000
    assert "gpt-5-2025-08-07" in found["aliases"]
    assert {price["tier"] for price in found["prices"]} >= {"standard", "batch"}
    assert found["prices"][0]["levels"][0]["usd"]["input"] == "1.25"
    assert found["calls"] is None


def test_a_model_is_told_with_its_use(shop: Path, tmp_path: Path) -> None:
    """Calls, tokens, cost, and who calls it."""
    found = model.facts("acme-13b", Lake(shop), tmp_path)
    assert (found["calls"], found["priced_calls"], found["cost_usd"]) == (7, 0, None)
    assert [one["service"] for one in found["services"]] == ["assistant"]
    sheet = answer("model", COLUMNS, [tuple(found[column.name] for column in COLUMNS)], 1)
    shown = looks(tables.render(sheet), 100)
    assert "price      none: unknown provider" in shown
    assert "use        7 calls, 7 of them unpriced, 16.1k tokens in, 1.8k out, cost unknown" in shown
    for columns in range(20, 120, 7):
        assert max(map(cell_len, looks(tables.render(sheet), columns).split("\n"))) <= columns


def test_a_mistyped_model_is_answered_with_what_was_meant(shop: Path, tmp_path: Path) -> None:
    """Also with models that only the lake knows."""
    with pytest.raises(NotFound, match="did you mean claude-sonnet-4"):
        model.facts("claud-sonet-4", None, tmp_path)
    with pytest.raises(NotFound, match="did you mean acme-13b"):
        model.facts("acme-31b", Lake(shop), tmp_path)
