"""The sections `[forward.NAME]`: names that nobody knows before they are read, in a file, a variable or a flag."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from taximeter_collector.forward import config
from taximeter_collector.forward.config import NAME, Destination
from taximeter_collector.forward.presets import preset, presets
from taximeter_collector.settings import Setting, of

__all__ = [
    "contradictions",
    "destination_keys",
    "known_names",
    "name_problems",
    "of_flag",
    "of_presets",
    "of_variable",
    "section_name",
]

_SECTION = "forward."


def section_name(destination: str) -> str:
    """The section of a destination."""
    return f"{_SECTION}{destination}"


@cache
def destination_keys() -> dict[str, tuple[str, Setting]]:
    """The settings of a destination, by the end of their key: the field, and what is declared of it. Ours first."""
    found = dataclasses.fields(Destination)
    own = [one for one in found if one.name in Destination.__slots__]
    keys = {}
    for one in [*own, *(one for one in found if one not in own)]:
        declared = of(one)
        ending = one.name.removesuffix("_s") if declared.kind.name == "duration" else one.name
        keys[ending] = (one.name, declared)
    return keys


def known_names(keys: Iterable[str]) -> list[str]:
    """The destinations that some keys speak of, as they come.

    >>> known_names(["data", "forward.shop.endpoint", "forward.shop.key", "forward.phoenix"])
    ['shop', 'phoenix']
    """
    parts = (key.removeprefix(_SECTION).partition(".") for key in keys if key.startswith(_SECTION))
    return list(dict.fromkeys(name for name, _, _ in parts))


def name_problems(names: Iterable[str]) -> Iterator[str]:
    """What is wrong with names of destinations."""
    seen: dict[str, str] = {}
    for name in names:
        if not NAME.fullmatch(name):
            yield f"{section_name(name)}: expected a name of a-z, 0-9, '-' and '_', of at most 40"
        as_variable = name.replace("-", "_")
        if as_variable in seen:
            yield f"{section_name(name)}: has the same variables as {section_name(seen[as_variable])}"
        seen[as_variable] = name


def of_variable(name: str) -> str | None:
    """The key that a variable stands for, if it is of a destination that is named nowhere else.

    >>> of_variable("FORWARD_MY_SHOP_TLS_KEY"), of_variable("FORWARD_SHOP_NONSENSE")
    ('forward.my_shop.tls_key', None)
    """
    told = name.lower()
    if name != name.upper() or not told.startswith("forward_"):
        return None
    for ending in sorted(destination_keys(), key=len, reverse=True):
        destination = told.removeprefix("forward_").removesuffix(f"_{ending}")
        if told.endswith(f"_{ending}") and NAME.fullmatch(destination):
            return f"{section_name(destination)}.{ending}"
    return None


def of_presets(given: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any, str]]:
    """Key, value and origin of what presets fill in. A destination that is called as one is, and names none, has it."""
    told = dict(given)
    for name in known_names(told):
        chosen = told.get(f"{section_name(name)}.preset") or (name if name in presets() else "")
        if chosen in presets():
            origin = f"preset {chosen}"
            yield f"{section_name(name)}.preset", chosen, origin
            for ending, value in preset(chosen).settings.items():
                yield f"{section_name(name)}.{ending}", value, origin


def contradictions(destinations: Mapping[str, Destination]) -> Iterator[str]:
    """Settings that are right one by one, and wrong together."""
    for name, destination in destinations.items():
        yield from config.contradictions(name, destination, presets())


def of_flag(told: str) -> dict[str, str]:
    """The settings that `--forward` stands for: `URL`, `NAME=URL`, or the name of a preset that knows its endpoint.

    >>> of_flag("http://localhost:6006"), of_flag("shop=grpc://a.example:4317")
    ({'forward.localhost-6006.endpoint': 'http://localhost:6006'}, {'forward.shop.endpoint': 'grpc://a.example:4317'})
    >>> of_flag("phoenix")
    {'forward.phoenix.enabled': 'true'}
    """
    name, equals, url = told.partition("=")
    if "://" not in name and equals:
        return {f"{section_name(name.strip())}.endpoint": url.strip()}
    if "://" not in told:
        return {f"{section_name(told.strip())}.enabled": "true"}
    place = urlsplit(told).netloc.rpartition("@")[2].lower()
    named = re.sub(r"[^a-z0-9]+", "-", place).strip("-")[:40]
    return {f"{section_name(named)}.endpoint": told}
