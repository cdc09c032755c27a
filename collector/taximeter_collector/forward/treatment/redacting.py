"""The rules of `[redact]` on bytes: the same texts become the same as in the lander, and nothing else is touched.

An attribute that is dropped goes with its key; one that is replaced becomes a text. In lists and pairs each text and
number is looked at by itself, as the lander looks at what is inside of JSON. A field that OTLP did not have when this
was written may hold anything, so where there are rules, it goes, unless it is a number.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from struct import unpack

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
from google.protobuf.descriptor import Descriptor

from taximeter_collector.decode.json_texts import texts_of_doubles
from taximeter_collector.forward.treatment.tree import Branch, Leaf, Unknown, read_tree, written
from taximeter_collector.forward.treatment.wire import LENGTHS, read_varint, varint
from taximeter_collector.redact.builtin import REDACTED
from taximeter_collector.redact.rules import Rules
from taximeter_collector.redact.texts import DROP, KEY, Changes, Texts
from taximeter_collector.redact.values import Values

__all__ = ["Redacting"]

_LARGE, _TOO_LARGE = 10.0**12, 10.0**18  # whole doubles whose digits are looked at, as in the lander
_VALUE_TAG, _TEXT_TAG = 0x12, 0x0A
_REDACTED_TEXT = bytes((_TEXT_TAG, len(REDACTED))) + REDACTED.encode()
_REDACTED_VALUE = bytes((_VALUE_TAG, len(_REDACTED_TEXT))) + _REDACTED_TEXT
_MOST_REMEMBERED = 1024
_MOST_REMEMBERED_BYTES = 1 << 14


@dataclass(slots=True)
class _Found:
    """What has to be looked at, by how it is looked at."""

    texts: dict[str, list[Leaf]] = field(default_factory=dict)
    numbers: dict[str, list[Leaf]] = field(default_factory=dict)
    doubles: list[tuple[Leaf, float]] = field(default_factory=list)
    """To be written as texts, all at once."""

    def write(self) -> None:
        """Doubles as they are shown."""
        texts = texts_of_doubles(pa.array([number for _, number in self.doubles], pa.float64())).to_pylist()
        for (leaf, _), text in zip(self.doubles, texts, strict=True):
            self.add(leaf, text)

    def add(self, leaf: Leaf, text: str, *, number: bool = False) -> None:
        (self.numbers if number else self.texts).setdefault(text, []).append(leaf)


class Redacting:
    """Rules, for messages of any kind."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._values = Values(rules)
        self._numbers = Texts(rules)
        self._verdicts: dict[str, int] = {}
        self._remembered: dict[tuple[str, bytes], bytes] = {}

    def __bool__(self) -> bool:
        return bool(self._rules)

    def shared(self, descriptor: Descriptor, data: bytes) -> bytes:
        """What a resource or a scope says of all its parts: the same again and again, so it is remembered."""
        key = descriptor.full_name, data
        known = self._remembered.get(key)
        if known is None:
            known = self.messages(descriptor, [data])[0]
            if len(data) <= _MOST_REMEMBERED_BYTES:
                if len(self._remembered) >= _MOST_REMEMBERED:
                    self._remembered.clear()
                self._remembered[key] = known
        return known

    def messages(self, descriptor: Descriptor, several: Sequence[bytes]) -> list[bytes]:
        """Each without what the rules take out; the same object where that is nothing."""
        if not self._rules:
            return list(several)
        trees = [read_tree(descriptor, data) for data in several]
        self._judge({key for tree in trees for key in _keys(tree)})
        found = _Found()
        for tree in trees:
            self._look(tree, found, nested=False)
        found.write()
        _replace(found.texts, self._changes(self._values, found.texts))
        if self._values.numbers:
            _replace(found.numbers, self._changes(self._numbers, found.numbers))
        return [written(tree) for tree in trees]

    def dropped(self, keys: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Which attributes of these names go."""
        found: npt.NDArray[np.bool_] = self._values.verdicts(pa.array(keys, pa.string())) == DROP
        return found

    def _changes(self, rules: Values | Texts, texts: Iterable[str]) -> Changes:
        return rules.changes(pa.array(list(texts), pa.string()))

    def _judge(self, keys: set[str]) -> None:
        new = sorted(keys - self._verdicts.keys())
        if len(self._verdicts) + len(new) > 1 << 16:
            self._verdicts, new = {}, sorted(keys)
        if new:
            self._verdicts.update(zip(new, self._values.verdicts(pa.array(new, pa.string())).tolist(), strict=True))

    def _look(self, branch: Branch, found: _Found, *, nested: bool) -> None:
        """`nested` is within a list or pairs that are a value."""
        for part in branch.parts:
            if isinstance(part, Unknown):
                part.instead = b""
            elif isinstance(part, Branch):
                if part.is_pair:
                    self._look_at_pair(part, found, nested=nested)
                else:
                    self._look(part, found, nested=nested or branch.is_value)
            elif isinstance(part, Leaf):
                if nested and branch.is_value:
                    _look_inside(part, found)
                else:
                    _look_at(part, found, judged=False)

    def _look_at_pair(self, pair: Branch, found: _Found, *, nested: bool) -> None:
        verdict = max((self._verdicts[key] for key in _own_keys(pair)), default=0)
        if verdict == DROP:
            pair.instead = b""
            return
        for part in pair.parts:
            if isinstance(part, Unknown):
                part.instead = b""
            elif isinstance(part, Leaf):
                _look_at(part, found, judged=False)
            elif isinstance(part, Branch) and verdict == KEY:
                part.instead = _REDACTED_VALUE
            elif isinstance(part, Branch) and nested:
                self._look(part, found, nested=True)
            elif isinstance(part, Branch):
                self._look_at_value(part, found)
        if verdict == KEY and not any(isinstance(part, Branch) for part in pair.parts):
            pair.parts.append(Unknown(b"", _REDACTED_VALUE))

    def _look_at_value(self, value: Branch, found: _Found) -> None:
        for part in value.parts:
            if isinstance(part, Unknown):
                part.instead = b""
            elif isinstance(part, Branch):
                self._look(part, found, nested=True)
            elif isinstance(part, Leaf):
                _look_at(part, found, judged=self._values.numbers)


def _keys(branch: Branch) -> Iterable[str]:
    if branch.is_pair:
        yield from _own_keys(branch)
    for part in branch.parts:
        if isinstance(part, Branch):
            yield from _keys(part)


def _own_keys(pair: Branch) -> list[str]:
    """The one that it has; or none, which is empty."""
    return [part.content.decode() for part in pair.parts if isinstance(part, Leaf)] or [""]


def _look_at(leaf: Leaf, found: _Found, *, judged: bool) -> None:
    """A text; or a value of its own, which is looked at as it is shown."""
    if leaf.kind == "double":
        number: float = unpack("<d", leaf.content)[0]
        whole = judged and _LARGE <= abs(number) < _TOO_LARGE and number == math.trunc(number)
        if whole:
            found.add(leaf, str(int(number)))
        else:
            found.doubles.append((leaf, number))
    elif leaf.kind == "int":
        found.add(leaf, str(_signed(leaf.content)))
    elif leaf.kind == "bool":
        found.add(leaf, "true" if read_varint(leaf.content, 0, len(leaf.content))[0] else "false")
    else:
        found.add(leaf, _text(leaf))


def _look_inside(leaf: Leaf, found: _Found) -> None:
    """A value in a list or in pairs, as it would be in JSON."""
    if leaf.kind == "int":
        found.add(leaf, str(_signed(leaf.content)), number=True)
    elif leaf.kind == "double":
        number: float = unpack("<d", leaf.content)[0]
        if math.isfinite(number):
            found.add(leaf, json.dumps(number), number=True)
        else:
            found.doubles.append((leaf, number))
    elif leaf.kind != "bool":
        found.add(leaf, _text(leaf))


def _text(leaf: Leaf) -> str:
    return base64.b64encode(leaf.content).decode() if leaf.kind == "bytes" else leaf.content.decode()


def _signed(content: bytes) -> int:
    number = read_varint(content, 0, len(content))[0] & (1 << 64) - 1
    return number - (1 << 64) if number >> 63 else number


def _replace(leaves: dict[str, list[Leaf]], changes: Changes) -> None:
    if not len(changes):
        return
    keys = np.array(list(leaves), dtype=object)[changes.places]
    for key, text in zip(keys.tolist(), changes.texts.to_pylist(), strict=True):
        for leaf in leaves[key]:
            leaf.instead = _as_text(leaf, text)


def _as_text(leaf: Leaf, text: str) -> bytes:
    """The field with another text; what was no text becomes one, in its value."""
    content = text.encode()
    tag = leaf.tag if leaf.kind == "text" else _TEXT_TAG
    return b"".join((varint(tag), LENGTHS[len(content)], content))
