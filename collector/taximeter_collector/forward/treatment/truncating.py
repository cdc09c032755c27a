"""What is done about an item that is larger than a request may be.

Of a span or a log record the longest texts are cut, all to the same length, until it fits. Keys are never cut, and a
text is cut between characters; behind it stands how much is missing, and an attribute tells how much that is together.
A text that was JSON is none any more. The points of a metric are sent in several metrics; a point that does not fit by
itself is not cut, because with other attributes it would be another series.
"""

from __future__ import annotations

from collections.abc import Iterator

from taximeter_collector.forward.treatment.attributes import encode_int
from taximeter_collector.forward.treatment.tree import ITEMS, Branch, Leaf, leaves, read_tree, written
from taximeter_collector.forward.treatment.wire import LENGTHS, fields_of, sized, varint
from taximeter_collector.journal import Signal

__all__ = ["TRUNCATED", "cut", "points_in", "split_metric"]

TRUNCATED = "taximeter.truncated_bytes"
_SHORTEST = 32
_HEADER_BYTES = 6
_MARKER_BYTES = 40  # at most
_ATTEMPTS = 8
_POINT = 0x0A
_KINDS = frozenset({0x2A, 0x3A, 0x4A, 0x52, 0x5A})  # gauge, sum, histogram, exponential histogram, summary


def cut(signal: Signal, content: bytes, most_bytes: int) -> bytes | None:
    """A span or a log record, with its header no longer than that; None if that cannot be."""
    wanted = most_bytes - _HEADER_BYTES
    excess = len(content) - wanted + _MARKER_BYTES + len(TRUNCATED)
    for _ in range(_ATTEMPTS):
        tree = read_tree(ITEMS[signal], content)
        long = [leaf for inside, leaf in leaves(tree) if _may_be_cut(inside, leaf)]
        level = _level(sorted((len(leaf.content) for leaf in long), reverse=True), excess)
        if level is None:
            return None
        missing = sum(_shorten(leaf, level) for leaf in long)
        result = written(tree) + encode_int(signal, TRUNCATED, missing)
        if len(result) <= wanted:
            return result
        excess += len(result) - wanted
    return None


def _may_be_cut(inside: Branch, leaf: Leaf) -> bool:
    return leaf.kind in ("text", "bytes") and not inside.is_pair and len(leaf.content) > _SHORTEST


def _level(lengths: list[int], excess: int) -> int | None:
    """The length to which to cut what is longer, so that this much goes; None if there is not so much."""
    total = 0
    for count, length in enumerate(lengths, 1):
        total += length
        following = lengths[count] if count < len(lengths) else _SHORTEST
        level = (total - excess) // count - _MARKER_BYTES
        if level >= following - _MARKER_BYTES or count == len(lengths):
            return level if level >= _SHORTEST else None
    return None


def _shorten(leaf: Leaf, level: int) -> int:
    if len(leaf.content) <= level + _MARKER_BYTES:
        return 0
    kept = leaf.content[:level]
    if leaf.kind == "text":
        kept = kept.decode(errors="ignore").encode()
    missing = len(leaf.content) - len(kept)
    content = kept if leaf.kind == "bytes" else kept + f"… [{missing} bytes cut]".encode()
    leaf.instead = b"".join((varint(leaf.tag), LENGTHS[len(content)], content))
    return missing


def points_in(metric: bytes) -> int:
    """How many data points a metric has."""
    found = 0
    for tag, _, inner, end in fields_of(metric):
        if tag in _KINDS:
            found += sum(one == _POINT for one, _, _, _ in fields_of(metric, inner, end))
    return found


def split_metric(metric: bytes, most_bytes: int) -> Iterator[tuple[bytes, bool]]:
    """Metrics with some of the points each, and whether each is as short as it must be, with its header."""
    for before, tag, beside, points, after in _lists(metric):
        room = most_bytes - len(before) - len(after) - sum(map(len, beside)) - 2 * _HEADER_BYTES
        for group in _groups(points, room):
            content = before + sized(tag, b"".join((*group, *beside))) + after
            yield content, sum(map(len, group)) <= room


def _lists(metric: bytes) -> Iterator[tuple[bytes, int, list[bytes], list[bytes], bytes]]:
    """Of a metric: what stands before its points, the kind's tag and other fields, the points, what stands behind."""
    for tag, begin, inner, end in fields_of(metric):
        if tag in _KINDS:
            points, beside = list[bytes](), list[bytes]()
            for one, first, _, behind in fields_of(metric, inner, end):
                (points if one == _POINT else beside).append(metric[first:behind])
            yield metric[:begin], tag, beside, points, metric[end:]


def _groups(points: list[bytes], room: int) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    size = 0
    for point in points:
        if group and size + len(point) > room:
            yield group
            group, size = [], 0
        group.append(point)
        size += len(point)
    if group:
        yield group
