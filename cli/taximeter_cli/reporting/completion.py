"""What a shell completes: names that reports know. Nothing here reads the lake."""

from __future__ import annotations

from collections.abc import Iterable

import typer

__all__ = ["columns", "conditions", "dimensions", "tables", "timezones"]


def dimensions(incomplete: str) -> list[str]:
    """For `--by`, also after a comma."""
    from taximeter_queries.dimensions import DIMENSIONS, PREFIXES

    before, comma, started = incomplete.rpartition(",")
    return _beginning(started, (*DIMENSIONS, *PREFIXES), before + comma)


def conditions(incomplete: str) -> list[str]:
    """For `--where`: dimensions, and what follows them."""
    from taximeter_queries.dimensions import DIMENSIONS

    return _beginning(incomplete, [f"{name}=" for name in DIMENSIONS])


def columns(ctx: typer.Context, incomplete: str) -> list[str]:
    """For `--sort`: the columns of the report, also from the largest."""
    from taximeter_queries.report import NAMES, report

    name = ctx.info_name or ""
    before, comma, started = incomplete.rpartition(",")
    sign = "-" if started.startswith("-") else ""
    known = [column.name for column in report(name).columns] if name in NAMES else []
    return _beginning(started[len(sign) :], known, before + comma + sign)


def tables(incomplete: str) -> list[str]:
    """For `schema`."""
    from taximeter_queries.described import DIMENSIONS_TABLE
    from taximeter_queries.lake import TABLES

    return _beginning(incomplete, (*TABLES, DIMENSIONS_TABLE))


def timezones(incomplete: str) -> list[str]:
    """For `--timezone`."""
    from zoneinfo import available_timezones

    return _beginning(incomplete, sorted(available_timezones()))


def _beginning(started: str, known: Iterable[str], before: str = "") -> list[str]:
    return [before + name for name in known if name.startswith(started)]
