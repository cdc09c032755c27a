"""What could not be landed and what backends refused: how much, and why."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from taximeter_collector.forward.dead_letter import DeadLetters

from taximeter_cli.doctoring.finding import Finding, counted, ok, warning
from taximeter_cli.doctoring.subject import Subject

__all__ = ["TITLE", "check"]

TITLE = "Dead letters"


def check(subject: Subject) -> Iterator[Finding]:
    """By the facts beside each. A reason may quote what was sent, so only its kind is told."""
    folder = subject.config.data / "dead-letter"
    found = [*_of_lander(folder), *_of_destinations(subject.config.data)]
    yield from found or [ok("none: all could be landed, and no backend has refused anything for good")]


def _of_lander(folder: Path) -> Iterator[Finding]:
    kinds: Counter[str] = Counter()
    files = sorted(folder.glob("land-*.json"))
    for file in files:
        with suppress(OSError, ValueError, KeyError):
            kinds[str(json.loads(file.read_bytes())["reason"]).partition(":")[0]] += 1
    if files:
        yield warning(
            f"{counted(len(files), 'request')} could not be landed, so in no report: {_listed(kinds)}",
            f"{files[-1]} says why, the .otlp beside it is the request. Report it if it should have landed; "
            "delete both when you need them no more",
            requests=len(files),
            reasons=dict(kinds),
        )


def _of_destinations(data: Path) -> Iterator[Finding]:
    for folder in sorted((data / "dead-letter").glob("forward-*")):
        name = folder.name.removeprefix("forward-")
        letters = DeadLetters(data, name)
        kept, waiting = letters.letters(), letters.waiting()
        if kept:
            items = sum(one.items for one in kept)
            kinds = Counter(one.reason.partition(":")[0] for one in kept)
            yield warning(
                f"{name} has refused {counted(len(kept), 'request')} with {counted(items, 'item')}: {_listed(kinds)}",
                f"{folder} has them, with what was said. taximeter forward retry {name}, when it is put right; or "
                f"taximeter forward skip {name} --dead-letters",
                destination=name,
                requests=len(kept),
                reasons=dict(kinds),
            )
        if waiting:
            yield ok(f"{name}: {counted(len(waiting), 'request')} that it refused, to be sent again", destination=name)


def _listed(kinds: Counter[str]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(5)) or "the reasons cannot be read"
