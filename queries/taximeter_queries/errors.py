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
from collections.abc import Iterable, Sequence

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
    "did_you_mean",
    "meant",
]

_MOST_MEANT = 3
_LEAST_PART = 3
"""How much of a name has to be said so that it can stand for the whole."""


def meant(name: str, known: Iterable[str]) -> list[str]:
    """Which of the known names somebody probably meant, the likeliest first: those that are written almost alike, in
    whatever case, and those that he has said a part of.

    >>> meant("gtp-5", ["gpt-5", "claude-opus-4-8"]), meant("OPUS", ["gpt-5", "claude-opus-4-8"])
    (['gpt-5'], ['claude-opus-4-8'])
    """
    folded: dict[str, str] = {}
    for one in known:
        folded.setdefault(one.casefold(), one)
    said = name.casefold()
    alike = difflib.get_close_matches(said, folded, n=_MOST_MEANT, cutoff=0.6)
    parts = [one for one in folded if said in one and len(said) >= _LEAST_PART]
    return [folded[one] for one in dict.fromkeys([*alike, *parts])][:_MOST_MEANT]


def did_you_mean(names: Sequence[str]) -> str:
    """The question, for those that were probably meant.

    >>> did_you_mean(["gpt-5", "gpt-5-mini"])
    'did you mean gpt-5 or gpt-5-mini?'
    """
    return f"did you mean {' or '.join(names)}?"


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
        self.kind, self.name = kind, name
        self.suggestions = meant(name, known)
        told = did_you_mean(self.suggestions) if self.suggestions else f"known: {', '.join(known)}" if known else ""
        super().__init__(f"unknown {kind} {name!r}: {' '.join(filter(None, (told, hint)))}")


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
