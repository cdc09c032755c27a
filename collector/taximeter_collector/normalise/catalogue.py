"""All dialects, and which of them a name or a key belongs to."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import TypeVar

from taximeter_collector.normalise import dialects
from taximeter_collector.normalise.dialect import Dialect, Key

__all__ = ["CONTENT_KINDS", "Catalogue", "Patterns", "catalogue"]

CONTENT_KINDS = ("", "input", "output", "system", "tools", "tool_input", "tool_output", "other")
_T = TypeVar("_T")
_MOST_REMEMBERED = 20_000  # names come from senders, and there is no end to them


class Patterns:
    """Names, some of which end in a star, and what each stands for. The longest that fits has the word."""

    def __init__(self, meanings: Iterable[tuple[str, _T]]) -> None:
        self._exact: dict[str, list[object]] = {}
        self._beginnings: list[tuple[str, object]] = []
        self._remembered: dict[str, tuple[object, ...]] = {}
        for pattern, meaning in meanings:
            if pattern.endswith("*"):
                self._beginnings.append((pattern[:-1], meaning))
            else:
                self._exact.setdefault(pattern, []).append(meaning)
        self._beginnings.sort(key=lambda one: -len(one[0]))

    def all(self, name: str) -> tuple[object, ...]:
        """Everything that a name stands for, the most exact first."""
        found = self._remembered.get(name)
        if found is None:
            begun = [meaning for beginning, meaning in self._beginnings if name.startswith(beginning)]
            found = (*self._exact.get(name, ()), *begun)
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[name] = found
        return found

    def best(self, name: str) -> object | None:
        """The most exact of them."""
        found = self.all(name)
        return found[0] if found else None


class Catalogue:
    """The dialects, weakest precedence first, with their tables made ready for looking up."""

    def __init__(self, known: Sequence[Dialect]) -> None:
        self.dialects = sorted(known, key=lambda dialect: (dialect.precedence, dialect.name))
        self.conventions = next(dialect for dialect in known if dialect.name == "conventions")
        self._number = {dialect.name: number for number, dialect in enumerate(self.dialects)}
        self.by_scope = self._marks(lambda dialect: dialect.scopes)
        self.by_key = self._marks(lambda dialect: dialect.keys)
        self.by_name = self._marks(self._names)
        self.content = [self._table(dialect, lambda one: one.content) for dialect in self.dialects]
        self.bodies = [self._table(dialect, lambda one: one.body) for dialect in self.dialects]
        self.tags = [self._table(dialect, _tags) for dialect in self.dialects]
        self.operations = [Patterns(dialect.by_name.items()) for dialect in self.dialects]
        self.verdicts = [Patterns(dialect.verdicts.items()) for dialect in self.dialects]
        self.sources = [self._sources(dialect) for dialect in self.dialects]

    def _names(self, dialect: Dialect) -> Iterable[str]:
        """What names a dialect's own records have: not those that it has in common with the conventions."""
        shared = () if dialect is self.conventions else (*self.conventions.by_name, *self.conventions.measures)
        return (*dialect.names, *(name for name in (*dialect.by_name, *dialect.measures) if name not in shared))

    def _marks(self, patterns: Callable[[Dialect], Iterable[str]]) -> Patterns:
        return Patterns(
            (pattern, number) for number, dialect in enumerate(self.dialects) for pattern in patterns(dialect)
        )

    def _table(self, dialect: Dialect, table: Callable[[Dialect], Mapping[str, str]]) -> Patterns:
        """A dialect's own table, and behind it that of the conventions."""
        rest = table(self.conventions).items() if dialect.knows_conventions and dialect is not self.conventions else ()
        return Patterns([*table(dialect).items(), *rest])

    def _sources(self, dialect: Dialect) -> dict[str, tuple[Key, ...]]:
        rest: Mapping[str, Sequence[Key]] = self.conventions.fields if dialect.knows_conventions else {}
        if dialect is self.conventions:
            rest = {}
        names = {**dialect.fields, **rest}
        return {name: (*dialect.fields.get(name, ()), *rest.get(name, ())) for name in names}


def _tags(dialect: Dialect) -> dict[str, str]:
    """Patterns of tags; of what is no tag, nothing."""
    return {tag.removeprefix("-"): "" if tag.startswith("-") else tag for tag in dialect.tags}


@cache
def catalogue() -> Catalogue:
    """Every dialect that there is a module for."""
    names = [module.name for module in pkgutil.iter_modules(dialects.__path__) if not module.name.startswith("_")]
    return Catalogue([importlib.import_module(f"{dialects.__name__}.{name}").DIALECT for name in names])
