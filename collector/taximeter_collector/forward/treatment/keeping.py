"""Between preparing and writing, for rules about whole traces: items wait, and go when their trace is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from taximeter_collector.decode import Logs, Spans
from taximeter_collector.forward.treatment.config import TreatmentConfig, read_rule
from taximeter_collector.forward.treatment.holding import Held, Holding, Released
from taximeter_collector.forward.treatment.outgoing import Outgoing
from taximeter_collector.forward.treatment.packing import Placed, item_field, packed
from taximeter_collector.forward.treatment.preparing import Prepared, Preparing
from taximeter_collector.forward.treatment.selecting import randomness, trace_words
from taximeter_collector.forward.treatment.wire import Node
from taximeter_collector.forward.treatment.writing import Writing
from taximeter_collector.journal import Signal

__all__ = ["Keeping"]


class Keeping:
    """What waits, and what may go."""

    def __init__(self, config: TreatmentConfig, preparing: Preparing, writing: Writing) -> None:
        self._preparing = preparing
        self._writing = writing
        self._most_bytes = config.max_request_bytes
        rules = [read_rule(rule) for rule in config.keep]
        self._holding = Holding(rules, config.keep_window_s, config.keep_memory)
        self._counted = 0, 0, 0

    @property
    def held_from(self) -> int | None:
        """Nothing before this journal position waits."""
        return self._holding.held_from

    @property
    def held(self) -> int:
        """Items that wait."""
        return self._holding.held

    @property
    def size_bytes(self) -> int:
        """What they take."""
        return self._holding.size_bytes

    def take(self, prepared: Prepared, now: float, *, since: int) -> list[Outgoing]:
        """Hold what is of a trace; it is kept no more in `prepared`, where the rest stays."""
        waiting = prepared.kept & prepared.has_trace
        prepared.kept &= ~waiting
        released = list(self._held(prepared, waiting, now, since)) if waiting.any() else []
        return self._written(released)

    def due(self, now: float) -> list[Outgoing]:
        """Of traces whose time is over."""
        return self._written(self._holding.due(now))

    def make_room(self) -> list[Outgoing]:
        """Of traces that are judged early."""
        return self._written(self._holding.make_room())

    def all(self) -> list[Outgoing]:
        """Of all traces."""
        return self._written(self._holding.all())

    def _held(self, prepared: Prepared, waiting: npt.NDArray[np.bool_], now: float, since: int) -> Iterator[Released]:
        batch, columns = prepared.batch, prepared.batch.columns
        assert isinstance(columns, Spans | Logs)
        high, low = trace_words(columns)
        chosen = self._preparing.chosen(randomness(columns, low)).tolist()
        failed = batch.failed.tolist()
        if isinstance(columns, Spans):
            began, ended = columns.start_unix_nano.tolist(), columns.end_unix_nano.tolist()
        else:
            began = ended = []
        usd = prepared.usd.tolist()
        places = _places(prepared, self._holding)
        for item in np.flatnonzero(waiting).tolist():
            position, resource, scope = places[item]
            content = batch.content(item) + (prepared.appended[item] if prepared.appended else b"")
            released = self._holding.add(
                (int(high[item]), int(low[item])),
                Held(batch.signal, position, resource, scope, content, prepared.told.get(item)),
                now,
                since=since,
                is_sampled=chosen[item],
                failed=failed[item],
                began_ns=began[item] if began else 1 << 64,
                ended_ns=ended[item] if ended else 0,
                usd=usd[item] if usd else 0.0,
            )
            if released:
                yield released

    def _written(self, released: Sequence[Released]) -> list[Outgoing]:
        self._count()
        by_signal: dict[Signal, list[tuple[Held, bytes]]] = {}
        for one in released:
            for item in one.items:
                share = self._writing.share(item.signal, item.told, is_sampled=one.is_sampled)
                by_signal.setdefault(item.signal, []).append((item, item.content + share))
        return [outgoing for signal, items in by_signal.items() for outgoing in self._packed(signal, items)]

    def _packed(self, signal: Signal, items: list[tuple[Held, bytes]]) -> Iterator[Outgoing]:
        positions = [item.position for item, _ in items]
        fit = self._writing.fit(signal, lambda number: positions[number])
        for payload, numbers in packed(_side_by_side(items), self._most_bytes, fit):
            own = [positions[number] for number in numbers]
            yield Outgoing(signal, payload, len(numbers), min(own), max(own))

    def _count(self) -> None:
        """What has happened since the last time."""
        holding = self._holding
        now = holding.dropped, holding.evicted, holding.late
        for name, total, before in zip(("dropped_sampled", "evicted", "late"), now, self._counted, strict=True):
            self._writing.counts[name] += total - before
        self._counted = now


def _places(prepared: Prepared, holding: Holding) -> list[tuple[int, Node, Node]]:
    """Of each item, its position, resource and scope."""
    found: list[tuple[int, Node, Node]] = []
    for record, request in zip(prepared.batch.records, prepared.batch.requests, strict=True):
        for resource in request.resources:
            outer = holding.node(0, resource.beside)
            for scope in resource.scopes:
                inner = holding.node(1, scope.beside)
                found += [(record.position, outer, inner)] * sum(behind - first for first, behind in scope.runs)
    return found


def _side_by_side(items: Iterable[tuple[Held, bytes]]) -> Iterator[Placed]:
    """What has a resource and a scope in common, together; in the order in which these first come."""
    resources: dict[int, dict[int, list[tuple[int, Held, bytes]]]] = {}
    for number, (item, content) in enumerate(items):
        scopes = resources.setdefault(id(item.resource), {})
        scopes.setdefault(id(item.scope), []).append((number, item, content))
    for scopes in resources.values():
        for group in scopes.values():
            for number, item, content in group:
                yield item.resource, item.scope, number, item_field(content)
