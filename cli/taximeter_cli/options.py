"""What several commands have in common: where the data is, and which settings hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from taximeter_collector.configuration import Configuration

__all__ = ["Mistake", "OfConfig", "OfData", "OfSet", "settings"]

# Variables of our prefix that the meter in the app reads; `tests/cli/test_commands.py` compares them with its code.
OF_THE_METER = (
    "TAXIMETER_BAGGAGE",
    "TAXIMETER_CHUNK_METRIC",
    "TAXIMETER_PROVIDERS",
    "TAXIMETER_REDACT_PATTERNS",
    "TAXIMETER_RUN_NOTES",
)
# And those that reports read.
OF_REPORTS = ("TAXIMETER_REPORT_MEMORY", "TAXIMETER_TIMEZONE")

OfData = Annotated[Path | None, typer.Option("--data", help="The data folder: journal, lake, and what else is kept.")]
OfConfig = Annotated[Path | None, typer.Option("--config", help="The configuration file, instead of ./taximeter.toml.")]
OfSet = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any setting; `config show` lists them."),
]


class Mistake(Exception):
    """Something that the user can put right, in a sentence."""

    def __init__(self, sentence: str, exit_code: int = 2) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


def settings(config: Path | None, sets: list[str] | None, **flags: object) -> Configuration:
    """The settings that hold, with the flags that were given. Keys of flags have `__` where a setting has its dot."""
    from taximeter_collector.configuration import ConfigError, load

    given = {key.replace("__", "."): str(value) for key, value in flags.items() if value not in (None, False)}
    for item in sets or ():
        key, equals, value = item.partition("=")
        if not equals:
            raise Mistake(f"taximeter: --set {item}: expected KEY=VALUE")
        given[key.strip()] = value
    try:
        return load(given, file=config, others=(*OF_THE_METER, *OF_REPORTS))
    except ConfigError as error:
        raise Mistake("\n".join(f"taximeter: {problem}" for problem in error.problems)) from error
