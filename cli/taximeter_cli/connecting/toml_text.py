"""TOML: settings are changed with tomlkit, which keeps comments and order, and the result is read again by tomllib."""

from __future__ import annotations

import tomllib
from collections.abc import MutableMapping
from typing import Any

import tomlkit
from tomlkit.container import OutOfOrderTableProxy
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Table

from taximeter_cli.connecting.tool import Path
from taximeter_cli.connecting.unfit import Unfit

__all__ = ["changed", "read", "removed"]

_FAULTS = (TOMLKitError, ValueError, AttributeError, KeyError, TypeError, IndexError)
"""What tomlkit raises where it does not know what to do; nothing is written then."""


def read(text: str) -> dict[str, Any]:
    """What it says. Unfit if it is no TOML."""
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise Unfit(str(error)) from error


def changed(text: str, path: Path, value: Any) -> str:
    """The text with that setting. Unfit if something else is where a part of it would be."""
    document = _parsed(text)
    within: MutableMapping[str, Any] = document
    for depth, key in enumerate(path[:-1]):
        if key not in within:
            within[key] = tomlkit.table()
        within = within[key]
        if not isinstance(within, MutableMapping):
            raise Unfit(f"{'.'.join(path[: depth + 1])} is no table")
    if path[-1] in within and _plain(within[path[-1]]) == value:
        return text
    try:
        if isinstance(within.get(path[-1]), (Table, OutOfOrderTableProxy)):
            del within[path[-1]]  # in its place, a value would stand within another table
        within[path[-1]] = _as_item(value)
    except _FAULTS as error:
        raise Unfit(str(error)) from error
    return _written(document, text)


def removed(text: str, path: Path) -> str:
    """The text without that setting, if it is there, and without the table that is empty after that."""
    document = _parsed(text)
    tables: list[MutableMapping[str, Any]] = [document]
    for key in path[:-1]:
        below = tables[-1].get(key)
        if not isinstance(below, MutableMapping):
            return text
        tables.append(below)
    if path[-1] not in tables[-1]:
        return text
    try:
        for owner, key in zip(reversed(tables), reversed(path), strict=True):
            del owner[key]
            if owner:
                break
    except _FAULTS as error:
        raise Unfit(str(error)) from error
    return _written(document, text)


def _parsed(text: str) -> tomlkit.TOMLDocument:
    read(text)
    try:
        return tomlkit.parse(text)
    except _FAULTS as error:
        raise Unfit(str(error)) from error


def _written(document: tomlkit.TOMLDocument, before: str) -> str:
    try:
        text = tomlkit.dumps(document)
    except _FAULTS as error:
        raise Unfit(str(error)) from error
    if "\r\n" in before:
        text = text.replace("\r\n", "\n").replace("\n", "\r\n")
    return text


def _as_item(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    table = tomlkit.inline_table()
    for key, one in value.items():
        table[key] = _as_item(one)
    return table


def _plain(value: Any) -> Any:
    return value.unwrap() if hasattr(value, "unwrap") else value
