"""Commands that are imported when they are used: the list of them takes no longer with twenty than with two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

if TYPE_CHECKING:
    Context = Any
    Formatter = Any

__all__ = ["Commands", "Later", "in_sections"]


@dataclass(frozen=True, slots=True)
class Later:
    """A command that is not imported yet: its name, `module:attribute` of this package, and its sentence."""

    name: str
    place: str
    sentence: str
    section: str

    def load(self) -> Any:
        """The command itself, or the group of commands."""
        return _load(self)


@cache
def _load(later: Later) -> Any:
    module, _, attribute = later.place.partition(":")
    found = getattr(import_module(f"taximeter_cli.{module}"), attribute)
    if not isinstance(found, typer.Typer):
        alone = typer.Typer(add_completion=False)
        alone.command(later.name, cls=getattr(found, "command_class", TyperCommand))(found)
        found = alone
    # Text as it is: what draws frames around it takes longer to import than everything else together.
    found.rich_markup_mode = None
    found.info.name = later.name
    found._add_completion = False
    command = get_command(found)
    command.name = later.name
    _lighten(command)
    return command


def _lightened(parameters: list[Any]) -> list[Any]:
    """Options without what Typer would import for those that nobody has given: a library of validators, and one for
    each. That takes half as long as a small report."""
    for parameter in parameters:
        parameter._runtime_param = _Given()
    return parameters


def _lighten(command: Any) -> None:
    """The same for all options of a command, and of those below it."""
    all_of_them = command.get_params
    command.get_params = lambda ctx: _lightened(all_of_them(ctx))
    for below in getattr(command, "commands", {}).values():
        _lighten(below)


class _Given:
    """What is made of an option's value. All but what everybody gives is left to Typer, and so is every mistake."""

    def coerce(self, value: Any, param: Any, ctx: Context) -> Any:
        """The value of an option or argument, as its type has it."""
        several = param.multiple or param.nargs != 1
        if value is None:
            return () if several else None
        with suppress(ValueError):
            return _plainly(value, param.type_descriptor, several)
        from typer._coercion import build_runtime_param

        return build_runtime_param(param.type_descriptor).coerce(value, param=param, ctx=ctx)


def _plainly(value: Any, told: Any, several: bool) -> Any:
    """Texts, paths, numbers and choices. ValueError if it is anything else."""
    kind, of = told.annotation, told.parameter_info
    if kind == list[str] and isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value):
        return list(value)
    if several or not isinstance(kind, type):
        raise ValueError(kind)
    if (kind in (str, Path) and isinstance(value, str)) or issubclass(kind, Enum):
        return kind(value)
    if kind in (int, float):
        number = kind(value)
        if of.min is not None and of.min <= number and of.max is None:
            return number
    raise ValueError(kind)


class _All(Mapping[str, Any]):
    """All commands by name, each imported when it is looked at."""

    def __init__(self, later: tuple[Later, ...]) -> None:
        self._later = {one.name: one for one in later}

    def __getitem__(self, name: str) -> Any:
        return self._later[name].load()

    def __iter__(self) -> Iterator[str]:
        return iter(self._later)

    def __len__(self) -> int:
        return len(self._later)


class Commands(TyperGroup):
    """A group of commands, in sections. None is imported but the one that is run."""

    later: ClassVar[tuple[Later, ...]] = ()

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = _All(self.later)  # type: ignore[assignment]

    def get_params(self, ctx: Context) -> list[Any]:
        """Its own options."""
        return _lightened(super().get_params(ctx))

    def list_commands(self, ctx: Context) -> list[str]:
        """Their names, in the order in which they are told."""
        return [one.name for one in self.later]

    def get_command(self, ctx: Context, cmd_name: str) -> Any:
        """What has the name and the sentence, for those who only list commands."""
        found = next((one for one in self.later if one.name == cmd_name), None)
        return found and TyperCommand(found.name, help=found.sentence)

    def resolve_command(self, ctx: Context, args: list[str]) -> Any:
        """The command itself, with its arguments."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, found and self.commands[found.name or ""], rest

    def format_commands(self, ctx: Context, formatter: Formatter) -> None:
        """As `--help` lists them."""
        for section in dict.fromkeys(one.section for one in self.later):
            with formatter.section(section):
                width = max(len(one.name) for one in self.later)
                formatter.write_dl(
                    [(one.name.ljust(width), one.sentence) for one in self.later if one.section == section]
                )

    def invoke(self, ctx: Context) -> Any:
        """Ctrl-C, and a reader that has gone, each have the exit code that shells know."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stopped:
            raise typer.Exit(130) from stopped
        except BrokenPipeError as closed:
            raise typer.Exit(141) from closed


def in_sections(command: Any, ctx: Context, formatter: Formatter) -> None:
    """Options and arguments as `--help` lists them, in the sections that they belong to."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record:
            usual = "Arguments" if parameter.param_type_name == "argument" else "Options"
            sections.setdefault(getattr(parameter, "rich_help_panel", None) or usual, []).append(record)
    for title, records in sections.items():
        with formatter.section(title):
            formatter.write_dl(records)
