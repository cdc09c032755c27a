"""Redacted attributes and texts put in the place of what was sent, without taking their item apart.

The columns tell what of an item the rules have changed. Where such an attribute or text stands once in the item, in the
bytes that everybody writes it with, others are put there; then what came out is decoded, and whatever does not say
what the redacted columns say is done again the slow way. A text that looks like an attribute deceives nobody.
"""

from __future__ import annotations

from collections.abc import Callable
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
Columns: TypeAlias = Spans | Logs

_RESOURCE, _SCOPE = 0x0A, 0x12
_PAIRS = r"^(?:\{|\[(?s:.*)\{)"


def swap(
    signal: Signal, content: Callable[[int], bytes], before: Columns, after: Columns, redacting: Redacting, but: Mask
) -> tuple[dict[int, bytes], Mask]:
    """Items as they must be, and those that differ and could not be done. Those in the mask are not looked at."""
    fields = _Changes.of(before.attributes, after.attributes, redacting).fields(signal)
    for name, written in _TEXTS[signal].items():
        fields += _texts(getattr(before, name), getattr(after, name), written)
    found: dict[int, bytes] = {}
    failed: set[int] = set()
    for owner, old, new in fields:
        if but[owner] or owner in failed:
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
    rest = np.zeros(len(before), np.bool_)
    rest[list(failed)] = True
    return found, rest


def _texts(before: pa.Array, after: pa.Array, written: Callable[[str], bytes]) -> list[tuple[int, bytes, bytes]]:
    """Whose text is another, and the bytes before and afterwards."""
    rows = np.flatnonzero(_differ(before, after))
    several = zip(
        rows.tolist(), before.take(pa.array(rows)).to_pylist(), after.take(pa.array(rows)).to_pylist(), strict=True
    )
    return [(row, written(old), written(new)) for row, old, new in several]


def _text_in(*tags: int) -> Callable[[str], bytes]:
    """How a text is written that is in a field, or in a field of a field."""

    def written(text: str) -> bytes:
        content = text.encode()
        for tag in reversed(tags):
            content = sized(tag, content)
        return content

    return written


_TEXTS: dict[Signal, dict[str, Callable[[str], bytes]]] = {
    Signal.TRACES: {"name": _text_in(0x2A), "trace_state": _text_in(0x1A)},
    Signal.LOGS: {"body": _text_in(0x2A, 0x0A), "severity_text": _text_in(0x1A), "event_name": _text_in(0x62)},
}


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

    def fields(self, signal: Signal) -> list[tuple[int, bytes, bytes]]:
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


def _wrong(signal: Signal, items: dict[int, bytes], wanted: Columns) -> list[int]:
    """The items that, decoded, do not say what is wanted."""
    if not items:
        return []
    owners = np.array(list(items), np.int64)
    payload = sized(_RESOURCE, sized(_SCOPE, b"".join(map(item_field, items.values()))))
    records = [Record(0, 0, signal, len(items), "", payload)]
    try:
        columns = decode_spans(records) if signal == Signal.TRACES else decode_logs(records)
    except ValueError:
        return list(items)
    found, expected = columns.attributes, wanted.attributes.take(owners)
    if not np.array_equal(found.offsets, expected.offsets):
        return list(items)
    differ = _differ(found.text, expected.text)
    differ |= np.array(found.keys, object)[found.codes] != np.array(expected.keys, object)[expected.codes]
    wrong = np.zeros(len(owners), np.bool_)
    wrong[found.owner[differ]] = True
    for name in _TEXTS[signal]:
        told, meant = getattr(columns, name), getattr(wanted, name).take(pa.array(owners))
        wrong |= np.asarray(pc.fill_null(told, "")) != np.asarray(pc.fill_null(meant, ""))
    found_wrong: list[int] = owners[wrong].tolist()
    return found_wrong


def differing_elsewhere(before: Columns, after: Columns, redacting: Redacting) -> Mask:
    """The items of which another text differs than those that can be swapped, or of which the columns do not show all
    that they hold."""
    found = np.zeros(len(before), np.bool_)
    if isinstance(before, Spans) and isinstance(after, Spans):
        found |= _differ(before.status_message, after.status_message)
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
