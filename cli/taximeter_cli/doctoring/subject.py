"""What is looked at: an environment, the settings that hold in it, and the folders that these name."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from taximeter_collector.configuration import Config, Configuration

__all__ = ["NoSettings", "Subject"]


_COMMAND = re.compile(
    r"\btaximeter ((journal|lake|prices|forward|config) [a-z]+|coverage|calls|collect|doctor|run)\b(?! --data)"
)


class NoSettings(Exception):
    """What a check needs cannot be known, because the settings are wrong."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Everything that a check may look at."""

    configuration: Configuration | None
    problems: tuple[str, ...] = ()
    """Of the settings. With `configuration` beside them, it is what holds without what is wrong."""
    full: bool = False
    """Whether everything is read, however much there is."""
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    given: str = ""
    """Flags that say which data folder and which file is meant, as a command that is told has to have them, too."""

    def addressed(self, do: str) -> str:
        """What to do, with the flags in each command."""
        return _COMMAND.sub(rf"\g<0>{_literal(self.given)}", do) if self.given else do

    @property
    def config(self) -> Config:
        """The settings. NoSettings if there are none."""
        if self.configuration is None:
            raise NoSettings
        return self.configuration.config

    @classmethod
    def of(cls, flags: Mapping[str, str], file: Path | None, others: tuple[str, ...], *, full: bool = False) -> Subject:
        """With the settings that hold; without what is wrong in the environment, if that is all that is wrong."""
        from taximeter_collector.configuration import ConfigError, load

        environment = dict(os.environ)
        given = f" --data {shlex.quote(flags['data'])}" if "data" in flags else ""
        given += f" --config {shlex.quote(str(file))}" if file else ""
        try:
            return cls(load(flags, environment, file, others), (), full, environment, given)
        except ConfigError as error:
            problems = tuple(error.problems)
        wrong = {found[1] for problem in problems if (found := re.match(r"(TAXIMETER_\w+) \(environment\)", problem))}
        rest = {name: value for name, value in environment.items() if name not in wrong}
        try:
            return cls(load(flags, rest, file, others), problems, full, environment, given)
        except ConfigError:
            return cls(None, problems, full, environment, given)


def _literal(text: str) -> str:
    """For what is put in the place of what was found."""
    return text.replace("\\", r"\\")
