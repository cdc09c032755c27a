"""Every `taximeter` command line in the documentation is one that the command takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from taximeter_cli.commands import app
from typer.testing import CliRunner

ROOT = Path(__file__).parents[2]
GROUPS = ("config", "forward", "journal", "lake", "prices")
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]


def lines() -> list[str]:
    """What stands behind a prompt, joined where it goes on."""
    found: dict[str, None] = {}
    for page in PAGES:
        for block in re.findall(r"```console\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("$ ") and "taximeter " in line:
                    found[line.removeprefix("$ ")] = None
    return list(found)


def words(line: str) -> list[str]:
    """The arguments of the last `taximeter` in a shell's line, without comments and what they are piped to."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&<>")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    told = list(lexer)
    places = [place + 1 for place, word in enumerate(told) if word == "taximeter"]
    rest = told[places[-1] :] if places and not line.startswith(("docker build", "docker run", "helm")) else []
    ends = [place for place, word in enumerate(rest) if re.fullmatch(r"[|;&<>]+", word)]
    return rest[: ends[0]] if ends else rest


@pytest.mark.parametrize("line", [line for line in lines() if words(line)])
def test_a_documented_command_line_is_understood(line: str) -> None:
    """Its command is there, with its options. It is not run: `--help` ends it when all words are parsed."""
    told = words(line)
    own = told.index("--") if "--" in told else len(told)
    path = 0 if told[0].startswith("-") else 2 if told[0] in GROUPS else 1
    ended = CliRunner().invoke(app, [*told[:path], "--help", *told[path:own]])
    assert ended.exit_code == 0, ended.output


def test_there_are_command_lines_in_the_documentation() -> None:
    assert len([line for line in lines() if words(line)]) > 80
