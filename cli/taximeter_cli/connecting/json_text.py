"""JSON as people keep it, with comments and trailing commas: one setting is changed, and every other byte stays."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from taximeter_cli.connecting.tool import Path
from taximeter_cli.connecting.unfit import Unfit

__all__ = ["changed", "read", "removed"]

_SPACE = re.compile(r"(?:[ \t\r\n\ufeff]|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_EMPTY = re.compile(r"\{\s*\}")
_PLAIN = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null")


@dataclass(slots=True)
class _Value:
    """A value, and where its text is."""

    start: int
    end: int
    value: Any
    members: list[_Member] = field(default_factory=list)


@dataclass(slots=True)
class _Member:
    """A key of an object with its value; `comma` is where the comma after it is, or -1."""

    key: str
    start: int
    value: _Value
    comma: int = -1


def read(text: str) -> dict[str, Any]:
    """What it says. Unfit if it is no object in JSON."""
    found = _parsed(text).value
    assert isinstance(found, dict)
    return found


def changed(text: str, path: Path, value: Any) -> str:
    """The text with that setting. Unfit if something else is where a part of it would be."""
    text = text if _SPACE.sub("", text) else text + "{}"
    within = _parsed(text)
    for depth, key in enumerate(path[:-1]):
        member = _named(within, key)
        if member is None:
            return _added(text, within, key, _nested(path[depth + 1 :], value))
        if not isinstance(member.value.value, dict):
            raise Unfit(f"{'.'.join(path[: depth + 1])} is {json.dumps(member.value.value)[:40]}, and no object")
        within = member.value
    member = _named(within, path[-1])
    if member is None:
        return _added(text, within, path[-1], value)
    if _same(member.value.value, value):
        return text
    return text[: member.value.start] + _written(text, member.start, value) + text[member.value.end :]


def removed(text: str, path: Path) -> str:
    """The text without that setting, if it is there, and without what is empty after that."""
    within = _parsed(text)
    around = []
    for key in path:
        member = _named(within, key)
        if member is None:
            return text
        around.append((within, member))
        within = member.value
    owner, member = around.pop()
    while around and len(owner.members) == 1:
        owner, member = around.pop()
    left = _without(text, owner, member)
    empty = _EMPTY.match(left, owner.start)
    return f"{left[: owner.start]}{{}}{left[empty.end() :]}" if empty else left


def _same(one: Any, other: Any) -> bool:
    """Whether they are the same JSON: 1 and true are not."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _nested(path: Path, value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def _named(within: _Value, key: str) -> _Member | None:
    """The last of that name, which is the one that holds."""
    return next((member for member in reversed(within.members) if member.key == key), None)


def _added(text: str, within: _Value, key: str, value: Any) -> str:
    """A member more, at the object's end, laid out as its others are."""
    newline = "\r\n" if "\r\n" in text else "\n"
    close, last = within.end - 1, within.members[-1] if within.members else None
    if last and "\n" not in text[within.start : close]:
        comma = "" if last.comma >= 0 else ","
        place = last.comma + 1 if last.comma >= 0 else last.value.end
        return f"{text[:place]}{comma} {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}{text[place:]}"
    outer = _indent(text, within.start)
    inner = _indent(text, last.start) if last else outer + _unit(text)
    written = _laid_out(value, inner, _unit(text), newline)
    trailing = "," if last and last.comma >= 0 else ""
    content = text[:close].rstrip(" \t\r\n")
    if last and last.comma < 0:
        content = f"{content[: last.value.end]},{content[last.value.end :]}"
    return f"{content}{newline}{inner}{json.dumps(key)}: {written}{trailing}{newline}{outer}{text[close:]}"


def _without(text: str, owner: _Value, member: _Member) -> str:
    place = owner.members.index(member)
    start, end = member.start, member.comma + 1 if member.comma >= 0 else member.value.end
    before = owner.members[place - 1] if place else None
    if member.comma < 0 and before:
        text = f"{text[: before.comma]}{text[before.comma + 1 :]}"
        start, end = start - 1, end - 1
    line = text.rfind("\n", 0, start) + 1
    rest = re.compile(r"[ \t]*(?:\r?\n)?").match(text, end)
    assert rest
    if not text[line:start].strip() and rest[0].endswith("\n"):
        return text[:line] + text[rest.end() :]  # it had its lines for itself
    blanks = re.compile(r"[ \t]*").match(text, end)
    assert blanks
    return text[:start].rstrip(" \t") + (" " if before and blanks.end() == len(text) else "") + text[end:]


def _indent(text: str, place: int) -> str:
    """What the line begins with in which this is."""
    found = re.compile(r"[ \t]*").match(text, text.rfind("\n", 0, place) + 1)
    assert found
    return found[0]


def _unit(text: str) -> str:
    """By how much the file indents."""
    found = re.search(r"^([ \t]+)\S", text, re.MULTILINE)
    return found[1] if found else "  "


def _written(text: str, place: int, value: Any) -> str:
    return _laid_out(value, _indent(text, place), _unit(text), "\r\n" if "\r\n" in text else "\n")


def _laid_out(value: Any, indent: str, unit: str, newline: str) -> str:
    return json.dumps(value, indent=unit, ensure_ascii=False).replace("\n", newline + indent)


def _parsed(text: str) -> _Value:
    """The whole text, with the places of what is in it."""
    try:
        found, place = _value(text, _skipped(text, 0))
    except RecursionError as error:
        raise Unfit("it is nested too deeply") from error
    if _skipped(text, place) != len(text):
        raise _unexpected(text, _skipped(text, place))
    if not isinstance(found.value, dict):
        raise Unfit("it is no object in JSON")
    return found


def _value(text: str, place: int) -> tuple[_Value, int]:
    if text[place : place + 1] == "{":
        return _object(text, place)
    if text[place : place + 1] == "[":
        return _array(text, place)
    found = _STRING.match(text, place) or _PLAIN.match(text, place)
    if not found:
        raise _unexpected(text, place)
    try:
        value = json.loads(found[0])
    except ValueError as error:
        raise _unexpected(text, place) from error
    return _Value(place, found.end(), value), found.end()


def _object(text: str, start: int) -> tuple[_Value, int]:
    members: list[_Member] = []
    place = _skipped(text, start + 1)
    while text[place : place + 1] != "}":
        key = _STRING.match(text, place)
        if not key or (members and members[-1].comma < 0):
            raise _unexpected(text, place)
        colon = _skipped(text, key.end())
        if text[colon : colon + 1] != ":":
            raise _unexpected(text, colon)
        value, after = _value(text, _skipped(text, colon + 1))
        member = _Member(json.loads(key[0]), place, value)
        members.append(member)
        place = _skipped(text, after)
        if text[place : place + 1] == ",":
            member.comma = place
            place = _skipped(text, place + 1)
    return _Value(start, place + 1, {one.key: one.value.value for one in members}, members), place + 1


def _array(text: str, start: int) -> tuple[_Value, int]:
    items: list[Any] = []
    place, may_follow = _skipped(text, start + 1), True
    while text[place : place + 1] != "]":
        if not may_follow:
            raise _unexpected(text, place)
        value, after = _value(text, place)
        items.append(value.value)
        place = _skipped(text, after)
        may_follow = text[place : place + 1] == ","
        place = _skipped(text, place + 1) if may_follow else place
    return _Value(start, place + 1, items), place + 1


def _skipped(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    assert found
    return found.end()


def _unexpected(text: str, place: int) -> Unfit:
    line = text.count("\n", 0, place) + 1
    seen = text[place : place + 20].split("\n")[0]
    return Unfit(f"line {line}: unexpected {seen!r}" if seen else f"line {line}: it ends too early")
