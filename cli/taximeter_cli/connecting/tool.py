"""What is known of a tool that can be connected: data, a module each in `tools/`, found because it is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["AGENT", "APP", "COLLECTOR", "Part", "Path", "SettingsFile", "Snippet", "Tool"]

AGENT = "Coding agents"
APP = "Apps, SDKs and frameworks"
COLLECTOR = "Gateways and collectors"

Path = tuple[str, ...]
"""Where in a file a setting is: the keys that lead to it."""


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """The user's own file of a tool. `~`, `$APPDATA` and `$XDG_CONFIG_HOME` are known in folders."""

    format: str
    """`json`, also with comments; `toml`; `env`, a line for each variable."""
    name: str
    folder: str
    by_platform: Mapping[str, str] = field(default_factory=dict)
    """Other folders, by `sys.platform`."""
    variable: str = ""
    """The variable that names another folder."""
    below: str = ""
    """What is below the folder that the variable names."""


@dataclass(frozen=True, slots=True)
class Part:
    """Settings of the tool's file, and variables of its environment.

    In texts, `{http}` is the collector, `{traces}`, `{metrics}` and `{logs}` are its addresses for one signal each, and
    `{token}` is what it asks for.
    """

    settings: Mapping[Path, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of a program or of a file that only its owner can put where it belongs."""

    title: str
    language: str
    text: str
    token_text: str = ""
    """The same for a collector that asks for a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool: what is set, what arrives, and what to mind."""

    name: str
    title: str
    group: str
    set: Part
    """What switches telemetry on, and leads it here; nothing that people wrote is sent."""
    token: Part = Part()
    """Besides, where the collector asks for a token."""
    content: Part = Part()
    """Besides, to have prompts and answers sent."""
    file: SettingsFile | None = None
    snippets: tuple[Snippet, ...] = ()
    arrives: str
    """Which signals, and what of them is a call."""
    privacy: str
    """Whether prompts and answers are sent, and what says so."""
    mind: tuple[str, ...] = ()
    """Traps."""
    overridden_by: tuple[str, ...] = ()
    """Variables that win over the file."""
    evidence: str
    """A condition, in SQL, on records that come from it."""
