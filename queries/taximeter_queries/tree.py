"""Spans as a tree: whatever was sent, each has one place in it.

What is around a span may not be there, may be there twice, or may be inside it after all. A span whose parent is
missing is a root; of spans that are around one another, the earliest is.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field

__all__ = ["Node", "covered", "in_order", "planted"]


@dataclass(slots=True, eq=False)
class Node:
    """A span in the tree. `at` is its place among those that were given."""

    at: int
    start: int
    end: int
    parent: Node | None = None
    below: list[Node] = field(default_factory=list)
    depth: int = 0


def planted(
    ids: Sequence[Hashable | None], parents: Sequence[Hashable | None], times: Sequence[tuple[int, int]]
) -> list[Node]:
    """The nodes, as they were given. Of several with one id, what is below hangs on the first."""
    nodes = [Node(at, start, max(start, end)) for at, (start, end) in enumerate(times)]
    of_id: dict[Hashable, Node] = {}
    for node, known in zip(nodes, ids, strict=True):
        if known is not None:
            of_id.setdefault(known, node)
    for node, around in zip(nodes, parents, strict=True):
        found = of_id.get(around) if around is not None else None
        node.parent = None if found is node else found
    _cut_circles(nodes)
    for node in nodes:
        if node.parent:
            node.parent.below.append(node)
    return nodes


def in_order(nodes: Sequence[Node]) -> Iterator[Node]:
    """From the roots down, each before what is below it, and by time where it is open; depths are set on the way."""
    waiting = sorted((node for node in nodes if not node.parent), key=_when, reverse=True)
    while waiting:
        node = waiting.pop()
        node.depth = node.parent.depth + 1 if node.parent else 0
        yield node
        waiting.extend(sorted(node.below, key=_when, reverse=True))


def covered(node: Node) -> int:
    """How much of a node's time is that of nodes below it: what several do at once counts once."""
    total, reached = 0, node.start
    for start, end in sorted((one.start, one.end) for one in node.below):
        begins, ends = max(start, reached), min(end, node.end)
        if ends > begins:
            total += ends - begins
            reached = ends
    return total


def _when(node: Node) -> tuple[int, int]:
    return node.start, node.at


def _cut_circles(nodes: Sequence[Node]) -> None:
    """The earliest of those that go round loses its parent."""
    done: set[int] = set()
    for node in nodes:
        path: dict[int, Node] = {}
        one: Node | None = node
        while one and one.at not in done and one.at not in path:
            path[one.at] = one
            one = one.parent
        if one and one.at in path:
            circle = list(path.values())[list(path).index(one.at) :]
            min(circle, key=_when).parent = None
        done.update(path)
