"""What asking costs: every report over a week and over all of a lake of 1 and 10 million calls.

`python bench/reports.py [MILLIONS ...]`; `--folder FOLDER` keeps the lakes for the next time, `--only NAME ...` asks
only these, `times` compares ways to put calls into days and hours. Asked as the command line asks: totals, coverage and
the first fifty rows. Each question has a connection of its own; the files are in the page cache.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
from ledger import made
from taximeter_queries import NAMES, Lake, Window, ask, ask_sql, report
from taximeter_queries.dimensions import TIMES, dimension

ZONE = "Europe/Zurich"
WEEK = Window.of("2026-10-23", "2026-10-29", timezone=ZONE)
ALL = Window.of(timezone=ZONE)
_ROWS = 50
_SIDES = {"a": "model=model-00", "b": "model=model-01"}
_GROUPINGS = (
    ("day",),
    ("hour",),
    ("model", "service", "day"),
    ("user",),
    ("conversation",),
    ("trace",),
    ("tag.team",),
    ("attribute.gen_ai.attribute.03",),
)
Question = Callable[[Window], Any]


def questions(lake: Lake, only: Sequence[str]) -> dict[str, Question]:
    """What is asked, by what it is called: every report, `cost` by much else, and something that is looked up."""
    found: dict[str, Question] = {}
    for name in NAMES:
        if only and name not in only:
            continue
        told = _told(lake, name)
        if told is not None:
            found[" ".join([name, *told])] = partial(_asked, lake, name, **told)
    for by in _GROUPINGS if not only or "cost" in only else ():
        found[f"cost --by {','.join(by)}"] = partial(_asked, lake, "cost", by=by)
    return found


def _asked(lake: Lake, name: str, window: Window, **more: Any) -> Any:
    return ask(lake, name, window=window, totals=True, coverage=True, limit=_ROWS, **more)


def _told(lake: Lake, name: str) -> dict[str, Any] | None:
    """What a report asks for, of something in the middle of the week."""
    middle = Window.of("2026-10-26T12:00", "2026-10-26T12:20", timezone="UTC")
    known = ask_sql(lake, "SELECT * FROM calls WHERE conversation_id IS NOT NULL LIMIT 1", window=middle)
    said = _SIDES | known.records()[0]
    return {asked: said[asked] for asked in report(name).asks or ()}


def _measured(work: Callable[[], Any], times: int = 3) -> tuple[float, float]:
    """Seconds on the clock, and of CPU."""
    walls, cpus = [], []
    for _ in range(times):
        before, began = _cpu_s(), time.perf_counter()
        work()
        walls.append(time.perf_counter() - began)
        cpus.append(_cpu_s() - before)
    return statistics.median(walls), statistics.median(cpus)


def _cpu_s() -> float:
    taken = os.times()
    return taken.user + taken.system


def tell(folder: Path, millions: Sequence[float], only: Sequence[str]) -> None:
    """A table for each size; and how much longer the larger ones take, all of it being read."""
    over_all: dict[str, list[float]] = {}
    for size in millions:
        lake = Lake(made(folder / f"{size:g}", int(size * 1_000_000)))
        print(f"\n| {size:g} million calls | a week | CPU | all | CPU |\n|---|---|---|---|---|")
        for title, question in questions(lake, only).items():
            week, all_of_it = (_measured(partial(question, window)) for window in (WEEK, ALL))
            over_all.setdefault(title, []).append(all_of_it[1])
            times = " | ".join(f"{seconds:.2f} s" for seconds in (*week, *all_of_it))
            print(f"| `{title}` | {times} |", flush=True)
    if len(millions) > 1:
        _tell_growth(millions, over_all)


def _tell_growth(millions: Sequence[float], over_all: dict[str, list[float]]) -> None:
    print("\n| CPU over all, " + ", ".join(f"{size:g}" for size in millions) + " million | seconds | times |")
    print("|---|---|---|")
    for title, taken in over_all.items():
        growth = ", ".join(f"{later / earlier:.1f}" for earlier, later in pairwise(taken))
        print(f"| `{title}` | {', '.join(f'{seconds:.2f}' for seconds in taken)} | {growth} |")


def times(folder: Path, millions: float) -> None:
    """Into which hour, day, week and month calls go: our arithmetic, and the engine's own, over all."""
    lake = Lake(made(folder / f"{millions:g}", int(millions * 1_000_000)))
    files = lake.files("calls")
    connection = duckdb.connect()
    connection.execute(f"SET TimeZone = '{ZONE}'")
    connection.execute(
        "CREATE TABLE calls AS SELECT start_time, start_unix_nano FROM read_parquet($files)", {"files": files.paths}
    )
    assert files.first is not None
    assert files.last is not None
    print(f"| {millions:g} million calls | ours | `date_trunc` |\n|---|---|---|")
    for name in TIMES:
        ours = dimension(name, ZoneInfo(ZONE), (files.first, files.last)).expression
        engines = f"date_trunc('{name}', start_time)"
        taken = []
        for expression in (ours, engines):
            sql = f"SELECT max(calls) FROM (SELECT {expression} AS began, count(*) AS calls FROM calls GROUP BY began)"
            taken.append(_measured(lambda sql=sql: connection.execute(sql).fetchall())[1])
        print(f"| {name} | {taken[0]:.2f} s | {taken[1]:.2f} s |")
    night = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    moments = "(VALUES ($night), ($night + INTERVAL 1 HOUR)) AS two(began)"
    sql = f"SELECT count(DISTINCT date_trunc('hour', began)) FROM {moments}"
    ((hours,),) = connection.execute(sql, {"night": night}).fetchall()
    print(f"\nTwo moments, an hour apart, when the clocks go back: {hours} hour by `date_trunc`, 2 by ours.")


def main() -> None:
    """The tables, or the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=["1", "10"])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as made_up:
        folder = told.folder or Path(made_up)
        if told.what[0] == "times":
            times(folder, float(told.what[1]) if len(told.what) > 1 else 10)
        else:
            tell(folder, [float(size) for size in told.what], told.only)


if __name__ == "__main__":
    main()
