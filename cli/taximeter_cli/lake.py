"""`taximeter lake`."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taximeter_cli.options import Mistake, OfConfig, OfData, OfSet, settings

if TYPE_CHECKING:
    from datetime import date

    from taximeter_collector.lake.config import LakeConfig
    from taximeter_collector.lake.figures import Ledger, TableFigures
    from taximeter_collector.lake.upkeep import TableReport
    from taximeter_collector.lake.verification import Verdict

__all__ = ["app", "is_of_a_lake"]

app = typer.Typer(help="Look into the lake, and tidy it; also while a collector runs.", no_args_is_help=True)

OfJson = Annotated[bool, typer.Option("--json", help="For a program.")]
_PATIENCE_S = 120.0  # a collector's own round of upkeep is over by then


@app.command()
def stats(data: OfData = None, config: OfConfig = None, sets: OfSet = None, as_json: OfJson = False) -> None:
    """Print what there is: rows, files, bytes and days of each table; what was billed, and how much has a price."""
    from taximeter_collector.lake.figures import Ledger, ledger_of, table_figures

    lake = _lake(data, config, sets)
    tables, ledger = [], Ledger()
    for name in _tables(lake.dir):
        figures, log = table_figures(lake.dir, name)
        tables.append(figures)
        if name == "calls":
            ledger = ledger_of(log)
    if as_json:
        found = {"tables": [_table_as_json(one) for one in tables], "ledger": _ledger_as_json(ledger)}
        print(json.dumps(found, indent=2))
        return
    _print_tables(tables)
    _print_ledger(ledger)


@app.command()
def verify(data: OfData = None, config: OfConfig = None, sets: OfSet = None, as_json: OfJson = False) -> None:
    """Compare every file with the log, look for rows that are there twice, and check the ledger's rules.

    Exit code 1 if something is not as it should be. Nothing is changed.
    """
    from taximeter_collector.lake.verification import verify_table

    lake = _lake(data, config, sets)
    verdicts = [verify_table(lake.dir, name) for name in _tables(lake.dir)]
    if as_json:
        print(json.dumps([dataclasses.asdict(verdict) for verdict in verdicts], indent=2))
    else:
        _print_verdicts(verdicts)
    if any(verdict.problems for verdict in verdicts):
        raise typer.Exit(1)


@app.command()
def compact(data: OfData = None, config: OfConfig = None, sets: OfSet = None, as_json: OfJson = False) -> None:
    """Merge small files of each day, all that there are; a running collector merges what is due by itself.

    Files that were replaced are deleted after lake.grace: by the collector, or by the next `compact` or `prune`.
    """
    _report(_lake(data, config, sets), ("compact", "sweep", "trim"), as_json)


@app.command()
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell which days would go, and change nothing.")] = False,
    data: OfData = None,
    config: OfConfig = None,
    sets: OfSet = None,
    as_json: OfJson = False,
) -> None:
    """Drop the days that are too old or too much by the settings, and delete what nobody reads any more.

    For once only, with other limits: `--set lake.spans_max_age=30d`.
    """
    lake = _lake(data, config, sets)
    if dry_run:
        _tell_what_would_go(lake, as_json)
    else:
        _report(lake, ("prune", "sweep", "trim"), as_json)


def is_of_a_lake(error: Exception) -> bool:
    """Whether it is a sentence for a person about a lake."""
    from taximeter_collector.lake import LakeError

    return isinstance(error, LakeError)


def _lake(data: Path | None, config: Path | None, sets: list[str] | None) -> LakeConfig:
    lake = settings(config, sets, data=data).config.lake
    if not _tables(lake.dir):
        raise Mistake(
            f"taximeter: there is no lake at {lake.dir}; name its data folder with --data, or the lake itself with "
            "--set lake.dir=FOLDER",
            1,
        )
    return lake


def _tables(folder: Path) -> list[str]:
    from taximeter_collector.lake.schema import TABLES

    return [name for name in TABLES if (folder / name / "_delta_log").is_dir()]


def _tell_what_would_go(lake: LakeConfig, as_json: bool) -> None:
    from taximeter_collector.lake.log import DeltaLog
    from taximeter_collector.lake.retention import due
    from taximeter_collector.lake.schema import TABLES

    now_ms = time.time_ns() // 1_000_000
    days = {name: due(DeltaLog(lake.dir / name, TABLES[name]), lake, now_ms) for name in _tables(lake.dir)}
    if as_json:
        print(json.dumps({name: [str(day) for day in found] for name, found in days.items()}, indent=2))
        return
    for name, found in days.items():
        print(f"{name}: {_days_that_would_go(found)}")


def _days_that_would_go(days: list[date]) -> str:
    if not days:
        return "nothing would go"
    return f"{len(days)} {'day' if len(days) == 1 else 'days'} would go: {', '.join(map(str, days))}"


def _report(lake: LakeConfig, steps: tuple[str, ...], as_json: bool) -> None:
    from taximeter_collector.lake.upkeep import alone, upkeep

    with alone(lake.dir, _PATIENCE_S):
        reports = upkeep(lake, steps=steps, all_small=True)
    if as_json:
        print(json.dumps([dataclasses.asdict(report) for report in reports], indent=2))
    else:
        _print_reports(reports)
    if any(report.error for report in reports):
        raise typer.Exit(1)


def _print_reports(reports: list[TableReport]) -> None:
    _print_columns(
        ("table", "files", "rows", "bytes", "merged", "deleted", "days dropped"),
        [
            (
                report.table,
                *(report.files, report.rows, report.bytes),
                *(report.merged_files, report.deleted_files, report.dropped_days),
            )
            for report in reports
        ],
    )
    for report in reports:
        if report.error:
            print(f"taximeter: {report.error}", file=sys.stderr)


def _print_verdicts(verdicts: list[Verdict]) -> None:
    for verdict in verdicts:
        size = f"{verdict.files:,} files, {verdict.rows:,} rows, {verdict.bytes:,} bytes"
        print(f"{verdict.table}: version {verdict.version}, {size}{': NOT sound' if verdict.problems else ': sound'}")
        for problem in verdict.problems:
            print(f"  {problem}")


def _print_tables(tables: list[TableFigures]) -> None:
    _print_columns(
        ("table", "rows", "files", "bytes", "bytes/row", "days", "from", "to", "version", "landed up to"),
        [
            (
                *(one.table, one.rows, one.files, one.bytes, f"{one.bytes_per_row:.1f}" if one.bytes_per_row else ""),
                *(one.days, one.first_day or "", one.last_day or "", one.version),
                ", ".join(f"{journal}: {position}" for journal, position in sorted(one.positions.items())),
            )
            for one in tables
        ],
    )


def _print_ledger(ledger: Ledger) -> None:
    print(f"\n{ledger.billed_calls:,} calls are billed, told by {ledger.rows:,} rows")
    if ledger.billed_calls:
        print(f"{ledger.input_tokens:,} tokens in, {ledger.output_tokens:,} out; {ledger.cost_usd:f} USD")
        by_status = ", ".join(f"{name} {count:,}" for name, count in sorted(ledger.calls_by_cost_status.items()))
        print(f"{ledger.coverage:.2%} of them have a cost: {by_status}")


def _print_columns(titles: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, justify="left" if title in ("table", "from", "to", "landed up to") else "right")
    for row in rows:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row))
    # A terminal that is no terminal (a pipe, a log) has no width to fit into.
    (Console() if sys.stdout.isatty() else Console(width=200)).print(table)


def _table_as_json(figures: TableFigures) -> dict[str, Any]:
    return {**dataclasses.asdict(figures), "first_day": _text(figures.first_day), "last_day": _text(figures.last_day)}


def _ledger_as_json(ledger: Ledger) -> dict[str, Any]:
    return {**dataclasses.asdict(ledger), "cost_usd": f"{ledger.cost_usd:f}", "coverage": ledger.coverage}


def _text(value: object) -> str | None:
    return None if value is None else str(value)
