"""docs/reports.md shows every report as it is: commands, options, keys, and what they really say."""

from __future__ import annotations

import re

import pytest
from taximeter_queries import NAMES

from tests.cli.reports_page import PAGE, options_of, report_commands, written

TEXT = PAGE.read_text("utf-8")


def test_the_page_is_what_the_commands_say_now() -> None:
    """`python -m tests.cli.reports_page docs/reports.md` makes it anew."""
    assert written(TEXT) == TEXT


@pytest.mark.parametrize("name", list(report_commands()))
def test_every_report_has_its_part_with_an_example(name: str) -> None:
    part = re.search(rf"^## `taximeter {name}\b[^\n]*\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE)
    assert part, f"docs/reports.md has no part for {name}"
    assert re.search(rf"^\$ taximeter {name}\b", part[1], re.MULTILINE)
    if name in NAMES:
        assert f"<!-- columns of {name} -->" in part[1]


@pytest.mark.parametrize("name", list(report_commands()))
def test_every_option_is_explained(name: str) -> None:
    for option, (_, sentence) in options_of(report_commands()[name]).items():
        assert f"| `{option}` | {sentence} |" in TEXT, option
