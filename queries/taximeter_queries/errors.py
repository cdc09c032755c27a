"""What can keep a question from being answered, each with the sentence that a person needs.

QueryError
├── NoLake             there is none, or nothing has landed in it
├── BadWindow          a date, a duration or a time zone that is none
├── UnknownName        a dimension, column, report or table that is none; `suggestions` has what was probably meant
├── BadFilter          a `where` that is no condition
├── NotFound           no call, trace, conversation or model has that name
├── BadQuery           SQL that the engine cannot run
├── NotAllowed         SQL that would leave the sandbox
└── TooMuch            more time or memory than was allowed
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "BadFilter",
    "BadQuery",
    "BadWindow",
    "NoLake",
    "NotAllowed",
    "NotFound",
    "QueryError",
    "TooMuch",
    "UnknownName",
]


class QueryError(Exception):
    """A question that cannot be answered."""


class NoLake(QueryError):
    """There is no lake."""


class BadWindow(QueryError):
    """A time that cannot be understood."""


class UnknownName(QueryError):
    """A name that nothing has."""

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        """`kind` is what was expected, as in "dimension"; `hint` is what else could be done."""
        known = list(known)
        self.suggestions = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        meant = f"did you mean {' or '.join(self.suggestions)}?" if self.suggestions else f"known: {', '.join(known)}"
        super().__init__(f"unknown {kind} {name!r}: {meant}{hint and ' ' + hint}")


class BadFilter(QueryError):
    """A condition that cannot be applied."""


class NotFound(QueryError):
    """Nothing goes by that name."""


class BadQuery(QueryError):
    """SQL that cannot be run."""


class NotAllowed(QueryError):
    """SQL that would do more than read the lake's tables."""


class TooMuch(QueryError):
    """A query that was ended, because it took more than it was allowed to."""
