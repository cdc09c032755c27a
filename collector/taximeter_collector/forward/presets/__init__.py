"""Backends by name: a file each, with what a user would have to look up."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["Preset", "preset", "presets"]


@dataclass(frozen=True, slots=True)
class Preset:
    """`settings` are those of `[forward.NAME]` that hold where a user makes none."""

    name: str
    title: str
    key: str
    """What the backend calls the key, and where it is found; empty if it asks for none."""
    why: tuple[str, ...]
    """The reason for each setting that needs one."""
    sources: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)


@cache
def presets() -> tuple[str, ...]:
    """The names of all."""
    found = (entry.name for entry in files(__name__).iterdir() if entry.name.endswith(".toml"))
    return tuple(sorted(name.removesuffix(".toml") for name in found))


@cache
def preset(name: str) -> Preset:
    """One of them. KeyError if there is none of this name."""
    if name not in presets():
        raise KeyError(name)
    document = tomllib.loads((files(__name__) / f"{name}.toml").read_text("utf-8"))
    return Preset(
        name,
        document["title"],
        document.get("key", ""),
        tuple(document.get("why", ())),
        tuple(document["sources"]),
        document["settings"],
    )
