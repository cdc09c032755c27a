"""How charts look in the terminal, and what is in those that are saved."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from taximeter_cli.options import Mistake
from taximeter_cli.reporting import charts
from taximeter_cli.reporting.charts.axis import steps
from taximeter_cli.reporting.charts.chart import OTHER, chart
from taximeter_cli.reporting.charts.files import PIXELS
from taximeter_cli.reporting.charts.measures import MAIN
from taximeter_queries import NAMES, Answer, Column, Unit, Window, report

from tests.cli.pictures import COVERAGE, DAY, MODEL, answer, cost

BY_MODEL = cost(
    [MODEL],
    [
        ("gpt-5", 1, 1, Decimal("12")),
        ("<i>&\x1b[31m$x$", 1, 1, Decimal("3")),
        ("tiny", 1, 1, Decimal("0.0004")),
        ("acme-13b", 1, 1, None),
    ],
    coverage=COVERAGE,
)
GAP = (3, 4)
BY_DAY = cost([DAY], [(date(2026, 11, day), 1, 1, Decimal(day)) for day in range(1, 9) if day not in GAP])


def drawn(told: Answer, width: int = 60, encoding: str = "utf-8", column: str | None = None) -> str:
    """A chart as it is printed."""
    file: Any = _File(encoding)
    console = Console(width=width, color_system=None, file=file)
    with console.capture() as captured:
        charts.draw(told, console, column)
    return "\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n"))


class _File:
    def __init__(self, encoding: str) -> None:
        self.encoding = encoding

    def write(self, _: str) -> None: ...

    def flush(self) -> None: ...

    def isatty(self) -> bool:
        return False


def test_categories_are_bars_with_their_numbers() -> None:
    """What is little is seen, and what is unknown is not nothing."""
    assert drawn(BY_MODEL) == (
        "cost by model\n"
        "gpt-5            ██████████████████████████████████   $12.00\n"
        "<i>&\\x1b[31m$x$  ████████▌                             $3.00\n"
        "tiny             ▏                                   $0.0004\n"
        "acme-13b                                                   \N{EN DASH}\n"
        "98.2 % of 788 calls priced; 14 unpriced: model acme-13b\n"
        "all time, UTC"
    )


def test_days_are_columns_over_an_axis_and_days_without_calls_are_empty() -> None:
    """Nothing is drawn between what there is."""
    assert drawn(BY_DAY) == (
        "cost by day\n"
        "$8.00┤                                          █████\n"
        "     │                                    ▆▆▆▆▆ █████\n"
        "     │                              ▄▄▄▄▄ █████ █████\n"
        "     │                        ▂▂▂▂▂ █████ █████ █████\n"
        "     │                        █████ █████ █████ █████\n"
        "     │                        █████ █████ █████ █████\n"
        "     │                        █████ █████ █████ █████\n"
        "     │      ▄▄▄▄▄             █████ █████ █████ █████\n"
        "     │▂▂▂▂▂ █████             █████ █████ █████ █████\n"
        "     │█████ █████             █████ █████ █████ █████\n"
        "     └2026-11-01  2026-11-03  2026-11-05  2026-11-07\n"
        "all time, UTC"
    )


def test_several_series_have_a_line_each_and_the_smallest_are_together() -> None:
    """At most eight, to one scale."""
    rows = [(date(2026, 11, day), f"model-{at}", 1, 1, Decimal(at)) for day in (1, 2) for at in range(1, 12)]
    told = cost([DAY, MODEL], rows)
    lines = drawn(told).split("\n")
    assert lines[1] == "all to one scale: the highest column is $11.00"
    assert [line.split("│")[0].strip() for line in lines[2:11]] == [*(f"model-{at}" for at in range(11, 3, -1)), OTHER]
    assert lines[10].endswith("$12.00")
    assert lines[-1] == "other: 3 more together"


def test_what_cannot_be_added_is_not() -> None:
    """The median of others is no sum of medians."""
    columns = [DAY, MODEL, Column("p50_duration_ms", Unit.MS)]
    rows = [(date(2026, 11, 1), f"model-{at}", float(at)) for at in range(1, 12)]
    told = answer("latency", columns, rows, 2)
    assert [one.name for one in chart(told).series] == [f"model-{at}" for at in range(11, 3, -1)]
    assert chart(told).below[-1] == "3 more are not drawn"


def test_any_column_of_numbers_can_be_drawn() -> None:
    """And the report's main one is, if nobody says otherwise."""
    assert drawn(BY_MODEL, column="calls").startswith("calls by model")
    with pytest.raises(Mistake, match="unknown column to draw 'model'"):
        drawn(BY_MODEL, column="model")


@pytest.mark.parametrize("name", NAMES)
def test_each_report_has_a_column_that_it_is_about(name: str) -> None:
    """It is there, and it is a number."""
    columns = {column.name: column for column in report(name).columns}
    assert columns[MAIN[name]].unit in (Unit.USD, Unit.COUNT, Unit.TOKENS, Unit.MS, Unit.SHARE)


def test_an_axis_of_hours_has_both_hours_of_an_autumn_night() -> None:
    """Each is there once, by the clock of UTC."""
    zone = ZoneInfo("Europe/Zurich")
    first = datetime(2026, 10, 24, 22, tzinfo=UTC)
    told = {(first + timedelta(hours=at)).astimezone(zone) for at in (0, 24)}
    found = steps("hour", told, Window(timezone=zone))
    assert len(found) == 25
    assert [f"{one:%H%z}" for one in found[2:5]] == ["02+0200", "02+0100", "03+0100"]


def test_an_axis_covers_the_whole_window() -> None:
    """Days before the first call and after the last are days without calls."""
    window = Window.of(since="2026-11-01", until="2026-11-30", timezone="UTC")
    assert len(steps("day", {date(2026, 11, 10)}, window)) == 30
    assert len(steps("month", {date(2026, 1, 1), date(2026, 11, 1)}, window)) == 11


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.text(max_size=30), st.none() | st.decimals(-(10**6), 10**15, places=6)), max_size=12),
    st.integers(20, 200),
    st.sampled_from(["utf-8", "ascii"]),
)
def test_bars_fit_the_terminal(told: list[tuple[str, Any]], columns: int, encoding: str) -> None:
    """Whatever the names and the numbers."""
    for line in drawn(cost([MODEL], [(name, 1, 1, usd) for name, usd in told]), columns, encoding).split("\n"):
        assert cell_len(line) <= columns, line


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from("abc"), st.decimals(0, 10**9, places=6)), max_size=30),
    st.integers(20, 200),
    st.booleans(),
)
def test_columns_fit_the_terminal(told: list[tuple[int, str, Any]], columns: int, several: bool) -> None:
    """Also where there are more days than columns."""
    first = date(2026, 1, 1)
    rows = [(first + timedelta(days=day), name, 1, 1, usd) for day, name, usd in told]
    shown = cost([DAY, MODEL], rows) if several else cost([DAY], [(row[0], *row[2:]) for row in rows])
    for line in drawn(shown, columns).split("\n"):
        assert cell_len(line) <= columns, line


def test_an_svg_has_its_texts_as_texts(tmp_path: Path) -> None:
    """Escaped, so that they can be searched and do nothing; with the window, the coverage, and the unit."""
    charts.save(BY_MODEL, tmp_path / "cost.svg")
    tree = ET.parse(tmp_path / "cost.svg")
    texts = {"".join(one.itertext()) for one in tree.iter("{http://www.w3.org/2000/svg}text")}
    assert {"cost by model", "gpt-5", "<i>&\\x1b[31m$x$", "$12.00", "$0.0004", "US dollars", "all time, UTC"} <= texts
    assert "98.2 % of 788 calls priced; 14 unpriced: model acme-13b" in texts
    text = (tmp_path / "cost.svg").read_text("utf-8")
    assert "prefers-color-scheme: dark" in text
    assert "@import" not in text
    assert "<image" not in text


def test_a_png_is_one_of_its_size(tmp_path: Path) -> None:
    """By its header."""
    charts.save(BY_DAY, tmp_path / "cost.png")
    found = (tmp_path / "cost.png").read_bytes()
    assert found[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", found[16:24]) == PIXELS


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_same_answer_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    """Whenever it is drawn."""
    rows = [(date(2026, 11, day), f"_{at}", 1, 1, Decimal(at)) for day in (1, 2, 4) for at in range(10)]
    for name in ("a", "b"):
        charts.save(cost([DAY, MODEL], rows), tmp_path / f"{name}.{suffix}")
    assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_an_empty_answer_can_be_drawn(tmp_path: Path) -> None:
    """There is nothing to see, and it says so."""
    charts.save(cost([MODEL], []), tmp_path / "empty.svg")
    assert "nothing to draw" in (tmp_path / "empty.svg").read_text("utf-8")
    assert "nothing to draw" in drawn(cost([MODEL], []))


def test_other_files_are_refused(tmp_path: Path) -> None:
    """In a sentence."""
    with pytest.raises(Mistake, match=r"expected a name that ends in \.svg or \.png"):
        charts.save(BY_MODEL, tmp_path / "cost.gif")
