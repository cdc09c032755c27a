"""The wheel, and environments that have it and nothing of the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["LOCK", "Plain", "built", "environment_with"]

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"


class Plain:
    """An environment with the wheel, and what else it was given."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder = folder
        self.wheel = wheel
        self.bin = folder / ("Scripts" if os.name == "nt" else "bin")

    def run(self, *command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=cwd,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def environment(self, **more: str) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "PYTHON", "TAXIMETER"))
        }
        path = os.pathsep.join([str(self.bin), kept["PATH"]])
        return {**kept, "VIRTUAL_ENV": str(self.folder), "PATH": path, **more}


def built(folder: Path) -> Path:
    """The wheel, of the tree as it is."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def environment_with(folder: Path, wheel: Path, *packages: str, extra: str = "") -> Plain:
    """A new environment with the wheel and some packages; by uv, if it is beside this Python, which is quicker."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    made = Plain(folder, wheel)
    python = str(made.bin / "python")
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    install = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    subprocess.run([*install, "--quiet", "--constraint", str(LOCK), f"{wheel}{extra}", *packages], check=True)
    return made
