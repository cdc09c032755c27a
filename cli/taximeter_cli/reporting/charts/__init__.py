"""Answers as pictures: drawn in the terminal, or saved as SVG or PNG."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from taximeter_queries.answer import Answer

__all__ = ["draw", "save"]


def draw(answer: Answer, console: Console, column: str | None = None) -> None:
    """Draw a column of an answer, the report's main one unless told otherwise, as wide as the console is."""
    from taximeter_cli.reporting.charts.terminal import drawing

    with _told():
        drawn = drawing(answer, console.options, column)
    console.print(drawn)


def save(answer: Answer, path: Path, column: str | None = None) -> None:
    """The same as a file, SVG or PNG by its name. The same answer gives the same bytes."""
    from taximeter_cli.reporting.charts.files import write

    with _told():
        write(answer, path, column)


@contextmanager
def _told() -> Iterator[None]:
    """What cannot be drawn is said in a sentence."""
    from taximeter_queries.errors import QueryError

    from taximeter_cli.options import Mistake

    try:
        yield
    except QueryError as error:
        raise Mistake(f"taximeter: {error}") from error
