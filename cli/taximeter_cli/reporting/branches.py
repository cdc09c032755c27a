"""The spans of a trace as a tree, and the parts of it that are worth a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from taximeter_cli.reporting.numbers import usd

__all__ = ["Branch", "Node", "branches", "grown"]

_MOST_CHILDREN = 30
_MOST_LINES = 500
_MOST_DEEP = 40


@dataclass(slots=True, eq=False)
class Node:
    """A span."""

    row: dict[str, Any]
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)

    @property
    def is_error(self) -> bool:
        """Whether it failed."""
        return self.row.get("status") == "error"

    @property
    def time(self) -> tuple[float, float] | None:
        """From when to when, in milliseconds since the trace began."""
        begin = self.row["offset_ms"]
        return None if begin is None else (begin, begin + max(self.row["duration_ms"] or 0.0, 0.0))

    @property
    def cost_usd(self) -> Decimal | None:
        """What it and all below it cost."""
        found: Decimal | None = self.row.get("subtree_cost_usd", self.row.get("cost_usd"))
        return found

    def walk(self) -> Iterator[Node]:
        """It, and all below it."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += reversed(node.children)


@dataclass(frozen=True, slots=True)
class Branch:
    """A line of the tree: a span, or what is said of those that are left out."""

    node: Node | None
    twigs: tuple[str, ...]
    said: str = ""


def grown(rows: Sequence[dict[str, Any]]) -> list[Node]:
    """The roots, each with all that is below it. The rows are in the order of the tree, and say how deep they are."""
    roots: list[Node] = []
    path: list[Node] = []
    for row in rows:
        del path[max(int(row["depth"] or 0), 0) :]
        node = Node(row, path[-1] if path else None)
        (path[-1].children if path else roots).append(node)
        path.append(node)
    return roots


def branches(roots: Sequence[Node], *, full: bool = False, deepest: int = _MOST_DEEP) -> Iterator[Branch]:
    """The lines, from the top. Unless all are wanted, of many children the failed and the longest, and nothing that is
    deeper than `deepest`; what is left out is said where it would be."""
    most = len(roots) if full else _MOST_CHILDREN
    waiting: list[tuple[Node | None, tuple[str, ...], str]] = _below(roots, (), most, is_root=True)
    lines = 0
    while waiting:
        node, twigs, said = waiting.pop()
        lines += 1
        yield Branch(node, twigs, said)
        if node is None or not node.children:
            continue
        if not full and (len(twigs) >= min(deepest, _MOST_DEEP) or lines > _MOST_LINES):
            waiting.append((None, (*_continued(twigs), "last"), _left_out(node.children, "more below")))
        else:
            waiting += _below(node.children, twigs, len(node.children) if full else _MOST_CHILDREN)


def _below(
    children: Sequence[Node], twigs: tuple[str, ...], most: int, is_root: bool = False
) -> list[tuple[Node | None, tuple[str, ...], str]]:
    """Lines for children, the last first, as a stack has them."""
    kept = children
    if len(children) > most:
        worth = sorted(children, key=lambda node: (not node.is_error, -(node.row["duration_ms"] or 0.0)))
        chosen = {id(node) for node in worth[: most - 1]}
        kept = [node for node in children if id(node) in chosen]
    lines: list[tuple[Node | None, str]] = [(node, "") for node in kept]
    if len(kept) < len(children):
        chosen = {id(node) for node in kept}
        lines.append((None, _left_out([node for node in children if id(node) not in chosen], "more")))
    before = _continued(twigs)
    return [
        (node, () if is_root else (*before, "last" if at == len(lines) - 1 else "middle"), said)
        for at, (node, said) in reversed(list(enumerate(lines)))
    ]


def _continued(twigs: tuple[str, ...]) -> tuple[str, ...]:
    """What stands before the lines below a line."""
    return (*twigs[:-1], "below" if twigs[-1] == "last" else "beside") if twigs else ()


def _left_out(nodes: Sequence[Node], where: str) -> str:
    all_of_them = [one for node in nodes for one in node.walk()]
    errors = sum(one.is_error for one in all_of_them)
    costs = [cost for node in nodes if (cost := node.cost_usd) is not None]
    said = [f"… {len(all_of_them):,} {where}"]
    said += [f"{errors:,} error{'s'[: errors != 1]}"] if errors else []
    said += [usd(sum(costs, Decimal(0)))] if costs else []
    return ", ".join(said)
