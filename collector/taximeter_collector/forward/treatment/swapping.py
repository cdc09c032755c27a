"""Redacted attributes put in the place of what was sent, without taking their item apart.

The columns tell which attributes of an item the rules have changed. Where such an attribute stands once in the item, in
the bytes that everybody writes it with, others are put there; then what came out is decoded, and whatever does not say
what the redacted columns say is done again the slow way. A text that looks like an attribute deceives nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.decode import Attributes, Logs, Spans, decode_logs, decode_spans
from taximeter_collector.forward.treatment.attributes import encode_text
from taximeter_collector.forward.treatment.packing import item_field
from taximeter_collector.forward.treatment.redacting import Redacting
from taximeter_collector.forward.treatment.wire import sized
from taximeter_collector.journal import Record, Signal

__all__ = ["differing_elsewhere", "swap"]

Mask: TypeAlias = npt.NDArray[np.bool_]

_RESOURCE, _SCOPE = 0x0A, 0x12
_PAIRS = r"^(?:\{|\[(?s:.*)\{)"


def swap(
    signal: Signal,
    content: Callable[[int], bytes],
    before: Attributes,
    after: Attributes,
    redacting: Redacting,
    except_for: Mask,
) -> tuple[dict[int, bytes], Mask]:
    """Items with their attributes as they must be; and those whose attributes differ, and that could not be done."""
    changes = _Changes.of(before, after, redacting)
    if not len(changes.owners):
        return {}, np.zeros(before.owners, np.bool_)
    found: dict[int, bytes] = {}
    failed: set[int] = set()
    for owner, old, new in changes.fields(signal):
        if except_for[owner] or owner in failed:
            continue
        now = found[owner] if owner in found else content(owner)
        if now.count(old) == 1:
            found[owner] = now.replace(old, new)
        else:
            failed.add(owner)
            found.pop(owner, None)
    for owner in _wrong(signal, found, after):
        failed.add(owner)
        del found[owner]
    rest = np.zeros(before.owners, np.bool_)
    rest[list(failed)] = True
    return found, rest


@dataclass(slots=True)
class _Changes:
    """Attributes that differ: whose each is, its key and text, and what they are afterwards; None for a dropped one."""

    owners: npt.NDArray[np.int32]
    keys: list[str]
    texts: list[str]
    new_keys: list[str | None]
    new_texts: list[str | None]

    @classmethod
    def of(cls, before: Attributes, after: Attributes, redacting: Redacting) -> _Changes:
        if before is after:
            return cls(np.zeros(0, np.int32), [], [], [], [])
        dropped = redacting.dropped(before.keys)[before.codes]
        gone, left = np.flatnonzero(dropped), np.flatnonzero(~dropped)
        differ = _differ(before.text.take(pa.array(left)) if len(gone) else before.text, after.text)
        if before.keys is not after.keys:
            own = np.array(before.keys, object)[before.codes[left]]
            differ |= own != np.array(after.keys, object)[after.codes]
        which = np.flatnonzero(differ)
        places = np.concatenate([gone, left[which]])
        nothing: list[str | None] = [None] * len(gone)
        return cls(
            before.owner[places],
            [before.keys[code] for code in before.codes[places].tolist()],
            before.text.take(pa.array(places)).to_pylist(),
            nothing + [after.keys[code] for code in after.codes[which].tolist()],
            nothing + after.text.take(pa.array(which)).to_pylist(),
        )

    def fields(self, signal: Signal) -> Sequence[tuple[int, bytes, bytes]]:
        """Whose, and the bytes before and afterwards, if both are texts."""
        return [
            (
                owner,
                encode_text(signal, key, text),
                b"" if new_key is None or new_text is None else encode_text(signal, new_key, new_text),
            )
            for owner, key, text, new_key, new_text in zip(
                self.owners.tolist(), self.keys, self.texts, self.new_keys, self.new_texts, strict=True
            )
        ]


def _wrong(signal: Signal, items: dict[int, bytes], wanted: Attributes) -> list[int]:
    """The items whose attributes, decoded, are not those that are wanted."""
    if not items:
        return []
    owners = np.array(list(items), np.int64)
    payload = sized(_RESOURCE, sized(_SCOPE, b"".join(map(item_field, items.values()))))
    records = [Record(0, 0, signal, len(items), "", payload)]
    try:
        found = (decode_spans(records) if signal == Signal.TRACES else decode_logs(records)).attributes
    except ValueError:
        return list(items)
    expected = wanted.take(owners)
    same = np.diff(found.offsets) == np.diff(expected.offsets) if found.owners == expected.owners else None
    if same is None or not same.all() or len(found.codes) != len(expected.codes):
        return list(items)
    differ = _differ(found.text, expected.text)
    differ |= np.array(found.keys, object)[found.codes] != np.array(expected.keys, object)[expected.codes]
    return list(set(owners[found.owner[differ]].tolist()))


def differing_elsewhere(before: Spans | Logs, after: Spans | Logs, redacting: Redacting) -> Mask:
    """The items of which a text is another that is in none of their own attributes, or of which the columns do not show
    all that they hold."""
    found = np.zeros(len(before), np.bool_)
    for name in ("name", "status_message", "trace_state", "event_name", "severity_text", "body"):
        if hasattr(before, name):
            found |= _differ(getattr(before, name), getattr(after, name))
    if isinstance(before, Spans) and isinstance(after, Spans):
        for old, new, name in ((before.events, after.events, "name"), (before.links, after.links, "trace_state")):
            inner = _differ(getattr(old, name), getattr(new, name))
            inner[_Changes.of(old.attributes, new.attributes, redacting).owners] = True
            inner |= _with_pairs(old.attributes)
            found[np.repeat(np.arange(len(before)), np.diff(old.offsets))[inner]] = True
    elif isinstance(before, Logs):
        found |= np.asarray(pc.fill_null(pc.match_substring_regex(before.body, _PAIRS), False))
    return found | _with_pairs(before.attributes)


def _with_pairs(attributes: Attributes) -> Mask:
    """Those that have pairs in a value: of a key that is there twice, the columns show the first only."""
    found = np.zeros(attributes.owners, np.bool_)
    if attributes.structured is not None:
        places = np.flatnonzero(attributes.structured)
        pairs = np.asarray(pc.match_substring_regex(attributes.text.take(pa.array(places)), _PAIRS))
        found[attributes.owner[places[pairs]]] = True
    return found


def _differ(before: pa.Array, after: pa.Array) -> Mask:
    if before is after:
        return np.zeros(len(before), np.bool_)
    return np.array(pc.fill_null(pc.not_equal(before, after), False), dtype=np.bool_)
