"""Every command line in the documentation is one that its program takes, those that are not run here among them."""

from __future__ import annotations

import argparse
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from taximeter_cli.commands import app
from typer.testing import CliRunner

from tests.docs.elsewhere import INSTEAD, NOT_HERE, OF_THE_MOMENT, ONCE, TOOLS, UNTIL_CTRL_C, WITH_COLLECTOR
from tests.docs.pages import PAGES, ROOT, blocks, commands, mentioned
from tests.docs.test_pages import FILES

GROUPS = ("config", "forward", "journal", "lake", "prices")
ALL = [
    command
    for page in PAGES
    for block in blocks(page)
    if block.language in ("console", "sh")
    for command in commands(block)
]
LINES = list(dict.fromkeys(command.text.replace("\\\n", " ") for command in ALL))
WITHIN_SENTENCES = sorted({line for page in PAGES for line in mentioned(page)})
TARGETS = sorted({word for line in (*LINES, *WITHIN_SENTENCES) for word in re.findall(r"(?:^|`)make ([a-z-]+)", line)})
SCRIPTS = [line for line in WITHIN_SENTENCES if re.match(r"python (-m )?(bench|tests)[/.]", line)]


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


OURS = [
    line
    for line in dict.fromkeys((*LINES, *WITHIN_SENTENCES))
    if words(line) and not line.startswith(("make", "python bench", "systemctl"))
]


@pytest.mark.parametrize("line", OURS)
def test_a_documented_command_line_is_understood(line: str) -> None:
    """Its command is there, with its options. It is not run: `--help` ends it when all words are parsed."""
    told = words(line)
    own = told.index("--") if "--" in told else len(told)
    path = 0 if told[0].startswith("-") else 2 if told[0] in GROUPS and told[1:] else 1
    ended = CliRunner().invoke(app, [*told[:path], "--help", *told[path:own]])
    assert ended.exit_code == 0, ended.output


def test_there_are_command_lines_in_the_documentation() -> None:
    assert len(OURS) > 120
    assert len(SCRIPTS) > 20
    assert {"demo", "test", "bench", "survive", "interop", "deploy-check"} <= set(TARGETS)


def test_a_shell_can_read_every_line() -> None:
    """Those that are run here are read anyway."""
    done = subprocess.run(["bash", "-n"], input="\n".join(LINES), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "beginning", [*NOT_HERE, *INSTEAD, *TOOLS, *UNTIL_CTRL_C, *WITH_COLLECTOR, *OF_THE_MOMENT, *ONCE]
)
def test_what_is_said_of_a_command_is_said_of_one_that_is_on_a_page(beginning: str) -> None:
    """So that the lists in `elsewhere.py` do not outlive what they are about."""
    assert any(beginning in line for line in (*LINES, *FILES.values()))


def test_every_target_of_make_exists() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "--directory", ROOT, *TARGETS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("line", SCRIPTS)
def test_what_makes_figures_or_pages_is_in_the_tree(line: str) -> None:
    """A script that has no options knows the words that it is given."""
    text = _source(line).read_text("utf-8")
    if "argparse" not in text:
        given = re.findall(r" ([a-z]+)(?= |$)", line)
        assert [word for word in given if f'"{word}"' not in text] == []


def test_what_makes_figures_has_the_options_that_it_is_shown_with() -> None:
    """Each would run for minutes: it ends when its arguments are parsed. One process imports for all of them."""
    lines = [line for line in SCRIPTS if "argparse" in _source(line).read_text("utf-8")]
    program = "import sys; from tests.docs.test_command_lines import not_parsed; sys.exit(not_parsed(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", program, *lines], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def not_parsed(lines: list[str]) -> int:
    """How many of these scripts do not take their arguments."""
    argparse.ArgumentParser.parse_args = _all_or_nothing  # type: ignore[assignment,method-assign]
    return sum(_ends_with(line) != "parsed" for line in lines)


def _all_or_nothing(parser: argparse.ArgumentParser, *given: Any) -> None:
    unknown = parser.parse_known_args(*given)[1]
    sys.exit(f"it has no {unknown}" if unknown else "parsed")


def _ends_with(line: str) -> object:
    script = _source(line)
    sys.argv = [str(script), *shlex.split(line)[2:]]
    sys.path.insert(0, str(script.parent))
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as ended:
        print(line, ended.code)
        return ended.code
    return "it has run"


def _source(line: str) -> Path:
    place = next(word for word in line.split()[1:] if word != "-m")
    return ROOT / (place if place.endswith(".py") else f"{place.replace('.', '/')}.py")
