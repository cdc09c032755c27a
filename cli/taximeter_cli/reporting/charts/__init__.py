"""Answers as pictures: drawn in the terminal, or saved as SVG or PNG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from taximeter_queries.answer import Answer

__all__ = ["draw", "save"]


def draw(answer: Answer, console: Console, column: str | None = None) -> None:
    """Draw a column of an answer, the report's main one unless told otherwise, as wide as the console is."""
    from taximeter_cli.reporting.charts.terminal import drawing

    console.print(drawing(answer, console.options, column))


def save(answer: Answer, path: Path, column: str | None = None) -> None:
    """The same as a file, SVG or PNG by its name. The same answer gives the same bytes."""
    from taximeter_cli.reporting.charts.files import write

    write(answer, path, column)
