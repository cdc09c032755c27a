"""Items to requests that a backend takes: whole if it is small enough, and else in parts, cut between items.

In parts, a resource and a scope are repeated for the items that are left of them. An item that is too large by itself
never takes others along: it is made smaller, or set aside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from taximeter_collector.forward.treatment.wire import LENGTHS, Node, Request, read_varint

__all__ = [
    "Fields",
    "Fit",
    "Placed",
    "content_of",
    "in_parts",
    "item_field",
    "one_item",
    "packed",
    "size_beside",
    "whole",
]

_RESOURCE, _SCOPE, _ITEM = b"\x0a", b"\x12", b"\x12"
_HEADER_BYTES = 6  # a tag and a length, at most

Fields: TypeAlias = "Sequence[bytes | None] | None"
"""Of each item of a request the field to be written, with its tag, or None for what is dropped; None for all as is."""
Placed: TypeAlias = tuple[Node, Node, int, bytes]
"""A resource, a scope in it, and an item in that: by its number, and as a field."""
Fit: TypeAlias = "Callable[[Placed, int], list[bytes]]"
"""An item that is longer than that: fields that fit instead of it, if there can be any."""


def item_field(content: bytes) -> bytes:
    """An item as it stands in its scope."""
    return b"".join((_ITEM, LENGTHS[len(content)], content))


def content_of(item: bytes) -> bytes:
    """An item without its tag and length."""
    return item[read_varint(item, 1, len(item))[1] :]


def whole(request: Request, items: Fields) -> bytes | None:
    """The request with these items, all else in its place; None if nothing is left of it."""
    resources = [_resource(request, resource, items) for resource in request.resources]
    if items is not None and all(item is None for item in items):
        return None
    pieces = [request.beside[0]]
    for (first, behind), beside in zip(request.runs, request.beside[1:], strict=True):
        for resource in resources[first:behind]:
            pieces += resource
        pieces.append(beside)
    return b"".join(pieces)


def _resource(request: Request, resource: Node, items: Fields) -> list[bytes]:
    scopes = [_scope(request, scope, items) for scope in resource.scopes]
    had_items = any(scope.runs for scope in resource.scopes)
    if had_items and not any(scopes):
        return []
    pieces = [resource.beside[0]]
    for (first, behind), beside in zip(resource.runs, resource.beside[1:], strict=True):
        for scope in scopes[first:behind]:
            pieces += scope
        pieces.append(beside)
    return _headed(_RESOURCE, pieces)


def _scope(request: Request, scope: Node, items: Fields) -> list[bytes]:
    pieces = [scope.beside[0]]
    left = 0
    for (first, behind), beside in zip(scope.runs, scope.beside[1:], strict=True):
        run = _run(request, first, behind, items)
        left += len(run)
        pieces += run
        pieces.append(beside)
    return _headed(_SCOPE, pieces) if left or not scope.runs else []


def _run(request: Request, first: int, behind: int, items: Fields) -> list[bytes]:
    if items is None:
        return [request.payload[request.begins[first] : request.ends[behind - 1]]]
    return [item for item in items[first:behind] if item is not None]


def _headed(tag: bytes, pieces: list[bytes]) -> list[bytes]:
    return [tag, LENGTHS[sum(map(len, pieces))], *pieces]


def size_beside(resource: Node, scope: Node) -> int:
    """What a request has at least, besides its items."""
    return len(resource.shared) + len(scope.shared) + 2 * _HEADER_BYTES


@dataclass(slots=True)
class _Part:
    """A request in the making."""

    size: int = 0
    items: int = 0
    resources: list[tuple[Node, list[tuple[Node, list[bytes]]]]] = field(default_factory=list)

    def more_bytes(self, resource: Node, scope: Node) -> int:
        """What it takes to go on with a scope, besides its items."""
        if not self.resources or self.resources[-1][0] is not resource:
            return size_beside(resource, scope)
        if self.resources[-1][1][-1][0] is not scope:
            return len(scope.shared) + _HEADER_BYTES
        return 0

    def add(self, resource: Node, scope: Node, item: bytes) -> None:
        self.size += len(item) + self.more_bytes(resource, scope)
        self.items += 1
        if not self.resources or self.resources[-1][0] is not resource:
            self.resources.append((resource, []))
        scopes = self.resources[-1][1]
        if not scopes or scopes[-1][0] is not scope:
            scopes.append((scope, []))
        scopes[-1][1].append(item)

    def payload(self) -> bytes:
        pieces: list[bytes] = []
        for resource, scopes in self.resources:
            inner: list[bytes] = []
            for scope, items in scopes:
                inner += _headed(_SCOPE, _around(scope, items))
            pieces += _headed(_RESOURCE, _around(resource, inner))
        return b"".join(pieces)


def _around(node: Node, parts: Iterable[bytes]) -> list[bytes]:
    return [node.beside[0], *parts, *node.beside[1:]]


def one_item(resource: Node, scope: Node, item: bytes) -> bytes:
    """A request with one item."""
    part = _Part()
    part.add(resource, scope, item)
    return part.payload()


def _scopes(request: Request) -> Iterator[tuple[Node, Node]]:
    for resource in request.resources:
        for scope in resource.scopes:
            yield resource, scope


def in_parts(request: Request, items: Fields, most_bytes: int, fit: Fit) -> Iterator[tuple[bytes, list[int]]]:
    """Requests of at most so many bytes, and the numbers of the items in each."""
    return packed(_laid_out(request, items), most_bytes, fit)


def _laid_out(request: Request, items: Fields) -> Iterator[Placed]:
    for resource, scope in _scopes(request):
        for first, behind in scope.runs:
            for number in range(first, behind):
                if items is None:
                    yield resource, scope, number, request.payload[request.begins[number] : request.ends[number]]
                elif (item := items[number]) is not None:
                    yield resource, scope, number, item


def packed(placed: Iterable[Placed], most_bytes: int, fit: Fit) -> Iterator[tuple[bytes, list[int]]]:
    """The same of items from anywhere. What does not fit into any request is up to `fit`."""
    part, numbers = _Part(), list[int]()
    for resource, scope, number, item in placed:
        room = most_bytes - size_beside(resource, scope)
        for one in [item] if len(item) <= room else fit((resource, scope, number, item), room):
            if part.items and part.size + len(one) + part.more_bytes(resource, scope) > most_bytes:
                yield part.payload(), numbers
                part, numbers = _Part(), []
            part.add(resource, scope, one)
            numbers.append(number)
    if part.items:
        yield part.payload(), numbers
