"""The real command over a lake: in this process, or in one of its own."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from taximeter_cli.main import main

from tests.e2e.collector import clean_environment, command_path

__all__ = ["Told", "environment", "process", "run"]


@dataclass(frozen=True)
class Told:
    """What a command has said."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """What JSON has; numbers that are not whole are exact."""
        return list(json.loads(self.out, parse_float=Decimal))


def run(*arguments: str) -> Told:
    """A command in this process."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(arguments)
    out.flush()
    return Told(code, out.buffer.getvalue(), err.getvalue())  # type: ignore[attr-defined]


def environment(home: Path, **more: str) -> dict[str, str]:
    """Nothing is found by chance, and no terminal has a width."""
    return {**clean_environment(home), "TAXIMETER_TIMEZONE": "UTC", **more}


def process(home: Path, *arguments: str, env: Mapping[str, str] | None = None, **more: Any) -> subprocess.Popen[bytes]:
    """A command as a process that is under way."""
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    return subprocess.Popen([command_path(), *arguments], cwd=home, env=dict(env or environment(home)), **given)
