"""`taximeter demo`: all that it promises is there, under the commands that print it, and nothing is left behind."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from taximeter_cli.main import main

from tests.cli.terminal_picture import DOCS, PICTURES, demo_in_a_terminal, shown, structure, text_of
from tests.e2e.collector import clean_environment, command_path

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def done(home: Path) -> subprocess.CompletedProcess[str]:
    """One demo, kept, by somebody who has settings of their own, and a proxy that leads nowhere."""
    nowhere = "http://127.0.0.1:9"
    theirs = {"TAXIMETER_LAKE_DIR": "theirs", "OTEL_EXPORTER_OTLP_ENDPOINT": nowhere, "HTTP_PROXY": nowhere}
    theirs |= {"OPENAI_BASE_URL": nowhere, "all_proxy": nowhere, "TAXIMETER_TIMEZONE": "UTC", "COLUMNS": "110"}
    (home / "taximeter.toml").write_text("[receive]\nhttp = 'off'\n")
    command = [command_path(), "demo", "--data", "kept"]
    environment = clean_environment(home) | theirs
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False, timeout=240)


def test_it_ends_well_and_says_what_it_should(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stderr
    asked = re.findall(r"^\$ taximeter (\w+)", done.stdout, re.MULTILINE)
    assert asked == ["run", "cost", "latency", "errors", "trace", "conversation", "sessions", "coverage"]
    assert "94.4 % of 18 calls priced; 1 unpriced: model acme-13b" in done.stdout
    assert "POST /find (search)" in done.stdout, "the trace does not go through both services"
    assert "Dinner at seven by the harbour" in done.stdout
    assert re.search(r"^claude-haiku-4-5 +1 +1 +100 %", done.stdout, re.MULTILINE), "a name is cut, or an error missing"
    assert "14 calls, $0.0379\n" in done.stderr, "there is no receipt"
    assert "also has the coding agent's session of before: 4 calls more" in done.stdout, "18 is not 14"


def test_it_can_be_read(done: subprocess.CompletedProcess[str]) -> None:
    lines = done.stdout.splitlines()
    assert len(lines) <= 120
    assert max(map(len, lines)) <= 110


@POSIX
def test_every_command_that_it_shows_can_be_typed(
    done: subprocess.CompletedProcess[str],
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(home / "kept")
    monkeypatch.setenv("TAXIMETER_DATA", str(home / "kept"))
    monkeypatch.setenv("TAXIMETER_TIMEZONE", "UTC")
    monkeypatch.setenv("COLUMNS", "110")
    for command, said in re.findall(r"^\$ taximeter (.+)\n((?:.+\n)+)", done.stdout, re.MULTILINE):
        if not command.startswith("run "):
            assert main(command.split()) == 0
            assert capsys.readouterr().out == said


def test_nothing_runs_on_and_nothing_else_was_written(done: subprocess.CompletedProcess[str], home: Path) -> None:
    assert sorted(path.name for path in home.iterdir()) == ["kept", "taximeter.toml"]
    lines = []
    for process in psutil.process_iter():
        try:
            lines.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    assert not [line for line in lines if str(home) in line]


def test_a_folder_with_something_in_it_is_left_alone(done: subprocess.CompletedProcess[str], home: Path) -> None:
    again = subprocess.run(
        [command_path(), "demo", "--data", "kept"],
        cwd=home,
        env=clean_environment(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert again.returncode == 2
    assert "kept is not empty" in again.stderr


@POSIX
def test_the_pictures_in_the_documentation_are_what_it_says_now() -> None:
    """`python -m tests.cli.terminal_picture docs/demo.svg docs/trace.svg` makes them anew."""
    said = demo_in_a_terminal()
    for name in PICTURES:
        picture = (DOCS / name).read_text("utf-8")
        assert structure(text_of(picture)) == structure(shown(said, name))
        assert str(Path.home()) not in picture
        assert "http" not in re.sub(r'xmlns="[^"]*"|<!--.*?-->', "", picture), "it would load something"
