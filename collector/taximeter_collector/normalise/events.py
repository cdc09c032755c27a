"""What the events of spans say of the spans."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.decode.attributes import Attributes, Index
from taximeter_collector.decode.spans import Events
from taximeter_collector.normalise.dialect import matches
from taximeter_collector.normalise.view import Mask

__all__ = ["with_events"]


def with_events(attributes: Attributes, events: Events, rows: Index, names: Sequence[str], failed: Mask) -> Attributes:
    """The attributes of some spans, and behind each span's own those of its events by these names.

    An exception counts only where the span failed by it: others were handled. Of several, the last has the word.
    """
    encoded = events.name.dictionary_encode()
    wanted = [any(matches(name, text or "") for name in names) for text in encoded.dictionary.to_pylist()]
    if not any(wanted):
        return attributes
    chosen = np.append(wanted, False)[encoded.indices.fill_null(len(wanted)).to_numpy(zero_copy_only=False)]
    place = np.full(len(events.offsets) - 1, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    span = place[np.repeat(np.arange(len(place)), np.diff(events.offsets))]
    exceptions = np.asarray(pc.equal(events.name, "exception").fill_null(False))
    found = np.flatnonzero(chosen & (span >= 0) & (~exceptions | failed[span]))
    if not len(found):
        return attributes
    found = found[np.lexsort((-found, span[found]))]  # the last event of a span first
    return _joined(attributes, events.attributes.take(found), span[found])


def _joined(own: Attributes, more: Attributes, owner_of: Index) -> Attributes:
    """The attributes of both; what is the owner of the second ones' owners is told."""
    owners = np.concatenate([own.owner, owner_of[more.owner]])
    order = np.argsort(owners, kind="stable")
    keys = list(dict.fromkeys([*own.keys, *more.keys]))
    number = {key: at for at, key in enumerate(keys)}
    renumbered = np.array([number[key] for key in more.keys], dtype=np.int32)[more.codes]
    offsets = np.zeros(own.owners + 1, dtype=np.int32)
    np.cumsum(np.bincount(owners, minlength=own.owners), out=offsets[1:])
    return Attributes(
        own.owners,
        offsets,
        keys,
        np.concatenate([own.codes, renumbered])[order],
        own.values.and_then(more.values),
        np.concatenate([own.which, more.which + len(own.values.text)]).astype(np.int32)[order],
    )
