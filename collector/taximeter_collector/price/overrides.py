"""Prices of one's own, over the book: contracts, discounts, and what a deployment's name means.

>>> overrides = Overrides.read('''
... [[price]]
... provider = "anthropic"
... model = "claude-*"
... from = 2026-07-01
... multiplier = 0.85
... note = "contract 4711"
... ''')
>>> overrides.prices[0].multiplier
Fraction(17, 20)
"""

from __future__ import annotations

import difflib
import hashlib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fnmatch import fnmatchcase
from fractions import Fraction
from pathlib import Path
from typing import Any

from taximeter_collector.price.meters import BY_NAME
from taximeter_collector.price.rates import Row
from taximeter_collector.price.source import Breaks
from taximeter_collector.price.tiers import STANDARD

__all__ = ["Alias", "Overrides", "OverridesError", "Price"]


class OverridesError(Exception):
    """A file of overrides that cannot be used: every problem, each with its place."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True)
class Price:
    """`[[price]]`: rates, or a factor on those of the book, for what it matches; the first that matches holds."""

    number: int
    provider: str
    model: str
    since: datetime | None
    until: datetime | None
    tier: str
    levels: tuple[tuple[int, Mapping[str, Fraction]], ...]
    multiplier: Fraction | None
    note: str

    def matches(self, providers: Iterable[str], models: Iterable[str], tier: str, at: datetime) -> bool:
        """Whether a call of any of these names is meant."""
        return (
            (self.since is None or at >= self.since)
            and (self.until is None or at < self.until)
            and fnmatchcase(tier, self.tier)
            and any(fnmatchcase(name.lower(), self.provider) for name in providers)
            and any(fnmatchcase(name.lower(), self.model) for name in models)
        )


@dataclass(frozen=True, slots=True)
class Alias:
    """`[[alias]]`: what a name that says nothing, a deployment's say, stands for."""

    provider: str
    model: str
    means: str
    means_provider: str


@dataclass(frozen=True, slots=True)
class Overrides:
    """All of a file."""

    prices: tuple[Price, ...] = ()
    aliases: tuple[Alias, ...] = ()
    edition: str = "none"
    breaks: Breaks = field(default_factory=Breaks)

    @classmethod
    def load(cls, path: Path) -> Overrides:
        """Read a file; OverridesError with everything that is wrong."""
        try:
            return cls.read(path.read_text("utf-8"))
        except OSError as error:
            raise OverridesError([f"cannot be read: {error.strerror}"]) from error
        except UnicodeDecodeError as error:
            raise OverridesError([f"is not UTF-8: {error}"]) from error

    @classmethod
    def read(cls, text: str) -> Overrides:
        """Read the text of a file. Numbers are exact: 0.1 is a tenth."""
        try:
            document = tomllib.loads(text, parse_float=Decimal)
        except tomllib.TOMLDecodeError as error:
            raise OverridesError([f"is not TOML: {error}"]) from error
        places = _Places(text)
        problems = [
            f"{places.of_key(key)}{key}: unknown key{_suggestion(key, ('price', 'alias'))}"
            for key in document
            if key not in ("price", "alias")
        ]
        prices = [
            _price(number, entry, _Entry(places, "price", number, problems))
            for number, entry in _entries(document, "price", problems)
        ]
        aliases = [
            _alias(entry, _Entry(places, "alias", number, problems))
            for number, entry in _entries(document, "alias", problems)
        ]
        if problems:
            raise OverridesError(problems)
        instants = [at for price in prices for at in (price.since, price.until) if at]
        edition = hashlib.sha256(text.encode()).hexdigest()[:8]
        return cls(tuple(prices), tuple(aliases), edition, Breaks.of(instants))

    def price(self, providers: Iterable[str], models: Iterable[str], tier: str, at: datetime) -> Price | None:
        """The first that matches."""
        providers, models = list(providers), list(models)
        return next((price for price in self.prices if price.matches(providers, models, tier, at)), None)

    def meaning(self, provider: str | None, model: str | None) -> tuple[str | None, str | None]:
        """The provider and model that a name stands for: itself, unless an alias says otherwise."""
        for alias in self.aliases if model else ():
            if fnmatchcase((provider or "").lower(), alias.provider) and fnmatchcase(str(model).lower(), alias.model):
                return alias.means_provider or provider, alias.means
        return provider, model

    def source(self, price: Price) -> str:
        """How a `price_id` names one of them."""
        return f"overrides@{self.edition}#{price.number}"

    def row(self, price: Price, model: str, tier: str) -> Row | None:
        """The rates that one of them states."""
        since = price.since.isoformat().removesuffix("T00:00:00+00:00") if price.since else "undated"
        return Row.of(self.source(price), price.provider, model, since, tier, price.levels)


class _Places:
    """Where a table or a key stands in the text; TOML's reader does not tell."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()

    def of_key(self, key: str, after: int = 0) -> str:
        for number, line in enumerate(self._lines[after:] if key else (), after + 1):
            if number > after + 1 and after and line.lstrip().startswith("[["):
                if not line.replace(" ", "").startswith("[[price.above]]"):
                    break
            if line.partition("=")[0].strip().strip("\"'[] ") == key:
                return f"line {number}: "
        return f"line {after}: " if after else ""

    def of_table(self, name: str, number: int) -> int:
        seen = 0
        for at, line in enumerate(self._lines, 1):
            seen += line.replace(" ", "").partition("#")[0] == f"[[{name}]]"
            if seen == number:
                return at
        return 0


@dataclass(frozen=True, slots=True)
class _Entry:
    """One table of the file, and where its problems go."""

    places: _Places
    name: str
    number: int
    problems: list[str]

    def wrong(self, key: str, reason: str) -> None:
        place = self.places.of_key(key, self.places.of_table(self.name, self.number))
        named = f"{self.name} {self.number}, {key}" if key else f"{self.name} {self.number}"
        self.problems.append(f"{place}{named}: {reason}")


def _entries(document: Mapping[str, Any], name: str, problems: list[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    found = document.get(name, [])
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        problems.append(f"{name}: expected tables, each under [[{name}]]")
        return
    yield from enumerate(found, 1)


_OF_PRICE = ("provider", "model", "from", "until", "tier", "multiplier", "note", "above")
_OF_ALIAS = ("provider", "model", "means", "means_provider", "note")


def _price(number: int, entry: Mapping[str, Any], at: _Entry) -> Price:
    for key in entry:
        if key not in _OF_PRICE and key not in BY_NAME:
            at.wrong(key, f"unknown key{_suggestion(key, (*_OF_PRICE, *BY_NAME))}")
    rates = _rates(entry, at)
    multiplier = _amount(entry["multiplier"], "multiplier", at) if "multiplier" in entry else None
    levels = [(0, rates), *_above(entry.get("above", []), rates, at)]
    if not any(key in entry for key in BY_NAME) and "multiplier" not in entry:
        at.wrong("", "needs rates, such as input and output, or a multiplier")
    if (rates or len(levels) > 1) and multiplier is not None:
        at.wrong("multiplier", "stands for rates: give one or the other")
    since, until = _instant(entry, "from", at), _instant(entry, "until", at)
    if since and until and until <= since:
        at.wrong("until", "must be later than from")
    return Price(
        number,
        _text(entry, "provider", at, "*").lower(),
        _text(entry, "model", at, "*").lower(),
        since,
        until,
        _text(entry, "tier", at, STANDARD if multiplier is None else "*").lower(),
        tuple(levels),
        multiplier,
        _text(entry, "note", at, ""),
    )


def _alias(entry: Mapping[str, Any], at: _Entry) -> Alias:
    for key in entry:
        if key not in _OF_ALIAS:
            at.wrong(key, f"unknown key{_suggestion(key, _OF_ALIAS)}")
    for key in ("model", "means"):
        if key not in entry:
            at.wrong(key, "is missing")
    texts = {key: _text(entry, key, at, "") for key in _OF_ALIAS}
    return Alias(
        (texts["provider"] or "*").lower(), texts["model"].lower(), texts["means"], texts["means_provider"].lower()
    )


def _rates(entry: Mapping[str, Any], at: _Entry) -> dict[str, Fraction]:
    found = {key: _amount(value, key, at) for key, value in entry.items() if key in BY_NAME}
    return {key: amount for key, amount in found.items() if amount is not None}


def _above(entries: Any, base: Mapping[str, Fraction], at: _Entry) -> Iterator[tuple[int, dict[str, Fraction]]]:
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        at.wrong("above", "expected tables, each under [[price.above]]")
        return
    rates, before = dict(base), 0
    for entry in entries:
        over = entry.get("input_tokens")
        if isinstance(over, bool) or not isinstance(over, int) or over <= before:
            at.wrong(
                "input_tokens",
                f"{over!r}: expected a whole number of tokens above {before}, rising from table to table",
            )
            return
        for key in entry:
            if key != "input_tokens" and key not in BY_NAME:
                at.wrong(key, f"unknown key{_suggestion(key, ('input_tokens', *BY_NAME))}")
        rates, before = rates | _rates(entry, at), over
        yield over, dict(rates)


def _amount(value: Any, key: str, at: _Entry) -> Fraction | None:
    """An amount in USD, or a factor: exact, and no bill is ever negative."""
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    # The digits are looked at first: 1e-999999999 is short to write and long to work out.
    if is_number and Decimal(value).is_finite() and int(Decimal(value).as_tuple().exponent) >= -18:
        if 0 <= value <= 10**9:
            return Fraction(value)
    shown = str(value) if isinstance(value, Decimal) else repr(value)
    at.wrong(key, f"{shown}: expected a number from 0 on, with at most 18 digits behind the point")
    return None


def _text(entry: Mapping[str, Any], key: str, at: _Entry, default: str) -> str:
    value = entry.get(key, default)
    if not isinstance(value, str) or (key in entry and not value.strip() and key != "note"):
        at.wrong(key, f"{value!r}: expected text")
        return default
    return value.strip()


def _instant(entry: Mapping[str, Any], key: str, at: _Entry) -> datetime | None:
    value = entry.get(key)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    if value is not None:
        at.wrong(key, f"{value!r}: expected a date such as 2026-07-01, or a time; without a zone it is UTC")
    return None


def _suggestion(key: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(key, list(known), 1, 0.6)
    return f"; did you mean {close[0]}?" if close else ""
