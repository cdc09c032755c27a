"""Traces that wait until they can be judged as a whole, in bounded memory.

A trace waits from its first item on. As soon as a rule is met it goes, for whatever comes; else, when its time is over,
`sample` decides. When there is more than the memory takes, those that wait longest are judged at once. What comes after
a trace was judged has the same fate.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias
from weakref import WeakValueDictionary

from taximeter_collector.forward.treatment.config import Rule
from taximeter_collector.forward.treatment.wire import Node
from taximeter_collector.journal import Signal

__all__ = ["Held", "Holding", "Released"]

_MOST_JUDGED = 1 << 16
_ITEM_BYTES, _TRACE_BYTES = 240, 600  # what Python takes for them

TraceId: TypeAlias = tuple[int, int]


@dataclass(slots=True)
class Held:
    """An item that waits, treated already."""

    signal: Signal
    position: int
    resource: Node
    scope: Node
    content: bytes
    told: float | None = None
    """With what probability a sampler before us has sent it."""
    size: int = 0


@dataclass(slots=True)
class Released:
    """What may go."""

    items: Sequence[Held]
    is_sampled: bool
    """Whether it goes because of `sample`, and by no rule."""


@dataclass(slots=True)
class _Trace:
    until: float
    is_sampled: bool
    first: int
    failed: bool = False
    began_ns: int = 1 << 64
    ended_ns: int = 0
    usd: float = 0.0
    size: int = _TRACE_BYTES
    items: list[Held] = field(default_factory=list)

    def meets(self, rules: Iterable[Rule]) -> bool:
        for rule in rules:
            if (
                (rule.kind == "errors" and self.failed)
                or (rule.kind == "slower" and self.ended_ns - self.began_ns > rule.more_than * 1e9)
                or (rule.kind == "dearer" and self.usd > rule.more_than)
            ):
                return True
        return False


class Holding:
    """Traces by their ids, in the order in which they began to wait."""

    def __init__(self, rules: Sequence[Rule], window_s: float, most_bytes: int) -> None:
        self._rules = rules
        self._window_s = window_s
        self._most_bytes = most_bytes
        self._traces: OrderedDict[TraceId, _Trace] = OrderedDict()
        self._judged: OrderedDict[TraceId, str] = OrderedDict()
        self._nodes: WeakValueDictionary[tuple[int, bytes], Node] = WeakValueDictionary()
        self._bytes = 0
        self.dropped = 0
        """Items of traces that were not kept; likewise the next three since the beginning: traces, items, items."""
        self.evicted = 0
        self.late = 0

    @property
    def held(self) -> int:
        """Items that wait."""
        return sum(len(trace.items) for trace in self._traces.values())

    @property
    def size_bytes(self) -> int:
        """What they take, more or less."""
        return self._bytes

    @property
    def held_from(self) -> int | None:
        """No journal position before this one is waited with."""
        return next((trace.first for trace in self._traces.values()), None)

    def node(self, level: int, beside: Sequence[bytes]) -> Node:
        """A resource or a scope, the same object for all that say the same."""
        key = level, b"".join(beside)
        found = self._nodes.get(key)
        if found is None:
            found = self._nodes[key] = Node(0, 0, list(beside))
        return found

    def add(
        self,
        trace_id: TraceId,
        item: Held,
        now: float,
        *,
        since: int,
        is_sampled: bool,
        failed: bool,
        began_ns: int,
        ended_ns: int,
        usd: float,
    ) -> Released | None:
        """Take an item; what can go because of it. `since` is where what is taken together began in the journal."""
        fate = self._judged.get(trace_id)
        if fate is not None:
            self.late += 1
            self.dropped += fate == "dropped"
            return None if fate == "dropped" else Released([item], fate == "sampled")
        trace = self._traces.get(trace_id)
        if trace is None:
            trace = self._traces[trace_id] = _Trace(now + self._window_s, is_sampled, since)
            self._bytes += trace.size
        trace.failed |= failed
        trace.began_ns, trace.ended_ns = min(trace.began_ns, began_ns), max(trace.ended_ns, ended_ns)
        trace.usd += usd
        item.size = len(item.content) + _ITEM_BYTES
        if not trace.items or trace.items[-1].scope is not item.scope:
            item.size += sum(map(len, item.resource.beside)) + sum(map(len, item.scope.beside))
        trace.items.append(item)
        trace.size += item.size
        self._bytes += item.size
        return self._judge(trace_id) if trace.meets(self._rules) else None

    def due(self, now: float) -> list[Released]:
        """Those whose time is over."""
        found = []
        while self._traces:
            trace_id, trace = next(iter(self._traces.items()))
            if trace.until > now:
                break
            found.append(self._judge(trace_id))
        return [one for one in found if one]

    def make_room(self) -> list[Released]:
        """Those that have to be judged early."""
        found = []
        while self._bytes > self._most_bytes and self._traces:
            self.evicted += 1
            found.append(self._judge(next(iter(self._traces))))
        return [one for one in found if one]

    def all(self) -> list[Released]:
        """Everything, judged now."""
        return [one for one in [self._judge(trace_id) for trace_id in list(self._traces)] if one]

    def _judge(self, trace_id: TraceId) -> Released | None:
        trace = self._traces.pop(trace_id)
        self._bytes -= trace.size
        fate = "kept" if trace.meets(self._rules) else "sampled" if trace.is_sampled else "dropped"
        self._judged[trace_id] = fate
        if len(self._judged) > _MOST_JUDGED:
            self._judged.popitem(last=False)
        if fate == "dropped":
            self.dropped += len(trace.items)
            return None
        return Released(trace.items, fate == "sampled")
