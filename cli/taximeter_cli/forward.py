"""`taximeter forward`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taximeter_cli.options import Mistake, OfConfig, OfData, OfSet, settings

if TYPE_CHECKING:
    from taximeter_collector.configuration import Config
    from taximeter_collector.forward.overview import DestinationInfo

__all__ = ["app"]

app = typer.Typer(
    help="Backends that get what is received: how far they are, and what they refused.", no_args_is_help=True
)

_COLUMNS = ("destination", "state", "unread", "bytes", "oldest", "sent", "failed", "dropped", "dead letters")


@app.command("ls")
def list_all(
    data: OfData = None,
    config: OfConfig = None,
    sets: OfSet = None,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """List destinations: what is before them, what they got, what was dropped or refused, and the last error."""
    from taximeter_collector.forward.overview import overview

    holds = _config(data, config, sets)
    found = overview(holds)
    if as_json:
        print(json.dumps([asdict(one) for one in found], indent=2))
    elif found:
        _print_table(found)
        for one in found:
            for line in _remarks(one):
                print(line)
    else:
        print(
            f"nothing is forwarded from the data folder {holds.data}; begin with `taximeter collect --forward URL`, "
            "or a section [forward.NAME], or name another folder with --data"
        )


@app.command()
def presets() -> None:
    """List backends that are known by name, with what they fill in and the key that they ask for."""
    from taximeter_collector.forward.presets import preset
    from taximeter_collector.forward.presets import presets as names

    for name in names():
        known = preset(name)
        print(f"{name}: {known.title}")
        print(f"  key: {known.key or 'none'}")
        for key, value in known.settings.items():
            print(f"  {key} = {json.dumps(value)}")
        for reason in known.why:
            print(f"  # {reason}")


@app.command()
def retry(
    name: Annotated[str, typer.Argument(help="The destination.")],
    data: OfData = None,
    config: OfConfig = None,
    sets: OfSet = None,
) -> None:
    """Send again what a backend refused. The collector does it, now if it runs, or as soon as it does."""
    from taximeter_collector.forward.dead_letter import DeadLetters

    holds = _config(data, config, sets)
    _must_be_known(holds, name)
    count = DeadLetters(holds.data, name).send_again()
    print(f"{count:,} requests {_when(holds)}" if count else f"{name} has refused nothing that is still here")


@app.command()
def skip(
    name: Annotated[str, typer.Argument(help="The destination.")],
    dead_letters: Annotated[
        bool, typer.Option("--dead-letters", help="Delete what was refused, instead, for good; what is unread stays.")
    ] = False,
    data: OfData = None,
    config: OfConfig = None,
    sets: OfSet = None,
) -> None:
    """Leave out what is in the journal and not sent: go on with what comes from now on. Other readers keep theirs."""
    from taximeter_collector.forward.dead_letter import DeadLetters
    from taximeter_collector.forward.orders import ask_to_skip
    from taximeter_collector.forward.orders import skip as skip_now
    from taximeter_collector.forward.overview import is_running

    holds = _config(data, config, sets)
    _must_be_known(holds, name)
    if dead_letters:
        print(f"{DeadLetters(holds.data, name).delete():,} requests that were refused are deleted")
    elif is_running(holds):
        ask_to_skip(holds.data, holds.journal.dir, name)
        print("the collector skips it now; see `taximeter forward ls`")
    else:
        print(f"{skip_now(holds.journal.dir, name):,} records are skipped")


def _config(data: Path | None, config: Path | None, sets: list[str] | None) -> Config:
    return settings(config, sets, data=data).config


def _must_be_known(config: Config, name: str) -> None:
    from taximeter_collector.forward.overview import overview

    known = [one.name for one in overview(config)]
    if name not in known:
        there = ", ".join(known) or "none"
        raise Mistake(
            f"taximeter: there is no destination {name!r} in the settings or the journal of the data folder "
            f"{config.data}; there are: {there}"
        )


def _when(config: Config) -> str:
    from taximeter_collector.forward.overview import is_running

    return "are sent again now" if is_running(config) else "will be sent again when the collector runs"


def _print_table(found: list[DestinationInfo]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for number, title in enumerate(_COLUMNS):
        table.add_column(title, justify="left" if number < 2 else "right", no_wrap=True)
    for one in found:
        numbers = (one.unread_records, one.unread_bytes)
        counts = (one.sent_items, one.failed_attempts, sum(one.dropped_items.values()), one.dead_letters)
        table.add_row(
            one.name,
            one.state,
            *(f"{number:,}" for number in numbers),
            f"{one.oldest_unread_age_s:,.0f} s" if one.unread_records else "",
            *(f"{number:,}" for number in counts),
        )
    # A terminal that is no terminal (a pipe, a log) has no width to fit into.
    (Console() if sys.stdout.isatty() else Console(width=200)).print(table)


def _remarks(one: DestinationInfo) -> list[str]:
    """What does not fit into a row."""
    lines = []
    if one.dropped_items:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(one.dropped_items.items()))
        lines.append(f"{one.name} dropped: {reasons}")
    if one.dead_letters_waiting:
        lines.append(f"{one.name}: {one.dead_letters_waiting:,} dead letters wait to be sent again")
    if one.last_error:
        lines.append(f"{one.name} last error, {_moment(one.last_error)}: {one.last_error.get('message', '')}")
    if one.state == "orphan":
        lines.append(
            f"{one.name} is in no settings and does not run, and the journal keeps everything for it: "
            f"`taximeter journal forget forward-{one.name}` lets it go"
        )
    return lines


def _moment(error: dict[str, Any]) -> str:
    at = datetime.fromtimestamp(error.get("at_unix_nano", 0) / 1e9).astimezone()
    return f"{at:%Y-%m-%d %H:%M:%S} ({error.get('reason', '')})"
