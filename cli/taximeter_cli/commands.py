"""All commands. What a command needs is imported when it runs, so that `--help` is there at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from taximeter_cli.loading import Commands, Later
from taximeter_cli.main import version
from taximeter_cli.options import Mistake
from taximeter_cli.reporting.sentences import SENTENCES

__all__ = ["COMMANDS", "app", "run"]

_PIPE_CLOSED = 141
_COLLECTING = "Commands that collect"
_REPORTS = "Reports"
_LOOKING = "Commands that look into things"

# The sentences are those of the commands themselves, which a test holds them to.
COMMANDS = (
    Later("run", "running.run:app", "Run a command, metered, and print what it cost.", _COLLECTING),
    Later(
        "demo",
        "demo.command:demo",
        "Meter a sample, without any key or account, and show the reports that one wants first.",
        _COLLECTING,
    ),
    Later(
        "collect",
        "collect:collect",
        "Receive OpenTelemetry, answer OK only for what is on disk, and land it in the lake, every call priced.",
        _COLLECTING,
    ),
    Later(
        "connect",
        "connecting.command:connect",
        "Tell what a coding agent, an SDK or a gateway has to be told, so that its calls arrive here; and do it.",
        _COLLECTING,
    ),
    Later(
        "forward",
        "forward:app",
        "Backends that get what is received: how far they are, and what they refused.",
        _COLLECTING,
    ),
    *(Later(name, f"reporting.commands:{name}", sentence, _REPORTS) for name, sentence in SENTENCES.items()),
    Later(
        "doctor",
        "doctoring.doctor:doctor",
        "Look for what is not as it should be, and say what to do about it. Nothing is changed.",
        _LOOKING,
    ),
    Later("journal", "journal:app", "Look into the journal: what was acknowledged, and who has read it.", _LOOKING),
    Later("lake", "lake:app", "Look into the lake, and tidy it; also while a collector runs.", _LOOKING),
    Later("prices", "prices:app", "Look into the price book: what a model costs, and who says so.", _LOOKING),
    Later("config", "configure:app", "The settings that hold, and where they come from.", _LOOKING),
)


class _Root(Commands):
    later = COMMANDS


app = typer.Typer(
    name="taximeter",
    cls=_Root,
    help="The running meter for GenAI apps.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(asked: bool) -> None:
    if asked:
        print(version())
        raise typer.Exit


@app.callback()
def _root(
    show_version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="What this is, with its versions.", callback=_tell_version)
    ] = False,
) -> None:
    """The running meter for GenAI apps."""


def run(arguments: Sequence[str]) -> int:
    """Run a command; what the user got wrong is one sentence on stderr and exit code 2."""
    code = _run(arguments)
    try:
        if code != _PIPE_CLOSED:
            sys.stdout.flush()
    except BrokenPipeError:
        code = _PIPE_CLOSED
    if code == _PIPE_CLOSED:
        # Nobody reads any more. What is not written yet must not be tried again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _run(arguments: Sequence[str]) -> int:
    try:
        app(list(arguments), prog_name="taximeter")
    except Mistake as mistake:
        print(mistake, file=sys.stderr)
        return mistake.exit_code
    except OSError as error:
        print(f"taximeter: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        if not _is_for_a_person(error):
            raise
        print(f"taximeter: {error}", file=sys.stderr)
        return 1
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0


def _is_for_a_person(error: Exception) -> bool:
    """Whether it is a sentence about a journal or a lake, rather than a fault of ours."""
    from taximeter_cli import journal, lake

    return journal.is_of_a_journal(error) or lake.is_of_a_lake(error)
