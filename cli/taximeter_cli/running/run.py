"""`taximeter run`."""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from taximeter_cli.options import Mistake, OfConfig, OfData, OfSet, settings

if TYPE_CHECKING:
    from taximeter_collector.configuration import Config

__all__ = ["OVER_BUDGET", "app"]

OVER_BUDGET = 3
_LANDS_WITHIN_S = 20.0
_LOOK_EVERY_S = 0.05


app = typer.Typer()


@app.command("run", context_settings={"allow_interspersed_args": False})  # options after the command are the command's
def run(
    command: Annotated[list[str], typer.Argument(metavar="COMMAND...", help="What to run, with its arguments.")],
    budget: Annotated[
        str | None, typer.Option(metavar="USD", help="What it may cost: at four fifths of that a warning is printed.")
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", help="End the command when the budget is spent.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no receipt.")] = False,
    data: OfData = None,
    config: OfConfig = None,
    sets: OfSet = None,
) -> None:
    """Run a command, metered, and print what it cost.

    Python programs are metered as they are; everything else that speaks OTLP is told where to send it. What was
    received stays in the lake. Streams, signals and exit code are the command's own; the receipt goes to stderr.
    """
    from taximeter_cli.running.budget import Budget
    from taximeter_cli.running.command import Command
    from taximeter_cli.running.environment import environment_of_command, replaced
    from taximeter_cli.running.lease import leased, stands
    from taximeter_cli.running.losses import Losses, elsewhere
    from taximeter_cli.running.receipt import Receipt

    limit = _usd(budget, stop=stop)
    chosen = settings(config, sets, data=data).config
    if before := replaced(os.environ):
        _say(f"telemetry goes to {chosen.data} for this run, and not to {before}")
    run_id, began = secrets.token_hex(8), datetime.now(UTC)
    with (
        tempfile.TemporaryDirectory(prefix="taximeter-run-") as notes,
        leased(chosen.run_folder, list(_collect(chosen, config, sets))) as place,
    ):
        environment = environment_of_command(os.environ, place.http, run_id, Path(notes))
        receipt, losses = Receipt(chosen.lake.dir, run_id, began), Losses.from_now_on(chosen, place)

        def stands_still() -> bool:
            return stands(chosen.run_folder, place)

        with Command(command, environment) as running, Budget(limit, receipt.cost, _say, stands_still) as watched:
            if stop:
                watched.when_spent = running.stop
            code = running.wait()
        landed = _wait_until_landed(chosen, stands_still)
        spent = watched.is_spent()
        if not quiet:
            lost = list(losses.told(Path(notes), code))
            receipt.show(Path(notes), landed=landed, lost=lost, elsewhere=elsewhere(Path(notes), place.http))
    raise typer.Exit(OVER_BUDGET if spent and stop else code)


def _collect(chosen: Config, config: Path | None, sets: list[str] | None) -> Iterator[str]:
    """The command line of a collector of ours: on a free port, and in a hurry."""
    yield from (sys.executable, "-m", "taximeter_cli.running.kept", str(chosen.run_folder))
    yield from ("collect", "--data", str(chosen.data))
    yield from ("--http", "127.0.0.1:0", "--grpc", "off", "--set", "land.commit_interval=500ms")
    if config:
        yield from ("--config", str(config))
    for one in sets or ():
        yield from ("--set", one)


def _wait_until_landed(chosen: Config, lands: Callable[[], bool]) -> bool:
    """Whether all that was acknowledged until now is in the lake."""
    from taximeter_collector.journal.segments import Folder
    from taximeter_collector.land.process import READER

    journal = Folder(chosen.journal.dir)
    head = journal.head()
    deadline = time.monotonic() + _LANDS_WITHIN_S
    while head and ((cursor := journal.cursor(READER)) is None or cursor.next < head.next):
        if time.monotonic() > deadline or not lands():
            return False
        time.sleep(_LOOK_EVERY_S)
    return True


def _usd(budget: str | None, *, stop: bool) -> Decimal | None:
    if budget is None:
        if stop:
            raise Mistake("taximeter: --stop needs a --budget")
        return None
    try:
        amount = Decimal(budget.removeprefix("$"))
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount <= 0:
        raise Mistake(f"taximeter: --budget {budget}: expected an amount in US dollars, such as 5.00")
    return amount


def _say(sentence: str) -> None:
    print(f"taximeter: {sentence}", file=sys.stderr, flush=True)
