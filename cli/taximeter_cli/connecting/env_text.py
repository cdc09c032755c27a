"""Files of variables, a line each: `.env`, or what a shell reads at its start."""

from __future__ import annotations

import re
import shlex
from typing import Any

from taximeter_cli.connecting.tool import Path
from taximeter_cli.connecting.unfit import Unfit

__all__ = ["changed", "read", "removed"]

_LINE = re.compile(r"^[ \t]*(export[ \t]+)?([A-Za-z_]\w*)=(.*?)(\r?\n|\Z)", re.MULTILINE)


def read(text: str) -> dict[str, Any]:
    """The variables that it sets, by what they are set to."""
    return {found[2]: _unquoted(found[3]) for found in _LINE.finditer(text)}


def changed(text: str, path: Path, value: Any, *, export: bool = False) -> str:
    """The text with that variable: where it was set last, or else at the end, exported if a shell reads the file."""
    (name,), lines = path, list(_LINE.finditer(text))
    if any(character in str(value) for character in "\r\n"):
        raise Unfit(f"{name} would take more than a line")
    same = [found for found in lines if found[2] == name]
    if same and _unquoted(same[-1][3]) == value:
        return text
    exported = same[-1][1] if same else "export " if export else ""
    line = f"{exported or ''}{name}={shlex.quote(str(value))}"
    if same:
        return text[: same[-1].start()] + line + same[-1][4] + text[same[-1].end() :]
    newline = "\r\n" if "\r\n" in text else "\n"
    return text + ("" if not text or text.endswith("\n") else newline) + line + newline


def removed(text: str, path: Path) -> str:
    """The text without that variable."""
    return _LINE.sub(lambda found: "" if found[2] == path[0] else found[0], text)


def _unquoted(text: str) -> str:
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        return text
    return words[0] if words else ""
