"""All checks, one after another. One that fails is a finding, and the next one is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module

from taximeter_cli.doctoring.finding import Finding, Level, error, note
from taximeter_cli.doctoring.subject import NoSettings, Subject

__all__ = ["NAMES", "Examined", "examine", "worst"]

# Each is a module of `checks`, with a TITLE and a function `check`. In this order they are made and shown.
NAMES = (
    "environment",
    "variables",
    "instrumentations",
    "settings",
    "ports",
    "folder",
    "prices",
    "coverage",
    "journal",
    "lake",
    "dead_letters",
    "destinations",
    "conservation",
)


@dataclass(frozen=True, slots=True)
class Examined:
    """A check and what it found."""

    name: str
    title: str
    findings: tuple[Finding, ...]


def examine(subject: Subject, names: Sequence[str] = NAMES) -> Iterator[Examined]:
    """Make the checks of these names."""
    for name in names:
        yield _examined(name, subject)


def worst(examined: Sequence[Examined]) -> Level:
    """The gravest of all findings."""
    return max((one.level for each in examined for one in each.findings), key=lambda one: one.rank, default=Level.ok)


def _examined(name: str, subject: Subject) -> Examined:
    title = name.replace("_", " ")
    found: list[Finding] = []
    try:
        module = import_module(f"taximeter_cli.doctoring.checks.{name}")
        title = module.TITLE
        check: Callable[[Subject], Iterator[Finding]] = module.check
        found += [replace(one, do=subject.addressed(one.do)) for one in check(subject)]
    except NoSettings:
        found.append(note("not looked at, because the settings cannot be used", "put the settings right"))
    except Exception as failure:  # whatever it is, the other checks can still be of use
        found.append(
            error(
                f"this check failed: {type(failure).__name__}: {failure}",
                "if what it says does not help, report it, with `taximeter doctor --bundle FILE.zip`",
            )
        )
    return Examined(name, title, tuple(found))
