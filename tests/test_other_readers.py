"""docs/lake.md shows how others read the lake: what it says works, with those that are installed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[1] / "docs/lake.md").read_text("utf-8")
_DUCKDB = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
_BLOCKS = re.findall(r"```py\n(.*?)```", PAGE, re.DOTALL)
_OTHERS = {re.findall(r"(?:import|from) (\w+)", block)[0]: block for block in _BLOCKS}


def test_the_page_has_an_example_for_each() -> None:
    assert set(_OTHERS) == {"polars", "pyspark"}


@pytest.mark.parametrize("library", _OTHERS)
def test_others_find_in_the_lake_what_duckdb_finds(library: str) -> None:
    """The lake is the one that the page's first example makes; each example asserts what it shows."""
    pytest.importorskip(library)
    names: dict[str, Any] = {}
    exec(compile(_DUCKDB, "docs/lake.md", "exec"), names)
    exec(compile(_OTHERS[library], f"docs/lake.md, {library}", "exec"), names)
