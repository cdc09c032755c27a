"""The register: who has been billed for what."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]

from taximeter_collector.bill.semantics import Outcome, View, decide
from taximeter_collector.bill.settled import Settled, SpanLinks, Superseded
from taximeter_collector.bill.views import AGGREGATE, LOG, MUTE, TELLS, VERDICT, Incoming, Views, incoming

__all__ = ["Register"]

Landed = Callable[[dt.date | None], Iterable[pa.RecordBatch]]


class Register:
    def __init__(self) -> None:
        self._journals: dict[str, int] = {}
        self._views: list[View] = []
        self._days: list[int] = []
        self._seen: set[object] = set()
        self._outcomes: list[Outcome] = []
        self._parents: dict[int, int] = {}
        self._before = (0, self._outcomes, self._parents)

    @classmethod
    def open(cls, folder: Path, landed: Landed, *, remember_days: int = 400) -> Register:
        register = cls()
        for batch in landed(None):
            register.settle(pa.table(batch), SpanLinks.join([]))
        register.commit()
        return register

    def settle(self, calls: pa.Table, spans: SpanLinks) -> Settled:
        table = pa.Table.from_batches([calls]) if isinstance(calls, pa.RecordBatch) else calls
        got = incoming(table, self._journals)
        self._parents = dict(self._parents)
        for key, parent in zip(spans.span, spans.parent, strict=True):
            if parent and key:
                self._parents.setdefault(int(key), int(parent))
        first = len(self._views)
        rows = self._remember(got)
        old = self._outcomes
        self._outcomes = decide(self._views, self._parents)
        superseded = [self._superseded(at) for at in range(first) if old[at] != self._outcomes[at]]
        mine = [self._outcomes[at] if at is not None else Outcome(False, "retransmitted") for at in rows]
        return Settled(
            pa.array([each.billable for each in mine], pa.bool_()),
            pa.array([each.because for each in mine], pa.string()).dictionary_encode(),
            pa.array([self._name(each) for each in mine], pa.string()),
            pa.array(got.view_rank),
            superseded,
        )

    def commit(self) -> None:
        self._before = (len(self._views), self._outcomes, self._parents)

    def abandon(self) -> None:
        count, self._outcomes, self._parents = self._before
        for view in self._views[count:]:
            self._seen.discard(view.identity)
        del self._views[count:], self._days[count:]

    def _remember(self, got: Incoming) -> list[int | None]:
        rows: list[int | None] = []
        verdicts = got.verdict.to_pylist()
        for at, view in enumerate(_plain(got.views, verdicts)):
            if view.identity in self._seen:
                rows.append(None)
                continue
            rows.append(len(self._views))
            self._seen.add(view.identity)
            self._views.append(view)
            self._days.append(int(got.views.day[at]))
            parent = int(got.views.parent[at])
            if not view.log and view.span and parent:
                self._parents.setdefault(view.span, parent)  # type: ignore[arg-type]
        return rows

    def _superseded(self, at: int) -> Superseded:
        journal, position, item = self._views[at].identity  # type: ignore[misc]
        outcome = self._outcomes[at]
        date = dt.date(1970, 1, 1) + dt.timedelta(self._days[at])
        return Superseded(date, list(self._journals)[journal], position, item, outcome.because, self._name(outcome))

    def _name(self, outcome: Outcome) -> str | None:
        if outcome.billed_as is None:
            return None
        journal, position, item = outcome.billed_as  # type: ignore[misc]
        return f"{list(self._journals)[journal]}/{position}.{item}"


def _plain(views: Views, verdicts: list[str | None]) -> list[View]:
    found = []
    for at in range(len(views)):
        flags = int(views.flags[at])
        found.append(
            View(
                identity=(int(views.journal[at]), int(views.position[at]), int(views.item[at])),
                span=int(views.span[at]) or None,
                response_id=int(views.response[at]) or None,
                log=bool(flags & LOG),
                tells=bool(flags & TELLS),
                total=bool(flags & AGGREGATE),
                failed=bool(flags & MUTE) and not flags & VERDICT,
                verdict=verdicts[at],
                quality=(int(views.quality[at]), int(views.cost[at]), int(views.bill[at])),
                likeness=int(views.likeness[at]),
            )
        )
    return found
