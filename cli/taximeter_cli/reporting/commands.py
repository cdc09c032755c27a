"""The reports as commands. Most need nothing of their own, and are made when they are asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taximeter_cli.options import Mistake
from taximeter_cli.reporting import completion
from taximeter_cli.reporting.asking import answer_of, sql_of
from taximeter_cli.reporting.eventful import eventful
from taximeter_cli.reporting.guard import guarded
from taximeter_cli.reporting.nothing import remarks
from taximeter_cli.reporting.options import Asked, as_command
from taximeter_cli.reporting.output import tell, tell_text
from taximeter_cli.reporting.words import harmless

if TYPE_CHECKING:
    from taximeter_queries import Answer, Lake, Report
    from taximeter_queries.engine import Progress

__all__ = ["CHECK_FAILED"]

CHECK_FAILED = 3
"""The exit code of a check that somebody asked for: over budget, unpriced, empty."""
_CHECKS = "Checks, for CI: exit code 3"


def __getattr__(name: str) -> Callable[..., None]:
    """The command of a report."""
    from taximeter_queries import NAMES, report

    if name not in NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _COMMANDS.get(name, _of_report)(report(name))


def _of_report(report: Report) -> Callable[..., None]:
    def run(asked: Asked, **asks: str) -> None:
        _run(report.name, asked, asks)

    return as_command(run, **_described(report))


def _run(
    name: str, asked: Asked, asks: Mapping[str, str] | None = None, check: Callable[[Answer], None] | None = None
) -> None:
    asks = asks or {}
    if asked.sql:
        tell_text(asked, sql_of(name, asked, **asks).rstrip() + "\n")
        return

    said: list[str] = []

    def ask(progress: Progress | None) -> Answer:
        answer = answer_of(name, asked, progress, coverage=bool(check), **asks)
        answer = eventful(answer, most_first=not asked.sort) if asked.is_for_people else answer
        said[:] = remarks(asked, answer)
        return replace(answer, notes=(*answer.notes, *said)) if asked.is_for_people else answer

    def finish(answer: Answer) -> None:
        # Who reads a table here has read it there.
        if asked.watch is None and (asked.output or not asked.is_for_people):
            for one in said:
                print(f"taximeter: {harmless(one)}", file=sys.stderr)
        if check:
            check(answer)

    tell(asked, ask, finish)


def _described(report: Report) -> dict[str, Any]:
    grouped = f"\n\nBy {', '.join(report.by)}, unless --by says otherwise." if report.by and report.can_group else ""
    return {
        "name": report.name,
        "sentence": report.sentence + grouped,
        "arguments": report.asks,
        "without": [*(() if report.can_group else ("by",)), *(() if report.name in _LONG else ("full",))],
    }


def _cost(report: Report) -> Callable[..., None]:
    def run(
        asked: Asked,
        fail_over: Annotated[
            str | None,
            typer.Option(
                metavar="USD", rich_help_panel=_CHECKS, help="Fail if the calls cost more than that together."
            ),
        ] = None,
        fail_unpriced: Annotated[
            bool, typer.Option("--fail-unpriced", rich_help_panel=_CHECKS, help="Fail if a call has no known cost.")
        ] = False,
        fail_empty: Annotated[
            bool, typer.Option("--fail-empty", rich_help_panel=_CHECKS, help="Fail if there are no calls at all.")
        ] = False,
    ) -> None:
        checks = _Checks(_usd(fail_over), fail_unpriced, fail_empty)
        _run(report.name, asked, check=checks if checks.are_wanted else None)

    return as_command(run, **_described(report))


class _Checks:
    """What has to hold, or else the command fails."""

    def __init__(self, most_usd: Decimal | None, fail_unpriced: bool, fail_empty: bool) -> None:
        self._most_usd = most_usd
        self._fail_unpriced = fail_unpriced
        self._fail_empty = fail_empty

    @property
    def are_wanted(self) -> bool:
        return self._most_usd is not None or self._fail_unpriced or self._fail_empty

    def __call__(self, answer: Answer) -> None:
        """Say on stderr what does not hold, and what the sum does not include."""
        from taximeter_queries.text import exact

        assert answer.coverage
        covered = answer.coverage
        unpriced = covered.calls - covered.priced_calls
        problems = []
        if self._most_usd is not None and covered.cost_usd > self._most_usd:
            problems.append(f"{exact(covered.cost_usd)} USD, more than {exact(self._most_usd)} (--fail-over)")
        if self._fail_unpriced and unpriced:
            problems.append("there are calls without a known cost (--fail-unpriced)")
        if self._fail_empty and not covered.calls:
            problems.append(f"no calls in {answer.window} (--fail-empty)")
        for problem in problems:
            print(f"taximeter: {problem}", file=sys.stderr)
        if unpriced:
            models = ", ".join(dict.fromkeys(harmless(one.model or "unknown") for one in covered.unpriced))
            print(f"taximeter: {unpriced:,} of {covered.calls:,} calls are not in the sum: {models}", file=sys.stderr)
        if problems:
            raise typer.Exit(CHECK_FAILED)


def _usd(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        amount = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise Mistake(f"taximeter: --fail-over {text}: expected US dollars, such as 10.00")
    return amount


def _models(report: Report) -> Callable[..., None]:
    def run(
        asked: Asked,
        name: Annotated[str | None, typer.Argument(help="A model, as telemetry or the price book names it.")] = None,
    ) -> None:
        if name is None:
            _run(report.name, asked)
        else:
            from taximeter_cli.reporting.model import tell_model

            tell_model(name, asked)

    told = _described(report)
    told["sentence"] += "\n\nOf one model: what it costs, what else it is called, and who uses it."
    return as_command(run, **told)


def _sql(
    asked: Asked,
    query: Annotated[str | None, typer.Argument(metavar="[QUERY]", help="The query; - reads it from stdin.")] = None,
    file: Annotated[Path | None, typer.Option("--file", metavar="FILE", help="Read the query from a file.")] = None,
) -> None:
    from taximeter_queries import Limits, ask_sql

    from taximeter_cli.reporting.asking import most_rows, open_lake, told, window_of

    text = _query(query, file)
    time_s = asked.timeout or _SQL_TIME_S
    limits = Limits(
        time_s=time_s,
        memory=asked.memory,
        rows=_SQL_ROWS if most_rows(asked) is None and asked.limit is None else most_rows(asked),
    )

    def run(progress: Any) -> Answer:
        with guarded(asked.memory, time_s), told():
            return ask_sql(open_lake(asked), text, window=window_of(asked), limits=limits, progress=progress)

    tell(asked, run, _tell_cut if not asked.is_for_people else None)


def _tell_cut(answer: Answer) -> None:
    if answer.cut:
        print(
            f"taximeter: cut after {len(answer.rows):,} rows; --limit 0 gives all, --limit ROWS as many",
            file=sys.stderr,
        )


def _query(query: str | None, file: Path | None) -> str:
    if (query is None) == (file is None):
        raise Mistake("taximeter: sql expects a query, or - for stdin, or --file FILE")
    try:
        text = file.read_text("utf-8") if file else sys.stdin.read() if query == "-" else query
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise Mistake(f"taximeter: --file {file}: cannot be read: {why}") from error
    if not text or not text.strip():
        raise Mistake("taximeter: the query is empty")
    return text


def _schema(
    asked: Asked,
    table: Annotated[
        str | None,
        typer.Argument(
            help="A table, for its columns; `dimensions` for what --by knows.", autocompletion=completion.tables
        ),
    ] = None,
) -> None:
    from taximeter_queries.described import DIMENSIONS_TABLE, described

    from taximeter_cli.reporting.asking import told

    def ask(progress: Progress | None) -> Answer:
        with told():
            lake = _lake_of_schema(asked, table == DIMENSIONS_TABLE)
            if lake is None:
                return described(table)
            from taximeter_queries.tags import tags

            return described(table, tags(lake, progress=progress))

    tell(asked, ask)


def _lake_of_schema(asked: Asked, wanted: bool) -> Lake | None:
    """The lake whose tags are to be told, if there is one. One that was named has to be there."""
    from taximeter_queries import NoLake

    from taximeter_cli.reporting.asking import open_lake

    is_named = bool(asked.lake or asked.data or asked.config)
    if not wanted and not is_named:
        return None
    try:
        lake = open_lake(asked)
    except NoLake:
        if is_named:
            raise
        return None
    return lake if wanted else None


_LONG = ("conversation", "trace")
_SQL_TIME_S = 60.0
_SQL_ROWS = 1_000_000
_COMMANDS = {"cost": _cost, "models": _models}
_OF_THE_LAKE = (
    "by",
    "where",
    "sort",
    "limit",
    "timeout",
    "memory",
    "since",
    "until",
    "last",
    "timezone",
    "chart",
    "watch",
    "sql",
)

sql = as_command(
    _sql,
    name="sql",
    sentence="Answer a query of your own over the lake's tables, and nothing but those: no other files, no network.\n\n"
    "`schema` lists the tables. Unless told otherwise, it may take a minute, 2 GiB, and a million rows.",
    without=("by", "where", "sort", "chart", "sql", "full"),
)
schema = as_command(
    _schema,
    name="schema",
    sentence="List the lake's tables, the columns of one, or the dimensions that --by knows.\n\n"
    "Every lake has the same tables; its own tags are among the dimensions.",
    without=(*_OF_THE_LAKE, "full"),
)
