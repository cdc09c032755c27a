"""Every block on every page is run, read, or is one of the few things that neither can be."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from taximeter_collector.lake import Lake, LakeConfig
from taximeter_collector.price import Book, tier_of
from taximeter_collector.price.source import unix_nano

from tests.docs.pages import GENERATED, PAGES, ROOT, Block, blocks
from tests.docs.test_pages import is_run

# By language: the tests that run such blocks.
ELSEWHERE = {"python": "tests/test_docs.py", "py": "tests/test_other_readers.py"}
# What is no language is drawn, or the figures of a run of minutes. By the beginning of what is drawn: what checks it.
DRAWINGS = {
    ("ARCHITECTURE.md", "instrumentation/taximeter/"): "test_the_rooms_in_the_drawing_are_there",
    ("ARCHITECTURE.md", " app -> HTTP client"): "a drawing of a way through the code",
    ("ARCHITECTURE.md", " sender -> receive"): "a drawing of a way through the code",
    ("ARCHITECTURE.md", " lake's list of files"): "a drawing of a way through the code",
    ("docs/doctor.md", "accepted = landed"): "a formula; the doctor's output above it has its figures",
    ("docs/lake.md", "lake/\n  calls/"): "test_the_lake_is_laid_out_as_it_is_drawn",
    ("docs/pricing.md", "genai-prices@"): "test_the_row_of_the_book_that_is_shown_is_one",
}
ALL = [block for page in PAGES for block in blocks(page)]
FIGURES = [block for block in ALL if block.language == "" and not any(block.text.startswith(b) for _, b in DRAWINGS)]


def _one(page: str, beginning: str) -> Block:
    (found,) = [block for block in blocks(page) if block.text.startswith(beginning)]
    return found


@pytest.mark.parametrize("block", ALL, ids=lambda block: block.place)
def test_a_block_is_run_or_read_by_a_test(block: Block) -> None:
    """Or it is drawn, or the figures of a command that stands before it."""
    tested = is_run(block) or block.language in (*ELSEWHERE, "json") or block.page in GENERATED or block in FIGURES
    assert tested or any(block.page == page and block.text.startswith(b) for page, b in DRAWINGS)


@pytest.mark.parametrize("path", [*ELSEWHERE.values(), *GENERATED.values()])
def test_who_else_runs_blocks_is_there(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize(("page", "beginning"), DRAWINGS)
def test_what_is_said_of_a_drawing_is_said_of_one_that_is_on_a_page(page: str, beginning: str) -> None:
    assert _one(page, beginning).language == ""


@pytest.mark.parametrize("block", FIGURES, ids=lambda block: block.place)
def test_figures_stand_below_the_command_that_prints_them(block: Block) -> None:
    """The words at the beginning of each line are in that script, or in what it is made of."""
    scripts = re.findall(r"`python ((?:bench|tests)/[a-z_0-9/]+\.py)", block.before)
    assert scripts, "which command has printed that?"
    code = "".join(path.read_text("utf-8") for path in (ROOT / scripts[-1]).parent.glob("*.py"))
    first = re.findall(r"^ *([A-Za-z]+)(?=[ :,])", block.text, re.MULTILINE)
    assert first
    assert [word for word in first if word not in code] == []


def test_the_line_of_the_log_is_one_that_is_logged() -> None:
    (block,) = [block for block in ALL if block.language == "json"]
    line = json.loads(block.text)
    assert list(line)[:5] == ["time", "level", "process", "logger", "event"]
    code = "".join(path.read_text("utf-8") for path in ROOT.glob("collector/taximeter_collector/journal/*.py"))
    assert f'"{line["event"]}"' in code


def test_the_rooms_in_the_drawing_are_there() -> None:
    text = _one("ARCHITECTURE.md", "instrumentation/taximeter/").text
    assert [line.split()[0] for line in text.splitlines() if not (ROOT / line.split()[0]).is_dir()] == []


def test_the_lake_is_laid_out_as_it_is_drawn(tmp_path: Path) -> None:
    """The folders that are drawn are those that a new lake has."""
    drawn = _one("docs/lake.md", "lake/\n  calls/").text
    lake = Lake.open(LakeConfig(dir=tmp_path / "lake"), journal_id="drawn")
    lake.close()
    there = {path.name for path in (tmp_path / "lake").iterdir() if path.is_dir()}
    assert set(re.findall(r"(?:^  |  )([a-z]+)/", drawn, re.MULTILINE)) <= there
    assert "_delta_log/" in drawn and (tmp_path / "lake/calls/_delta_log").is_dir()


def test_the_row_of_the_book_that_is_shown_is_one() -> None:
    shown = _one("docs/pricing.md", "genai-prices@").text.splitlines()[0]
    _, provider, model, since, tier = shown.split("|")
    first = unix_nano(datetime.fromisoformat(since).replace(tzinfo=UTC))
    rows = Book.load().schedule(provider, model, None, tier_of(tier), None).at(first).rows
    assert re.sub(r"@[^|]+", "@", shown) in [re.sub(r"@[^|]+", "@", row.price_id) for row in rows]
