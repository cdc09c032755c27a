"""Environments with the wheel, each made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.wheel import Plain, built, environment_with


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the tree as it is."""
    return built(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Plain:
    """What `pip install taximeter` gives, with an SDK and a server."""
    return environment_with(tmp_path_factory.mktemp("plain") / "venv", wheel, "openai", "gunicorn")


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Plain:
    """What `pip install "taximeter[collector]"` gives, with one SDK of the two that the demo uses."""
    return environment_with(tmp_path_factory.mktemp("whole") / "venv", wheel, "openai", extra="[collector]")
