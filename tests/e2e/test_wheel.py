"""The wheel as it is installed by others: what is in it, and that all of it works without what developers have."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from tests.e2e.wheel import ROOT, Plain

PACKAGES = {
    "taximeter": "instrumentation",
    "taximeter_cli": "cli",
    "taximeter_collector": "collector",
    "taximeter_queries": "queries",
}


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    """The files in the wheel."""
    return set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_holds_the_four_packages_and_nothing_else(names: set[str]) -> None:
    roots = {name.split("/")[0] for name in names}
    assert {root for root in roots if not root.endswith(".dist-info")} == set(PACKAGES)
    assert {f"{package}/py.typed" for package in PACKAGES} <= names


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_of_the_tree_is_in_it(names: set[str], package: str) -> None:
    """SQL, prices, presets, what is found by name: whatever lies beside the code."""
    root = ROOT / PACKAGES[package]
    files = {
        path.relative_to(root).as_posix()
        for path in (root / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files - names == set()
    assert "taximeter/bootstrap/sitecustomize.py" in names
    assert "taximeter_queries/sql/cost.sql" in names


def test_the_base_install_is_light(plain: Plain, tmp_path: Path) -> None:
    listed = plain.run("python", "-m", "pip", "list", "--format=freeze", cwd=tmp_path).stdout.lower()
    for heavy in ("pyarrow", "duckdb", "deltalake", "grpcio", "numpy", "pandas"):
        assert f"\n{heavy}==" not in listed


def test_the_base_install_says_how_to_get_the_commands(plain: Plain, tmp_path: Path) -> None:
    """That it meters an app is in test_zero_code.py."""
    for command in ("demo", "run", "cost"):
        done = plain.run("taximeter", command, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert "pip install 'taximeter[collector]'" in done.stderr
    assert plain.run("taximeter", "--help", cwd=tmp_path).returncode == 0
    assert plain.run("taximeter", "--version", cwd=tmp_path).stdout.startswith("taximeter ")


def test_all_commands_are_there_with_the_collector(whole: Plain, tmp_path: Path) -> None:
    done = whole.run("taximeter", "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert all(command in done.stdout for command in ("run", "demo", "collect", "cost", "sql"))


def test_the_demo_runs_and_its_lake_can_be_asked(whole: Plain, tmp_path: Path) -> None:
    """Of the two SDKs, one is not installed here: its part is skipped, and said to be."""
    done = whole.run("taximeter", "demo", "--data", "kept", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "pip install anthropic" in done.stdout
    asked = whole.run("taximeter", "cost", "--data", "kept", "--format", "json", cwd=tmp_path)
    calls = {row["model"]: row["calls"] for row in json.loads(asked.stdout)}
    assert calls == {
        "claude-opus-4-8": 4,
        "gpt-5": 2,
        "gpt-5-mini": 2,
        "gpt-5-nano": 6,
        "text-embedding-3-small": 1,
        "acme-13b": 1,
    }


def test_nothing_that_only_developers_have_is_needed(whole: Plain, tmp_path: Path) -> None:
    listed = whole.run("python", "-m", "pip", "list", "--format=freeze", cwd=tmp_path).stdout.lower()
    for package in ("pytest", "hatchling", "ruff", "mypy", "polars", "sqlglot"):
        assert f"\n{package}==" not in listed
