"""What is known to be missing in a receipt: telemetry that did not get to the collector, or not further."""

from __future__ import annotations

import json
import re
import signal
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Self

from taximeter_cli.running.lease import LOG, Place, stands
from taximeter_cli.running.undelivered import FILE, GIVEN_UP, NOT_TAKEN, TAKEN

if TYPE_CHECKING:
    from taximeter_collector.configuration import Config

__all__ = ["Losses", "elsewhere"]

_PATIENCE_S = 5.0
_OF_SIGNALS = 128  # and the signal's number: the exit code of what was killed
_WITHOUT_A_WORD = ("SIGKILL", "SIGHUP", "SIGABRT", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGQUIT")
_REFUSED = re.compile(r'^taximeter_receiver_refused_requests_total\{.*reason="(\w+)".*\} (\S+)$', re.MULTILINE)
_REJECTED = re.compile(r"^taximeter_receiver_rejected_items_total\{.*\} (\S+)$", re.MULTILINE)
_REASONS = {"queue_full": "whose queue was full", "already_shutdown": "which had shut down its telemetry"}


class Losses:
    """Since the command began. What the collector counts may be of other senders, too."""

    def __init__(self, config: Config, place: Place, before: tuple[Counter[str], int] | None, letters: int) -> None:
        self._config = config
        self._place = place
        self._before = before
        self._letters = letters

    @classmethod
    def from_now_on(cls, config: Config, place: Place) -> Self:
        """Remember what the collector has counted until now."""
        return cls(config, place, _counted(place.http), _dead_letters(config))

    def told(self, notes: Path, code: int) -> Iterator[str]:
        """A sentence for each way in which something was lost. `code` is the command's exit code."""
        yield from _undelivered(notes)
        if not stands(self._config.run_folder, self._place):
            yield (
                f"the collector ended before the command, and calls of after that are not here; its log: "
                f"{self._config.run_folder / LOG}"
                if self._place.ours
                else "the collector ended before the command, and calls of after that are not here"
            )
        yield from self._refused()
        if letters := _dead_letters(self._config) - self._letters:
            yield f"{_many(letters, 'request')} could not be landed; `taximeter doctor dead_letters` says why"
        if (number := code - _OF_SIGNALS) in _signals():
            yield f"{_signals()[number]} ended it without a word: of its last second, calls may be missing"

    def _refused(self) -> Iterator[str]:
        now = _counted(self._place.http)
        if now is None or self._before is None:
            return
        refused = now[0] - self._before[0]
        if refused:
            reasons = ", ".join(f"{int(count):,} {reason}" for reason, count in sorted(refused.items()))
            yield f"the collector refused {_many(int(refused.total()), 'request')} while it ran: {reasons}"
        if rejected := now[1] - self._before[1]:
            yield f"the collector took {_many(rejected, 'broken record')} out of what it got while it ran"


def elsewhere(notes: Path, http: str) -> list[str]:
    """Where telemetry went instead of to this collector."""
    return list(dict.fromkeys(where for _, _, why, where in _read(notes) if why == TAKEN and _is_other(where, http)))


def _is_other(where: str, http: str) -> bool:
    return bool(where) and not where.startswith(http)


def _undelivered(notes: Path) -> Iterator[str]:
    lost: Counter[tuple[str, str, str]] = Counter()
    faults: Counter[str] = Counter()
    for count, what, why, where in _read(notes):
        if why == GIVEN_UP:
            faults[what] += count
        elif why != TAKEN:
            lost[what, why, where] += count
    if faults:
        told = ", ".join(f"{count:,} {where}" for where, count in faults.most_common())
        yield f"the meter in a program gave something up {_many(faults.total(), 'time')}: {told} (taximeter.faults)"
    for (what, why, where), count in lost.items():
        if why == NOT_TAKEN:
            yield f"{_many(count, what)} could not be delivered to {where}"
        else:
            yield f"{_many(count, what)} {_were(count)} dropped in the program, {_REASONS.get(why, why)}"


def _read(notes: Path) -> Iterator[tuple[int, str, str, str]]:
    try:
        lines = (notes / FILE).read_text("utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            count, what, why, where = json.loads(line)
        except ValueError:
            continue  # of a process that was killed as it wrote
        yield int(count), str(what), str(why), str(where)


def _counted(http: str) -> tuple[Counter[str], int] | None:
    """What the collector has refused, by reason, and records that it took out; None if it does not say."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{http}/metrics", timeout=_PATIENCE_S) as answer:
            text = answer.read().decode("utf-8", "replace")
    except (OSError, ValueError):
        return None
    refused: Counter[str] = Counter()
    for reason, count in _REFUSED.findall(text):
        refused[reason] += int(float(count))
    return refused, sum(int(float(count)) for count in _REJECTED.findall(text))


def _dead_letters(config: Config) -> int:
    return sum(1 for _ in (config.data / "dead-letter").glob("land-*.json"))


def _signals() -> dict[int, str]:
    return {int(one): one.name for one in signal.Signals if one.name in _WITHOUT_A_WORD}


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
