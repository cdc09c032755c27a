"""How reports end, and what they leave behind: pipes that close, Ctrl-C, tables that are watched, terminals."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path
from typing import Any

import pytest

from tests.cli.reporting import environment, process

ENDLESS = "SELECT count(*) FROM range(100000000000000)"
PATIENCE_S = 90.0


class Terminal:
    """A terminal of 100 columns and 20 lines, with what was written to it."""

    def __init__(self) -> None:
        self._own, self.child = pty.openpty()
        ioctl(self.child, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 100, 0, 0))
        os.set_blocking(self._own, False)
        self.said = b""

    def read(self) -> bytes:
        """All that was written until now."""
        try:
            while some := os.read(self._own, 65536):
                self.said += some
        except OSError:
            pass
        return self.said

    def close(self) -> None:
        os.close(self._own)
        os.close(self.child)


@pytest.fixture
def terminal() -> Any:
    opened = Terminal()
    yield opened
    opened.close()


def until(holds: Callable[[], object]) -> None:
    """Wait until something is so."""
    ends = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.02)


def test_ctrl_c_ends_a_query_without_a_word_and_without_half_a_file(
    shop: Path, tmp_path: Path, terminal: Terminal
) -> None:
    (tmp_path / "x.json").write_text("before")
    with process(tmp_path, "sql", ENDLESS, "--lake", str(shop), "--output", "x.json", stderr=terminal.child) as asked:
        until(lambda: "reading" in terminal.read().decode() or "%" in terminal.read().decode())
        asked.send_signal(signal.SIGINT)
        assert asked.wait(PATIENCE_S) == 130
    said = terminal.read().decode()
    assert "Traceback" not in said
    assert said.endswith("\r\x1b[2K"), "the progress is gone"
    assert {path.name: path.read_text() for path in tmp_path.iterdir() if path.is_file()} == {"x.json": "before"}


def test_no_progress_is_told_to_what_is_no_terminal(shop: Path, tmp_path: Path) -> None:
    with process(tmp_path, "sql", ENDLESS, "--lake", str(shop), "--timeout", "1.5") as asked:
        out, err = asked.communicate(timeout=PATIENCE_S)
    assert (asked.returncode, out) == (1, b"")
    assert err == b"taximeter: the query took longer than 1.5 s and was ended\n"


def test_a_reader_that_goes_ends_it_quietly(shop: Path, tmp_path: Path) -> None:
    query = "SELECT repeat('x', 1000) AS x FROM range(100000)"
    with process(tmp_path, "sql", query, "--lake", str(shop), "--format", "csv") as asked:
        assert asked.stdout and asked.stderr
        assert asked.stdout.readline() == b"x\r\n"
        asked.stdout.close()
        assert asked.wait(PATIENCE_S) == 141
        assert asked.stderr.read() == b""


def test_what_is_watched_is_drawn_over_what_was_there_until_ctrl_c(
    shop: Path, tmp_path: Path, terminal: Terminal
) -> None:
    env = {**environment(tmp_path), "TERM": "xterm-256color"}
    env.pop("COLUMNS", None)
    with process(tmp_path, "cost", "--lake", str(shop), "--watch", "0.2", stdout=terminal.child, env=env) as asked:
        until(lambda: terminal.read().count(b"\x1b[H") >= 3)
        asked.send_signal(signal.SIGINT)
        assert asked.wait(PATIENCE_S) == 0
        assert asked.stderr and asked.stderr.read() == b""
    last = terminal.read().decode().split("\x1b[H")[-1]
    lines = [re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line).rstrip() for line in last.split("\r\n")]
    assert any(line.startswith("claude-opus-4-8") for line in lines)
    assert max(map(len, lines)) <= 100


def test_what_is_watched_into_a_file_is_whole_whenever_somebody_looks(shop: Path, tmp_path: Path) -> None:
    file = tmp_path / "cost.json"
    with process(tmp_path, "cost", "--lake", str(shop), "--watch", "0.1", "--output", "cost.json") as asked:
        until(file.exists)
        first = file.stat().st_ino
        until(lambda: len(json.loads(file.read_text())) == 5 and file.stat().st_ino != first)
        asked.send_signal(signal.SIGINT)
        assert asked.wait(PATIENCE_S) == 0
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["cost.json"]


def test_a_check_ends_what_is_watched(shop: Path, tmp_path: Path) -> None:
    with process(tmp_path, "cost", "--lake", str(shop), "--watch", "0.1", "--fail-over", "1") as asked:
        assert asked.wait(PATIENCE_S) == 3


def test_a_terminal_gets_what_fits_into_it(shop: Path, tmp_path: Path, terminal: Terminal) -> None:
    env = {**environment(tmp_path), "TERM": "xterm-256color"}
    with process(tmp_path, "cost", "--lake", str(shop), stdout=terminal.child, env=env) as asked:
        until(lambda: terminal.read() is not None and asked.poll() is not None)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", terminal.read().decode()).split("\r\n")
    assert max(len(line) for line in lines) <= 100
    assert "\x1b[" in terminal.read().decode()


def test_parquet_is_kept_from_a_terminal(shop: Path, tmp_path: Path, terminal: Terminal) -> None:
    with process(tmp_path, "cost", "--lake", str(shop), "--format", "parquet", stdout=terminal.child) as asked:
        assert asked.stderr
        assert asked.wait(PATIENCE_S) == 2
        assert asked.stderr.read() == b"taximeter: --format parquet is nothing for a terminal; add --output FILE\n"


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("taximeter lat", {"latency"}),
        ("taximeter cost --by service_", {"service_name", "service_version", "service_tier"}),
        ("taximeter cost --by model,wee", {"model,week"}),
        ("taximeter cost --format js", {"json", "jsonl"}),
        ("taximeter cost --fail-o", {"--fail-over"}),
        ("taximeter cost --sort cache_read", {"cache_read_tokens", "cache_read_cost_usd"}),
        ("taximeter cost --where wor", {"workflow_name=", "workflow="}),
        ("taximeter cost --timezone Europe/Zur", {"Europe/Zurich"}),
        ("taximeter schema dim", {"dimensions"}),
    ],
)
def test_a_shell_completes_what_reports_know(tmp_path: Path, typed: str, completed: set[str]) -> None:
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1), "_TAXIMETER_COMPLETE": "complete_bash"}
    with process(tmp_path, env=environment(tmp_path, **words)) as asked:
        out, _ = asked.communicate(timeout=PATIENCE_S)
    assert set(out.decode().split()) == completed


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (
            ("--help",),
            {"rich", "duckdb", "deltalake", "pyarrow", "taximeter_queries", "taximeter_collector", "asyncio"},
        ),
        (("cost", "--help"), {"rich", "duckdb", "deltalake", "pyarrow", "taximeter_collector"}),
        (("schema",), {"duckdb", "deltalake", "pyarrow", "taximeter_collector"}),
        (("cost", "--format", "json", "--lake", "LAKE"), {"rich", "pyarrow", "pandas", "taximeter_collector"}),
        (("cost", "--by", "day,model", "--limit", "5", "--format", "csv", "--lake", "LAKE"), {"pydantic", "rich"}),
        (("cost", "--lake", "LAKE"), {"pyarrow", "numpy", "pandas", "matplotlib", "taximeter_collector"}),
    ],
)
def test_only_what_is_needed_is_imported(
    shop: Path, tmp_path: Path, arguments: tuple[str, ...], heavy: set[str]
) -> None:
    code = (
        "import sys; from taximeter_cli.main import main; assert main(sys.argv[1:]) == 0; "
        f"print(sorted({heavy!r} & set(sys.modules)), file=sys.stderr)"
    )
    given = [str(shop) if one == "LAKE" else one for one in arguments]
    done = subprocess.run(
        [sys.executable, "-c", code, *given], cwd=tmp_path, env=environment(tmp_path), capture_output=True, check=False
    )
    assert done.stderr == b"[]\n"
