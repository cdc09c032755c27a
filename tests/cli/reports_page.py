"""docs/reports.md with what commands really say: `python -m tests.cli.reports_page docs/reports.md` writes it anew.

The page's own text stays. What is made anew: what follows each `$ taximeter ...` in a block of the console, run over
the lake of `example_lake.py`; and what stands between `<!-- options -->` or `<!-- columns of NAME -->`, and
`<!-- end -->`.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from taximeter_cli.commands import COMMANDS
from taximeter_cli.main import main
from taximeter_cli.reporting.model_sheet import COLUMNS as ONE_MODEL
from taximeter_queries import Column, Unit, report

from tests.cli.example_lake import example_lake

__all__ = ["PAGE", "options_of", "report_commands", "written"]

PAGE = Path(__file__).parents[2] / "docs/reports.md"
WIDTH = "110"
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_MADE = re.compile(r"<!-- (options|columns|own) (?:of )?(\w+) -->\n.*?<!-- end -->", re.DOTALL)
_IN_JSON = {
    Unit.TEXT: "string",
    Unit.COUNT: "integer",
    Unit.TOKENS: "integer",
    Unit.USD: "number, exact",
    Unit.MS: "number",
    Unit.PER_SECOND: "number",
    Unit.SHARE: "number, 0 to 1",
    Unit.TIME: "string, a time with its offset",
    Unit.DAY: "string, a date",
    Unit.FLAG: "true or false",
    Unit.VALUE: "number",
    Unit.NESTED: "array or object",
}


def written(text: str) -> str:
    """The page with everything in it made anew."""
    with tempfile.TemporaryDirectory() as folder, _in(Path(folder)):
        example_lake(Path("lake"))
        text = _BLOCK.sub(lambda found: f"```console\n{_rerun(found[1])}```", text)
    return _MADE.sub(lambda found: f"<!-- {found[1]} of {found[2]} -->\n{_made(found[1], found[2])}<!-- end -->", text)


def report_commands() -> dict[str, Any]:
    """The commands that are reports, by name."""
    return {later.name: later.load() for later in COMMANDS if later.place.startswith("reporting.")}


def options_of(command: Any) -> dict[str, tuple[str, str]]:
    """Options and arguments as they are written, with section and sentence of each."""
    found = {}
    for parameter in command.params:
        if parameter.name == "help":
            continue
        shown = ", ".join(parameter.opts) if parameter.param_type_name == "option" else ""
        value = "" if getattr(parameter, "is_flag", False) else parameter.metavar or _values(parameter)
        section = getattr(parameter, "rich_help_panel", None) or ""
        found[f"{shown} {value}".strip()] = (section, parameter.help or "")
    return found


def _values(parameter: Any) -> str:
    """What an option takes, if its help does not say it by itself."""
    if parameter.name == "form":
        return "table|json|jsonl|csv|markdown|parquet"
    return parameter.name.upper()


def _made(kind: str, name: str) -> str:
    if kind == "columns":
        return _columns(name)
    command = report_commands()[name]
    common = set(options_of(report_commands()["tokens"]))
    rows = [
        f"| `{option}` | {sentence} |\n"
        for option, (_, sentence) in options_of(command).items()
        if kind == "options" or option not in common
    ]
    return "".join(["| | |\n|---|---|\n", *rows])


def _columns(name: str) -> str:
    rows = [_row(column) for column in (ONE_MODEL if name == "model" else report(name).columns)]
    return "".join(["| key | value | |\n|---|---|---|\n", *rows])


def _row(column: Column) -> str:
    return f"| `{column.name}` | {_IN_JSON[column.unit]} | {column.sentence.replace('|', chr(92) + '|')} |\n"


def _rerun(block: str) -> str:
    """A block with what its commands say now."""
    told, code = [], 0
    for line in block.splitlines():
        if not line.startswith("$ "):
            continue
        told.append(f"{line}\n")
        command = line.removeprefix("$ ").partition("    #")[0]
        if command == "echo $?":
            told.append(f"{code}\n")
        elif command.startswith("taximeter ") and not re.search(r" [|>] ", command):
            code, said = run(*shlex.split(command)[1:])
            told.append(said)
        elif command.startswith("cat "):
            told.append(Path(command.removeprefix("cat ")).read_text("utf-8"))
    return "".join(told)


def run(*arguments: str) -> tuple[int, str]:
    """Exit code, and all that a command says."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    out.flush()
    said = out.buffer.getvalue().decode() + err.getvalue()  # type: ignore[attr-defined]
    return code, "\n".join(line.rstrip() for line in said.split("\n"))


@contextlib.contextmanager
def _in(folder: Path) -> Iterator[None]:
    """In a folder, and with an environment, in which nothing else is found by chance."""
    before, environment = Path.cwd(), dict(os.environ)
    for name in list(os.environ):
        if name.startswith(("TAXIMETER_", "OTEL_")):
            del os.environ[name]
    usual = {
        "COLUMNS": WIDTH,
        "TAXIMETER_TIMEZONE": "UTC",
        "TAXIMETER_DATA": ".",
        "XDG_CONFIG_HOME": str(folder),
    }
    os.environ.update(usual)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environment)


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(written(page.read_text("utf-8")), "utf-8")
