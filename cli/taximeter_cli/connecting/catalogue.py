"""All tools that can be connected, each by its name."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from taximeter_cli.connecting import tools
from taximeter_cli.connecting.tool import AGENT, APP, COLLECTOR, Tool
from taximeter_cli.options import Mistake

__all__ = ["named", "names", "tools_of"]

GROUPS = (AGENT, APP, COLLECTOR)


@cache
def names() -> tuple[str, ...]:
    """What they are called: as their modules, with hyphens."""
    return tuple(sorted(module.name.replace("_", "-") for module in iter_modules(tools.__path__)))


def named(name: str) -> Tool:
    """The tool of that name. Mistake, with those that come near, if there is none."""
    known = name.lower().replace("_", "-")
    if known not in names():
        near = get_close_matches(known, names(), n=3, cutoff=0.5)
        meant = f"; did you mean {' or '.join(near)}?" if near else ";"
        raise Mistake(
            f"taximeter: connect {name}: not known{meant} `taximeter connect` lists what is; anything else that speaks "
            "OpenTelemetry is connected as `otlp`"
        )
    found = import_module(f"{tools.__name__}.{known.replace('-', '_')}").TOOL
    assert isinstance(found, Tool)
    return found


def tools_of(group: str) -> list[Tool]:
    """Those of one group, by their names."""
    return [tool for tool in map(named, names()) if tool.group == group]
