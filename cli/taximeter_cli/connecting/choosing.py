"""What is set for a tool, of all that could be: for this collector, with or without a token and content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from taximeter_cli.connecting.places import Place
from taximeter_cli.connecting.tool import Path, Tool
from taximeter_cli.connecting.writing import ABSENT, value_at

__all__ = ["Chosen", "chosen", "nested"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Settings of the tool's file, and variables of its environment."""

    settings: Mapping[Path, Any]
    environment: Mapping[str, str]

    @property
    def variables(self) -> Mapping[str, str]:
        """All that can as well be variables."""
        within = {path[1]: value for path, value in self.settings.items() if path[0] == "env"}
        return {**within, **self.environment}

    def unset(self, found: Mapping[str, Any]) -> list[Path]:
        """Which settings a file does not have as they should be."""
        return [path for path, value in self.settings.items() if (at := value_at(found, path)) is ABSENT or at != value]


def chosen(tool: Tool, place: Place, *, token: bool = False, content: bool = False) -> Chosen:
    """What is to be set."""
    parts = [tool.set, *([tool.token] if token else []), *([tool.content] if content else [])]
    settings = {path: place.filled(value) for part in parts for path, value in part.settings.items()}
    environment = {name: place.filled(value) for part in parts for name, value in part.environment.items()}
    return Chosen(settings, environment)


def nested(settings: Mapping[Path, Any]) -> dict[str, Any]:
    """As the file has them.

    >>> nested({("a", "b"): 1, ("a", "c"): 2})
    {'a': {'b': 1, 'c': 2}}
    """
    found: dict[str, Any] = {}
    for path, value in settings.items():
        within = found
        for key in path[:-1]:
            within = within.setdefault(key, {})
        within[path[-1]] = value
    return found
