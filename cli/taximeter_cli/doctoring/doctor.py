"""`taximeter doctor`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from taximeter_cli.doctoring.examining import NAMES, Examined, examine, worst
from taximeter_cli.doctoring.finding import Level
from taximeter_cli.doctoring.subject import Subject
from taximeter_cli.options import OF_REPORTS, OF_THE_METER, Mistake, OfConfig, OfData, OfSet

__all__ = ["doctor"]

_OF_RUNS = "TAXIMETER_RUN_NOTES"


def _beginning(incomplete: str) -> list[str]:
    return [name for name in NAMES if name.startswith(incomplete)]


def doctor(
    checks: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CHECK]...", help=f"These only: {', '.join(NAMES)}.", autocompletion=_beginning),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Read everything: each record of the journal, each file of the lake.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 for warnings, too.")] = False,
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="FILE.zip", help="Write all of it into a file for a bug report: no secrets, no content."),
    ] = None,
    data: OfData = None,
    config: OfConfig = None,
    sets: OfSet = None,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Look for what is not as it should be, and say what to do about it. Nothing is changed.

    Exit code 0 if there is no error, 1 if there is one; with --strict, 1 for warnings as well.
    """
    from taximeter_cli.doctoring.masking import Masking
    from taximeter_cli.doctoring.showing import as_json as for_programs
    from taximeter_cli.doctoring.showing import masked, section, summary
    from taximeter_cli.main import version

    names = _known(checks or [])
    subject = Subject.of(_flags(data, sets), config, (*OF_THE_METER, *OF_REPORTS, _OF_RUNS), full=full)
    found: list[Examined] = []
    for each in masked(examine(subject, names), Masking(subject)):
        found.append(each)
        if not as_json:
            print(*section(each, sys.stdout), sep="\n", end="\n\n", flush=True)
    print(json.dumps(for_programs(found, version()), indent=2, default=str) if as_json else summary(found))
    if bundle:
        from taximeter_cli.doctoring.bundle import write

        write(bundle, subject, found)
        print(f"{bundle} can be sent: look into it before", file=sys.stderr)
    gravest = worst(found)
    if gravest is Level.error or (strict and gravest is Level.warning):
        raise typer.Exit(1)


def _known(checks: list[str]) -> list[str]:
    """The checks that are asked for, in the order in which they are made."""
    asked = {name.replace("-", "_") for name in checks}
    if unknown := asked - set(NAMES):
        raise Mistake(f"taximeter: there is no check {', '.join(sorted(unknown))}; there are: {', '.join(NAMES)}")
    return [name for name in NAMES if not asked or name in asked]


def _flags(data: Path | None, sets: list[str] | None) -> dict[str, str]:
    flags = {"data": str(data)} if data else {}
    for item in sets or ():
        key, equals, value = item.partition("=")
        if not equals:
            raise Mistake(f"taximeter: --set {item}: expected KEY=VALUE")
        flags[key.strip()] = value
    return flags
