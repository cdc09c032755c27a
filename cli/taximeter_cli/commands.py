"""All commands. What a command needs is imported when it runs, so that `--help` is there at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from taximeter_cli import collect, configure, forward, journal, lake, prices
from taximeter_cli.main import version
from taximeter_cli.options import Mistake

__all__ = ["app", "run"]

app = typer.Typer(
    name="taximeter",
    help="The running meter for GenAI apps.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("collect")(collect.collect)
app.add_typer(journal.app, name="journal")
app.add_typer(forward.app, name="forward")
app.add_typer(lake.app, name="lake")
app.add_typer(configure.app, name="config")
app.add_typer(prices.app, name="prices")


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
    try:
        app(list(arguments), prog_name="taximeter")
    except Mistake as mistake:
        print(mistake, file=sys.stderr)
        return mistake.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 141
    except OSError as error:
        print(f"taximeter: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        if not (journal.is_of_a_journal(error) or lake.is_of_a_lake(error)):
            raise
        print(f"taximeter: {error}", file=sys.stderr)
        return 1
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0
