"""How answers look: whole tables, as they are printed, and what must hold for any."""

# ruff: noqa: RUF001  # what is printed has dashes of its own

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from taximeter_cli.reporting import footer, numbers, tables
from taximeter_cli.reporting.layout import titles
from taximeter_cli.reporting.words import harmless, shortened, width
from taximeter_queries import Answer, Column, Coverage, Unit, Unpriced, Window
from taximeter_queries.report import NAMES, report

from tests.cli.pictures import COVERAGE, MODEL, answer, cost, looks

ROWS = [
    ("gpt-5", 12_000, 1_234_567, Decimal("1234.5678")),
    ("claude-sonnet-4-5-20250929", 3, 34_499, Decimal("0.000412")),
    ("acme-13b", 14, None, None),
]
TOTAL = (None, 12_017, 1_269_066, Decimal("1234.568212"), None)


def test_a_table_is_aligned_rounded_and_says_what_it_covers() -> None:
    """Whole, as it is printed."""
    shown = looks(tables.render(cost([MODEL], ROWS, total=TOTAL, coverage=COVERAGE, cut=True)), 100)
    assert shown == (
        "model                        calls  input tokens           cost  input cost\n"
        "───────────────────────────────────────────────────────────────────────────\n"
        "gpt-5                       12,000          1.2M  $1,234.57               –\n"
        "claude-sonnet-4-5-20250929       3         34.5k      $0.000412           –\n"
        "acme-13b                        14             –              –           –\n"
        "───────────────────────────────────────────────────────────────────────────\n"
        "total                       12,017          1.3M  $1,234.57               –\n"
        "98.2 % of 788 calls priced; 14 unpriced: model acme-13b\n"
        "all time, UTC · first 3 rows; --limit 0 for all"
    )


def test_a_narrow_table_drops_details_first_then_shortens_texts_in_the_middle() -> None:
    """And says how many columns are not there."""
    shown = looks(tables.render(cost([MODEL], ROWS)), 44)
    assert shown == (
        "model            calls  input           cost\n"
        "────────────────────────────────────────────\n"
        "gpt-5           12,000   1.2M  $1,234.57\n"
        "claude…0250929       3  34.5k      $0.000412\n"
        "acme-13b            14      –              –\n"
        "all time, UTC · 1 column left out; --format\n"
        "csv has all"
    )


def test_a_very_narrow_table_keeps_what_the_report_is_about() -> None:
    """Of cost: the cost."""
    shown = looks(tables.render(cost([MODEL], ROWS)), 22).split("\n")
    assert shown[0].split() == ["model", "cost"]
    assert shown[2].split() == ["gpt-5", "$1,234.57"]


def test_names_from_outside_are_shown_and_not_obeyed() -> None:
    """Markup, escape sequences, line breaks, and what turns the reading direction."""
    names = ["[red]x[/red]", "a\x1b[31mb", "two\nlines", "\u202eevil", ":smile:", "tab\there", "東京"]
    shown = looks(tables.render(cost([MODEL], [(name, 1, 1, Decimal(1)) for name in names])), 80, force_terminal=True)
    assert [row.split("  ")[0].strip() for row in re.sub(r"\x1b\[[\d;]*m", "", shown).split("\n")[2:9]] == [
        "[red]x[/red]",
        "a\\x1b[31mb",
        "two\\nlines",
        "\\u202eevil",
        ":smile:",
        "tab\\there",
        "東京",
    ]


def test_colours_are_left_out_where_nobody_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR."""
    shown = tables.render(answer("calls", [Column("status", Unit.TEXT)], [("error",)], 0))
    assert "\x1b[31m" in looks(shown, force_terminal=True, color_system="standard", no_color=False)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31m" not in looks(shown, force_terminal=True, color_system="standard")


def test_a_terminal_without_our_characters_gets_others() -> None:
    """Nothing is lost, and nothing raises."""
    shown = looks(tables.render(cost([MODEL], [("größe…", 1, None, Decimal("0.5"))], cut=True)), 60, encoding="ascii")
    assert shown == (
        "model           calls  input tokens   cost  input cost\n"
        "------------------------------------------------------\n"
        "gr\\xf6\\xdfe...      1             -  $0.50           -\n"
        "all time, UTC - first row; --limit 0 for all"
    )


def test_an_answer_without_rows_says_so() -> None:
    """And what to do, if there are no calls at all."""
    assert looks(tables.render(cost([MODEL], []))) == "nothing to show\nall time, UTC"
    assert looks(tables.render(cost([MODEL], [], coverage=Coverage()))) == (
        "no calls: try a longer time, or see `taximeter journal ls` for what was received\nall time, UTC"
    )


def test_times_have_seconds_and_offsets_only_where_they_say_something() -> None:
    """The two hours of an autumn night are told apart."""
    zone = ZoneInfo("Europe/Zurich")
    hours = [(datetime(2026, 10, 25, hour, tzinfo=UTC),) for hour in (0, 1)]
    shown = looks(tables.render(answer("x", [Column("hour", Unit.TIME)], hours, 1, window=Window(timezone=zone))))
    assert shown.split("\n")[2:4] == ["2026-10-25 02:00+0200", "2026-10-25 02:00+0100"]
    plain = looks(tables.render(answer("x", [Column("hour", Unit.TIME)], hours[:1], 1)))
    assert plain.split("\n")[2] == "2026-10-25 00:00"


def test_markdown_is_a_table_that_nothing_in_it_can_break() -> None:
    """Pipes, markup, and line breaks in names."""
    shown = tables.markdown(cost([MODEL], [("a|b\n<i>*c*", 1, 1500, Decimal("0.004"))], total=TOTAL, coverage=COVERAGE))
    assert shown == (
        "| model | calls | input tokens | cost | input cost |\n"
        "| --- | ---: | ---: | ---: | ---: |\n"
        "| a\\|b\\\\n\\<i>\\*c\\* | 1 | 1.5k | $0.004 | – |\n"
        "| **total** | **12,017** | **1.3M** | **$1,234.57** | **–** |\n"
        "\n"
        "98.2 % of 788 calls priced; 14 unpriced: model acme-13b  \n"
        "all time, UTC\n"
    )


@pytest.mark.parametrize("name", NAMES)
def test_no_two_columns_of_a_report_have_the_same_title(name: str) -> None:
    """Whatever it is grouped by."""
    question = report(name)
    columns = (*(Column(one, Unit.TEXT) for one in question.by), *question.columns)
    assert len(set(titles(columns))) == len(columns)


def test_coverage_is_all_only_if_it_is() -> None:
    """One of a million is missing."""
    assert footer.covered(Coverage(1, 1)) == "100 % of 1 call priced"
    nearly = Coverage(1_000_000, 999_999, unpriced=(Unpriced(None, "missing_usage", 1),))
    assert footer.covered(nearly) == ">99.9 % of 1,000,000 calls priced; 1 unpriced: calls without a model"


def test_coverage_names_some_models_and_counts_the_others() -> None:
    """The most frequent first."""
    unpriced = tuple(Unpriced(name, "unpriced_model", 2) for name in "abcde")
    assert footer.covered(Coverage(40, 30, unpriced=unpriced)) == (
        "75.0 % of 40 calls priced; 10 unpriced: model a, b, c and 2 more models"
    )


NUMBERS = (Unit.COUNT, Unit.TOKENS, Unit.USD, Unit.MS, Unit.PER_SECOND, Unit.SHARE, Unit.VALUE)
money = st.decimals(min_value=-(10**20), max_value=10**20, places=12, allow_nan=False)
floats = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e18, max_value=1e18)
integers = st.integers(-(10**24), 10**24)


@given(st.sampled_from(NUMBERS), st.one_of(money, floats, integers))
def test_nothing_but_nothing_is_shown_as_nothing(unit: Unit, value: Any) -> None:
    """Whatever the number and its unit."""
    if unit in (Unit.COUNT, Unit.TOKENS):
        value = int(value)
    shown = numbers.shown(value, Column("x", unit))
    assert any(one in "123456789" for one in shown) == bool(value), shown


@given(st.lists(st.decimals(min_value=0, max_value=10**6, places=12), min_size=1, max_size=20))
def test_what_is_shown_sums_up_to_the_sum_but_for_rounding(amounts: list[Decimal]) -> None:
    """Half a cent for each, and no more."""
    read = [Decimal(numbers.usd(one).replace("$", "").replace(",", "")) for one in amounts]
    assert abs(sum(read) - sum(amounts)) <= Decimal("0.005") * len(amounts)
    for shown, amount in zip(read, amounts, strict=True):
        assert abs(shown - amount) <= (Decimal("0.005") if amount > Decimal("0.099") else amount * Decimal("0.0051"))


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 10**9))
def test_a_share_of_less_than_all_is_never_all(share: float, calls: int) -> None:
    """And one of more than nothing never nothing."""
    assert not numbers.share(share).startswith("100")
    assert numbers.share(1 / calls).startswith("0 ") is False


hard = ("", "東京" * 20, "a\x1b[2Jb", "[bold]", "e\u0301" * 30, "\U0001f469\u200d\U0001f467", "x" * 400)
texts = st.none() | st.text(max_size=60) | st.sampled_from(hard)
amounts = st.none() | money
rows = st.lists(st.tuples(texts, texts, integers, st.none() | integers, amounts, amounts), max_size=5)
TEAM = Column("tag.team", Unit.TEXT)


@settings(deadline=None)
@given(rows, st.integers(20, 300), st.booleans(), st.sampled_from(["utf-8", "ascii"]))
def test_no_line_is_longer_than_the_terminal_is_wide(
    told: list[tuple[Any, ...]], columns: int, has_total: bool, encoding: str
) -> None:
    """From 20 columns on, whatever the names and the numbers."""
    total = (None, None, 10**24, 10**24, Decimal(10) ** 20, None) if has_total else None
    shown = tables.render(cost([MODEL, TEAM], told, total=total, coverage=COVERAGE, cut=True))
    for line in looks(shown, columns, encoding).split("\n"):
        assert cell_len(line) <= columns, line
        assert harmless(line) == line


@settings(deadline=None)
@given(st.lists(money, min_size=1, max_size=5), st.integers(20, 120))
def test_a_number_is_whole_or_not_there(amounts: list[Decimal], columns: int) -> None:
    """It is never shortened, wrapped or cut off."""
    told = [("some model with a name", 1, 1, amount) for amount in amounts]
    shown = looks(tables.render(cost([MODEL], told)), columns).split("\n")[: len(amounts) + 3]
    if "cost" in "".join(shown[:2]):
        for amount in amounts:
            assert any(numbers.usd(amount) in line.split() for line in shown)


@given(st.text(max_size=40), st.integers(1, 50))
def test_a_text_that_is_shortened_fits(text: str, columns: int) -> None:
    """And is left alone if it fits anyway."""
    text = harmless(text)
    short = shortened(text, columns)
    assert width(short) <= columns
    assert short == text or width(text) > columns


def test_machine_formats_do_not_round() -> None:
    """What is shown is not what is in the answer."""
    told: Answer = cost([MODEL], ROWS)
    looks(tables.render(told))
    assert told.records()[0]["cost_usd"] == Decimal("1234.5678")
