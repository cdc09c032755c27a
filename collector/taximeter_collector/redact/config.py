"""What a user sets about redaction."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import Any

from taximeter_collector.settings import Kind, names, setting

__all__ = ["RedactConfig"]

_TWO = re.compile(r",\s*re:|^[a-z0-9-]+\s*,.*re:")  # names and an expression in one
_NAMES = re.compile(r"\s*[a-z0-9-]+(\s*,\s*[a-z0-9-]+)*\s*")


def _read_patterns(value: Any) -> tuple[str, ...]:
    """A list; or text, in which a line is a pattern, for commas are part of many, or several names."""
    items = _of_text(value) if isinstance(value, str) else value
    if isinstance(items, list) and any(_TWO.search(item) for item in items if isinstance(item, str)):
        raise ValueError("one pattern a line as soon as one of them is an expression: commas are part of many")
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ValueError("a list of patterns: names such as 'email', or regular expressions such as 're:[0-9]{6}'")
    return tuple(item for item in items if item.strip())


def _of_text(text: str) -> Any:
    if text.strip().startswith('["'):  # as TOML has a list
        try:
            return tomllib.loads(f"list = {text}")["list"]
        except tomllib.TOMLDecodeError:
            raise ValueError('a list of patterns: a,b or ["email", "re:[0-9]{6}"]') from None
    items: list[str] = []
    for line in text.splitlines():
        items += [name.strip() for name in line.split(",")] if _NAMES.fullmatch(line) else [line]
    return items


patterns = Kind("list", _read_patterns, list)


@dataclass(frozen=True, slots=True)
class RedactConfig:
    """`[redact]`: what is taken out of records before they land, see docs/privacy.md."""

    patterns: tuple[str, ...] = setting(
        patterns, [], "What becomes `[redacted]` in every text: built-in names, and `re:` before regular expressions."
    )
    keys: tuple[str, ...] = setting(
        names, [], "Attributes whose value becomes `[redacted]`; `*` stands for anything. Keys inside JSON, too."
    )
    drop: tuple[str, ...] = setting(names, [], "Attributes that are left out, likewise.")
