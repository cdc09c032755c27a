"""From options to an answer: which lake, which window, which rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from taximeter_cli.options import Mistake, settings
from taximeter_cli.reporting.guard import checked
from taximeter_cli.reporting.options import Asked
from taximeter_cli.reporting.words import harmless

if TYPE_CHECKING:
    from taximeter_queries import Answer, Lake, Limits, Window
    from taximeter_queries.engine import Progress

__all__ = ["answer_of", "limits_of", "most_rows", "open_lake", "sql_of", "told", "window_of"]

ROWS_OF_TABLES = 50
_TOTAL = "total"
"""The dimension of which there is one row: another for all together would say the same."""
NO_ANSWER = 1
"""The exit code where there is nothing to answer from, or it took too much."""


@contextmanager
def told() -> Iterator[None]:
    """What keeps a question from being answered becomes a sentence, and an exit code: 2 if it was asked wrongly."""
    from taximeter_queries.errors import NoLake, NotFound, QueryError, TooMuch

    try:
        yield
    except (NoLake, NotFound, TooMuch) as error:
        raise Mistake(f"taximeter: {harmless(str(error))}", NO_ANSWER) from error
    except QueryError as error:
        raise Mistake(f"taximeter: {harmless(str(error))}") from error


@contextmanager
def _own_tags(asked: Asked) -> Iterator[None]:
    """Somebody who says `--by team`, where calls have that tag, means `tag.team`."""
    from taximeter_queries.errors import UnknownName

    try:
        yield
    except UnknownName as error:
        from taximeter_queries.tags import tags

        if error.kind == "dimension" and error.name in tags(open_lake(asked)):
            raise UnknownName(error.kind, error.name, [f"tag.{error.name}"]) from error
        raise


def open_lake(asked: Asked) -> Lake:
    """The lake that is meant. The collector's settings are asked only if it was not named."""
    from taximeter_queries import Lake, NoLake

    try:
        return Lake(asked.lake or settings(asked.config, None, data=asked.data).config.lake.dir)
    except NoLake as error:
        if asked.lake and (asked.lake / "lake/calls/_delta_log").is_dir():
            below = asked.lake / "lake"
            raise NoLake(f"there is no lake in {asked.lake}, but one below it: --lake {below}") from error
        raise


def window_of(asked: Asked) -> Window:
    """From when to when; `--last` ends now, each time that it is asked."""
    from taximeter_queries import Window

    return Window.of(asked.since, asked.until, asked.last, asked.timezone)


def most_rows(asked: Asked) -> int | None:
    """How many rows; None is all."""
    if asked.limit is None:
        return ROWS_OF_TABLES if asked.is_for_people and not _is_over_time(asked) else None
    return asked.limit or None


def _is_over_time(asked: Asked) -> bool:
    """Whether it is drawn over time: there a row is a point, and the chart itself leaves out small series."""
    from taximeter_queries.dimensions import TIMES

    return asked.chart is not None and not {*TIMES, "date"}.isdisjoint(_names(asked.by) or ())


def limits_of(asked: Asked) -> Limits:
    """What the question may take."""
    from taximeter_queries import Limits

    return Limits(time_s=asked.timeout, memory=checked(asked.memory))


def answer_of(name: str, asked: Asked, progress: Progress | None, coverage: bool = False, **asks: str) -> Answer:
    """What a report says."""
    from taximeter_queries import ask

    with told(), _own_tags(asked):
        return ask(
            open_lake(asked),
            name,
            totals=asked.is_for_people and _names(asked.by) != [_TOTAL],
            coverage=asked.is_for_people or coverage,
            limits=limits_of(asked),
            progress=progress,
            **_of_rows(asked, asks),
        )


def sql_of(name: str, asked: Asked, **asks: str) -> str:
    """What would be run."""
    from taximeter_queries.asking import sql_for

    with told(), _own_tags(asked):
        return sql_for(open_lake(asked), name, **_of_rows(asked, asks))


def _of_rows(asked: Asked, asks: Mapping[str, str]) -> dict[str, Any]:
    """Which rows are asked for, in the words of the library."""
    return {
        "by": _names(asked.by),
        "window": window_of(asked),
        "where": asked.where,
        "sort": _names(asked.sort),
        "limit": most_rows(asked),
        **asks,
    }


def _names(given: Sequence[str] | None) -> list[str] | None:
    """`a,b` and `a` `b` are the same."""
    names = [name.strip() for one in given or () for name in one.split(",") if name.strip()]
    return names or None
