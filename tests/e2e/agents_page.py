"""docs/agents.md with what commands really say: `python -m tests.e2e.agents_page` writes it anew.

The page's own text stays. What is made anew: what follows each `$ taximeter ...` in a block of the console. They are
run in this order, in a home of their own, beside a collector that has been sent what these agents have been recorded to
send.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from taximeter_collector.journal.segments import Folder
from taximeter_collector.land.process import READER

from tests.e2e.agents import recorded
from tests.e2e.collector import Collector, clean_environment, collecting, command_path, until
from tests.e2e.sending import HttpSender

__all__ = ["PAGE", "SHOWN", "has_landed", "sent", "written"]

PAGE = Path(__file__).parents[2] / "docs" / "agents.md"
SHOWN = (
    "claude_code/claude-code-2.1.197-turn",
    "claude_code/claude-code-2.1.197-edits",
    "codex/codex-0.169.0-turn",
    "gemini_cli/gemini-cli-0.61.0-turn",
    "copilot/copilot-1.0.102-turn",
)
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_STAMP = re.compile(r"\.\d{8}-\d{6}\.bak")


def written(text: str) -> str:
    """The page with everything in it made anew."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder).resolve()
        (home / ".claude").mkdir()
        (home / ".claude" / "settings.json").write_text('{\n  "theme": "dark"\n}\n')
        with collecting(home / "data", "--set", "land.commit_interval=200ms", lands=True) as collector:
            sent(collector, SHOWN)
            return _BLOCK.sub(lambda found: f"```console\n{_rerun(found[1], collector)}```", text)


def sent(collector: Collector, entries: tuple[str, ...]) -> None:
    """Send what is recorded, at the time at which it was recorded, and wait until it has landed."""
    with HttpSender(collector.http) as sender:
        for entry in entries:
            for signal, payload in recorded(entry):
                assert sender.send(payload, signal).acknowledged
    until(lambda: has_landed(collector), f"it does not land: {collector.said()}", patience_s=60)


def has_landed(collector: Collector) -> bool:
    """Whether all that was acknowledged is in the lake."""
    journal = Folder(collector.journal)
    head, cursor = journal.head(), journal.cursor(READER)
    return bool(head and cursor and cursor.next >= head.next)


def _rerun(block: str, collector: Collector) -> str:
    commands = re.findall(r"^\$ (taximeter (?:.*\\\n)*.*)\n", block, re.MULTILINE)
    return "".join(f"$ {command}\n{_said(command, collector)}" for command in commands)


def _said(command: str, collector: Collector) -> str:
    """What a command says; the folders and the port are those of any user."""
    home = collector.data.parent
    environment = {
        **clean_environment(home),
        "TAXIMETER_DATA": str(collector.data),
        "PATH": os.pathsep.join([str(Path(command_path()).parent), os.environ["PATH"]]),
        "TZ": "UTC",
        "COLUMNS": "110",
    }
    done = subprocess.run(
        ["sh", "-c", command], cwd=home, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    said = done.stdout + done.stderr
    said = said.replace(collector.http, "http://127.0.0.1:4318").replace(str(home), "/home/me")
    return re.sub(r"[ \t]+$", "", _STAMP.sub(".20261121-120000.bak", said), flags=re.MULTILINE)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
