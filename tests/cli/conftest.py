"""A lake to ask, for all tests of reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.example_lake import example_lake


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the lake that the documentation shows. Nothing writes into it."""
    folder = tmp_path_factory.mktemp("shop") / "lake"
    example_lake(folder)
    return folder
