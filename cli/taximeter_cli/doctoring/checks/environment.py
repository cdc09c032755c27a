"""Python, the platform, and what is installed in which version."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from taximeter_cli.doctoring.finding import Finding, error, note, ok, warning
from taximeter_cli.doctoring.subject import Subject
from taximeter_cli.main import version
from taximeter_cli.versions import commands_on_path, installs, parts

__all__ = ["TITLE", "check"]

TITLE = "Environment"


def check(subject: Subject) -> Iterator[Finding]:
    """What this Python has."""
    yield ok(f"{version().splitlines()[0]}, {platform.platform()}", python=sys.executable)
    found = parts()
    for part, versions in found.items():
        there = {name: one for name, one in versions.items() if one}
        missing = [name for name, one in versions.items() if not one]
        if missing:
            extra = "" if part == "meter" else "[collector]"
            yield error(
                f"the {part} needs what is not installed: {', '.join(missing)}",
                f"{sys.executable} -m pip install 'taximeter{extra}'",
                missing=missing,
            )
        else:
            yield ok(f"{part}: " + ", ".join(f"{name} {one}" for name, one in there.items()), versions=there)
    yield from _installs()
    yield from _commands(subject.environment.get("PATH", ""))


def _installs() -> Iterator[Finding]:
    places = installs()
    if len(places) > 1:
        yield warning(
            f"Taximeter is installed {len(places)} times for this Python: {', '.join(map(str, places))}; "
            "the first one is used",
            f"{sys.executable} -m pip uninstall taximeter, as often as it takes, and install it again",
        )


def _commands(path: str) -> Iterator[Finding]:
    commands = commands_on_path(path)
    here = Path(sys.executable).parent
    if not commands:
        yield note("no `taximeter` is on PATH", f"use {here / 'taximeter'}, or put its folder on PATH", on_path=[])
    elif commands[0].parent.resolve() != here.resolve() and Path(sys.prefix).resolve() not in (
        commands[0].resolve().parents
    ):
        yield warning(
            f"`taximeter` on PATH is {commands[0]}, and this one is of {sys.prefix}",
            "activate the environment that you mean, or call each by its whole path",
        )
    if len(commands) > 1:
        yield note(f"{len(commands)} commands are on PATH: {', '.join(map(str, commands))}; a shell takes the first")
