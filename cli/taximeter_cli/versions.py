"""What is installed here, in the words of a bug report. Works on a base install, which has only what an app needs."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path

from taximeter_cli.main import has_commands

__all__ = ["PACKAGE", "commands_on_path", "installs", "lines", "parts", "shortened"]

PACKAGE = "taximeter"
# What comes with what we name, and what decides about most bugs.
_ALSO = {
    "meter": ("opentelemetry-instrumentation", "opentelemetry-semantic-conventions"),
    "collector": ("deltalake", "duckdb", "ptars"),
}
_WIDTH = 96
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def parts() -> dict[str, dict[str, str | None]]:
    """What Taximeter is built on, for the meter and for the collector: each with its version, None if it is not there.

    The lists are those of the package itself.
    """
    found = {part: {name: _version_of(name) for name in names} for part, names in _ALSO.items()}
    for requirement in _requirements():
        condition = requirement.partition(";")[2]
        name = _NAME.match(requirement)
        if name and _holds(condition):
            found["collector" if "extra" in condition else "meter"][name[0]] = _version_of(name[0])
    return {part: dict(sorted(versions.items())) for part, versions in found.items()}


def installs() -> list[Path]:
    """Where Taximeter is, on Python's path: more than one place is one too many."""
    metadata = [one.locate_file("") for one in distributions(name=PACKAGE)]
    return list(dict.fromkeys(Path(str(place)).resolve() for place in metadata))


def commands_on_path(path: str) -> list[Path]:
    """All commands named `taximeter` that a shell could find, the one that it takes first."""
    names = [f"{PACKAGE}.exe", f"{PACKAGE}.cmd"] if sys.platform == "win32" else [PACKAGE]
    files = [Path(folder) / name for folder in path.split(os.pathsep) if folder for name in names]
    return list({file.resolve(): file for file in reversed(files) if os.access(file, os.X_OK)}.values())[::-1]


def lines() -> Iterator[str]:
    """What stands below the first line of `taximeter --version`."""
    from taximeter import __file__ as here

    kind = "meter and commands" if has_commands() else "meter only; the commands come with taximeter[collector]"
    yield f"python     {platform.python_implementation()} {platform.python_version()}, {shortened(sys.executable)}"
    yield f"platform   {platform.platform()}"
    yield f"install    {kind}; {shortened(str(Path(here).parent))}"
    for part, versions in parts().items():
        told = [f"{name} {version}" for name, version in versions.items() if version]
        yield from _wrapped(part, told or ["none of it is installed"])


def shortened(path: str) -> str:
    """A path that does not tell whose it is.

    >>> shortened(str(Path.home() / "app"))
    '~/app'
    """
    home = str(Path.home())
    return f"~{path[len(home) :]}".replace("\\", "/") if path == home or path.startswith(home + os.sep) else path


def _requirements() -> list[str]:
    try:
        return distribution(PACKAGE).requires or []
    except PackageNotFoundError:  # run from a checkout that is not installed
        return []


def _holds(condition: str) -> bool:
    """Whether a requirement is one of this Python. The package has conditions of one form."""
    below = re.search(r"python_version < ['\"](\d+)\.(\d+)['\"]", condition)
    return not below or sys.version_info[:2] < (int(below[1]), int(below[2]))


def _version_of(name: str) -> str | None:
    try:
        found: Distribution = distribution(name)
    except PackageNotFoundError:
        return None
    return found.version


def _wrapped(title: str, told: list[str]) -> Iterator[str]:
    line = f"{title:<10} {told[0]}"
    for one in told[1:]:
        if len(line) + len(one) + 2 > _WIDTH:
            yield f"{line},"
            line = f"{'':<10} {one}"
        else:
            line += f", {one}"
    yield line
