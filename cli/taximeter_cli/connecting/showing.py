"""What is told of a tool: for people, and for a program."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as File
from typing import Any

from taximeter_cli.connecting.catalogue import GROUPS, tools_of
from taximeter_cli.connecting.choosing import Chosen, nested
from taximeter_cli.connecting.places import Place
from taximeter_cli.connecting.tool import Snippet, Tool
from taximeter_cli.connecting.writing import FORMATS

__all__ = ["as_json", "exports", "listing", "short", "shown"]

_TITLE = 10
_MOST_COLUMNS = 110


def listing() -> str:
    """All tools, in their groups."""
    lines = []
    for group in GROUPS:
        lines += [f"{group}:"]
        lines += [f"  {tool.name:24} {tool.title:34} {_how(tool)}" for tool in tools_of(group)]
        lines += [""]
    return "\n".join(
        [*lines, "`taximeter connect NAME` tells what to set, --write sets it, --check says what has arrived."]
    )


def _how(tool: Tool) -> str:
    ways = ["file"] if tool.file else []
    ways += ["variables"] if tool.set.environment else []
    return ", ".join([*ways, *(["code"] if tool.snippets else [])])


def shown(tool: Tool, place: Place, what: Chosen, file: File | None, *, token: bool) -> str:
    """All that somebody needs who does it by hand."""
    lines = [tool.title, ""]
    if file and tool.file and what.settings:
        lines += [f"{short(file)}:", "", _indented(written(tool.file.format, what)), ""]
    if what.environment:
        lines += ["In its environment:", "", _indented(exports(what.environment)), ""]
    for snippet in tool.snippets:
        lines += [f"{snippet.title}:", "", _indented(text_of(snippet, place, token=token)), ""]
    lines += _told("arrives", [tool.arrives])
    lines += _told("privacy", [tool.privacy])
    lines += _told("mind", tool.mind)
    lines += _told("collector", [_collector(place)])
    return "\n".join([*lines, "", *_next(tool, file)])


def written(form: str, what: Chosen) -> str:
    """The settings as the file would have them if there were nothing else in it."""
    if form == "json":
        return json.dumps(nested(what.settings), indent=2)
    text = ""
    for path, value in what.settings.items():
        text = FORMATS[form].changed(text, path, value)
    return text.rstrip("\n")


def exports(variables: Mapping[str, str]) -> str:
    """Lines for a shell; what they name by `$` is its own."""
    return "\n".join(f"export {name}={_quoted(value)}" for name, value in variables.items())


def _quoted(value: str) -> str:
    """So that a shell takes it as it is, but for a variable that has the token."""
    of_token = re.fullmatch(r"([\w=./: -]*\$[A-Za-z_]\w*)", value)
    return f'"{value}"' if of_token else shlex.quote(value)


def text_of(snippet: Snippet, place: Place, *, token: bool) -> str:
    """A snippet with the collector in it."""
    return str(place.filled(snippet.token_text if token and snippet.token_text else snippet.text)).rstrip("\n")


def short(file: File) -> str:
    """A path as people write it.

    >>> short(File.home() / ".codex" / "config.toml").replace(os.sep, "/")
    '~/.codex/config.toml'
    """
    try:
        return str(File("~") / file.relative_to(File.home()))
    except ValueError:
        return str(file)


def _collector(place: Place) -> str:
    said = f"{place.http} ({place.whence})"
    if place.wants_token and not place.token:
        said += "; it asks for a token: --token-env NAME"
    return said if place.runs or place.whence == "--endpoint" else f"{said}; it does not run now: `taximeter collect`"


def _next(tool: Tool, file: File | None) -> Iterator[str]:
    begin = f"taximeter connect {tool.name}"
    if file:
        yield f"{begin} --write    merges this into {short(file)}, and keeps what was there"
    elif tool.set.environment:
        yield f'eval "$({begin} --env)"    sets the variables in this shell; --write --file .env puts them into a file'
    yield f"{begin} --check    says what has arrived"


def _told(title: str, sentences: Sequence[str]) -> list[str]:
    width = min(shutil.get_terminal_size().columns, _MOST_COLUMNS)
    lines = []
    for place, sentence in enumerate(sentences):
        begin = (title if not place else "").ljust(_TITLE) + ("- " if len(sentences) > 1 else "")
        lines += textwrap.wrap(
            sentence,
            max(width, 40),
            initial_indent=begin,
            subsequent_indent=" " * (_TITLE + 2 * (len(sentences) > 1)),
            break_long_words=False,
            break_on_hyphens=False,
        )
    return lines


def _indented(text: str) -> str:
    return textwrap.indent(text, "  ")


def as_json(tool: Tool, place: Place, what: Chosen, file: File | None, *, token: bool) -> dict[str, Any]:
    """The same for a program."""
    return {
        "tool": tool.name,
        "title": tool.title,
        "endpoint": place.http,
        "endpoint_from": place.whence,
        "collector_runs": place.runs,
        "file": str(file) if file else None,
        "format": tool.file.format if tool.file else None,
        "settings": nested(what.settings),
        "environment": dict(what.environment),
        "snippets": [
            {"title": one.title, "language": one.language, "text": text_of(one, place, token=token)}
            for one in tool.snippets
        ],
        "arrives": tool.arrives,
        "privacy": tool.privacy,
        "mind": list(tool.mind),
        "overridden_by": {name: os.environ[name] for name in tool.overridden_by if name in os.environ},
    }
