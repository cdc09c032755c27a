"""What all reports can be asked: options that are declared once, and merged into each command."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperCommand

from taximeter_cli.loading import in_sections
from taximeter_cli.options import Mistake
from taximeter_cli.reporting import completion

__all__ = ["IMAGES", "IN_TERMINAL", "Asked", "Format", "as_command"]

_WHAT = "What is asked"
_HOW = "How it is shown"
_WHERE = "Where the lake is"

IN_TERMINAL = Path("-")
"""The file of a chart that is drawn in the terminal."""
IMAGES = (".svg", ".png")
# What somebody who names it after --chart takes for a file of an image, too.
_LIKE_IMAGES = (*IMAGES, ".pdf", ".jpg", ".jpeg", ".gif", ".webp", ".eps", ".html")
_WATCH_S = "2"


class Format(StrEnum):
    """How an answer is written."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"
    markdown = "markdown"
    parquet = "parquet"


_SUFFIXES = {
    ".txt": Format.table,
    ".json": Format.json,
    ".jsonl": Format.jsonl,
    ".ndjson": Format.jsonl,
    ".csv": Format.csv,
    ".md": Format.markdown,
    ".parquet": Format.parquet,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the options say that all reports have."""

    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            metavar="NAME,...",
            rich_help_panel=_WHAT,
            autocompletion=completion.dimensions,
            help="What to group by: model, day, user, tag.team, ...; repeatable. `schema dimensions` lists them.",
        ),
    ] = None
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            rich_help_panel=_WHAT,
            help="From when: 2026-11-20, 2026-11, 2026-11-20T12:30, 7d, today, yesterday.",
        ),
    ] = None
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", rich_help_panel=_WHAT, help="Until when, likewise; a day or month is included."),
    ] = None
    last: Annotated[
        str | None, typer.Option(metavar="TIME", rich_help_panel=_WHAT, help="The last 30m, 12h, 7d, 2w.")
    ] = None
    timezone: Annotated[
        str | None,
        typer.Option(
            metavar="ZONE",
            envvar="TAXIMETER_TIMEZONE",
            rich_help_panel=_WHAT,
            autocompletion=completion.timezones,
            help="Whose days and hours: Europe/Zurich, UTC; default: this machine's.",
        ),
    ] = None
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="CONDITION",
            rich_help_panel=_WHAT,
            autocompletion=completion.conditions,
            help='Only calls for which it holds: model=gpt-5, or SQL such as "cost_usd > 0.01 AND stream"; repeatable.',
        ),
    ] = None
    sort: Annotated[
        list[str] | None,
        typer.Option(
            "--sort",
            metavar="COLUMN,...",
            rich_help_panel=_WHAT,
            autocompletion=completion.columns,
            help="What to order by; with - before it, the largest first: --sort=-cost_usd.",
        ),
    ] = None
    limit: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="ROWS",
            rich_help_panel=_WHAT,
            help="At most so many rows; 0: all. Default: 50 in tables, else all.",
        ),
    ] = None
    timeout: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="SECONDS", rich_help_panel=_WHAT, help="Give up when it takes longer."),
    ] = None
    memory: Annotated[
        str,
        typer.Option(
            metavar="SIZE",
            envvar="TAXIMETER_REPORT_MEMORY",
            rich_help_panel=_WHAT,
            help="As much memory as it may take: 500MB, 2GiB.",
        ),
    ] = "2GiB"
    form: Annotated[
        Format | None,
        typer.Option("--format", rich_help_panel=_HOW, help="Default: by the suffix of --output, or else a table."),
    ] = None
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            rich_help_panel=_HOW,
            help="Write to a file, which is there when it is whole.",
        ),
    ] = None
    chart: Annotated[
        Path | None,
        typer.Option(metavar="[FILE]", rich_help_panel=_HOW, help="Draw it, here or into a file: cost.svg, cost.png."),
    ] = None
    watch: Annotated[
        float | None,
        typer.Option(
            min=0.1, metavar="[SECONDS]", rich_help_panel=_HOW, help="Ask again every 2 seconds, or as often as told."
        ),
    ] = None
    full: Annotated[
        bool, typer.Option("--full", rich_help_panel=_HOW, help="Show all that was said and all spans, however long.")
    ] = False
    sql: Annotated[bool, typer.Option("--sql", rich_help_panel=_HOW, help="Print the SQL instead of running it.")] = (
        False
    )
    lake: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", rich_help_panel=_WHERE, help="The lake; default: where the collector has it."),
    ] = None
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", rich_help_panel=_WHERE, help="The data folder, in which the lake is."),
    ] = None
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", rich_help_panel=_WHERE, help="The collector's settings, instead of ./taximeter.toml."
        ),
    ] = None

    @property
    def format(self) -> Format:
        """How the answer is to be written."""
        if self.form or self.output is None:
            return self.form or Format.table
        found = _SUFFIXES.get(self.output.suffix.lower())
        if found is None:
            raise Mistake(
                f"taximeter: --output {self.output}: expected a name that ends in {', '.join(_SUFFIXES)}, or --format"
            )
        return found

    @property
    def is_for_people(self) -> bool:
        """Whether it is rounded, cut and explained."""
        return self.format in (Format.table, Format.markdown)


class ReportCommand(TyperCommand):
    """A command whose options are in sections, and of which two can do without their values."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """`--chart` takes what follows it if that is a file of an image, `--watch` if it is a number."""
        return super().parse_args(ctx, list(_with_values(args)))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """As `--help` lists them."""
        in_sections(self, ctx, formatter)


def as_command(
    function: Callable[..., None],
    *,
    name: str,
    sentence: str,
    arguments: Mapping[str, str] | None = None,
    without: Collection[str] = (),
) -> Callable[..., None]:
    """A command that calls `function(asked, ...)`: its own options, arguments by name, and what all reports have."""

    def command(**given: Any) -> None:
        common = {field.name: given.pop(field.name, field.default) for field in fields(Asked)}
        function(Asked(**common), **given)

    parameters = [*_arguments(arguments or {}), *_own(function, arguments or {}), *_common(without)]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__name__ = name
    command.__doc__ = sentence
    command.command_class = ReportCommand  # type: ignore[attr-defined]
    return command


def _arguments(arguments: Mapping[str, str]) -> Iterable[inspect.Parameter]:
    for name, sentence in arguments.items():
        shown = "ID" if name.endswith("_id") else name.upper()
        kind = Annotated[str, typer.Argument(metavar=shown, help=sentence)]
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind)


def _own(function: Callable[..., None], arguments: Collection[str]) -> Iterable[inspect.Parameter]:
    """What the function takes after the first, but for arguments that are declared already, and any others."""
    hints = get_type_hints(function, include_extras=True)
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD and parameter.name not in arguments:
            yield parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[parameter.name])


def _common(without: Collection[str]) -> Iterable[inspect.Parameter]:
    hints = get_type_hints(Asked, include_extras=True)
    for field in fields(Asked):
        if field.name not in without:
            yield inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
            )


def _with_values(args: list[str]) -> Iterable[str]:
    for arg, after in zip(args, [*args[1:], ""], strict=False):
        yield arg
        if arg == "--watch" and not re.fullmatch(r"\d+(\.\d*)?|\.\d+", after):
            yield _WATCH_S
        if arg == "--chart" and not after.lower().endswith(_LIKE_IMAGES):
            yield str(IN_TERMINAL)
