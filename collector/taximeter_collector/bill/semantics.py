"""What is billed, said once and plainly: a function of the set of views that ever landed. The register is held to it.

A *view* is one telling of a model call: a span, or a log record. It *tells* if it has usage or a cost. It is a *total*
if its dialect says that it speaks for an agent or a workflow, and it is *mute* if it can matter to no other view:

  - a call that failed, with no usage, no cost, and no response id ("failed": providers do not charge for it);
  - a total of which its dialect says that it never counts.

Everything below is about views that are not mute; a mute span is a span like any other, that is no call.

**Responses.** Views are of the same response, directly or through others, if

  - they have the same response id, of at least 16 characters;
  - they are spans, and have the same trace id and span id;
  - one is a log record that was written in the span that is the other, and that span is no total;
  - they agree in all that is looked at (log records that were sent twice).

**Nesting.** A view is below a span if that span is its parent, or its parent's parent, and so on, through spans that
are no calls as well. A log record is below the spans above the one that it was written in; below that one, too, if it
is a total. What is below says by itself what the span repeats:

  - A total with a telling view below it is nested. So is a span with a telling view *of its own response* below it.
    Neither says anything of other views: an agent's span that carries its last answer's id does not drag that answer
    along.
  - Any other span with a telling view below it is nested, and with it all views of its response: the gateway below an
    SDK's call answers for the SDK's log record, too.

**Who counts.** Of a response that is not nested, the best view: of those with no verdict that are not nested
themselves, the one with usage and a price; with usage; no total; a span; of the higher rank; that tells more details;
more output tokens; that costs more; and, so that it is always the same one, with the larger fingerprint of usage and
cost. What is equal in all this makes no difference to the bill, and who landed first stays. One exception: a response
that nobody tells the usage of is covered, and does not count, if it is below a telling span with no telling view below:
the span above tells what the call below could not.

Who does not count says why (a verdict first, then "failed"): "retransmitted" if a view that landed before agrees in
everything; "nested"; and else what it has in common with the view that it lost to: "retransmitted" the span,
"same_response" the response id, "same_call" anything else.

Parents are those that any span's first landing told. A chain of parents is followed for `MOST_STEPS` spans.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = ["MOST_STEPS", "Identity", "Key", "Outcome", "View", "decide"]

MOST_STEPS = 64
"""A view that is deeper below a span than this is not recognised as being below it."""

Key: TypeAlias = Hashable
"""Of a span: its trace id and span id, or what stands for the two."""
Identity: TypeAlias = Hashable
"""Of a row: its journal, position and item, or what stands for the three."""


@dataclass(frozen=True, slots=True)
class View:
    """A view, with what decides. Views come in the order in which they landed."""

    identity: Identity
    span: Key | None
    response_id: Hashable
    """None if it is too short to identify anything."""
    log: bool
    tells: bool
    total: bool
    failed: bool
    verdict: str | None
    quality: tuple[int, ...]
    """What it is compared by: more is better; equal is equal to the bill."""
    likeness: Hashable
    """All that is looked at, in one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether it is billed; if not, why not, and which view is billed instead, if any is."""

    billable: bool
    because: str | None = None
    billed_as: Identity | None = None


def decide(views: Sequence[View], parents: Mapping[Key, Key]) -> list[Outcome]:
    """What becomes of each view."""
    return _Ledger(views, parents).outcomes()


@dataclass(slots=True, eq=False)
class _Response:
    """The views of one response, by number."""

    views: list[int] = field(default_factory=list)
    winner: int | None = None
    spokesman: int | None = None
    """The best of those that are nested, if it is nested."""
    covered: bool = False


class _Ledger:
    def __init__(self, views: Sequence[View], parents: Mapping[Key, Key]) -> None:
        self.views = views
        self.parents = parents
        self.live = [at for at, view in enumerate(views) if not _mute(view)]
        self.spans_at: dict[Key, list[int]] = defaultdict(list)
        for at in self.live:
            view = views[at]
            if view.span and not view.log:
                self.spans_at[view.span].append(at)
        self.response = self._responses()
        self.above = {at: self._above(at) for at in self.live}
        self.below: dict[int, list[int]] = defaultdict(list)
        for at in self.live:
            if views[at].tells:
                for over in self.above[at]:
                    self.below[over].append(at)
        for response in set(self.response.values()):
            self._settle(response)

    def _responses(self) -> dict[int, _Response]:
        """Which response each view is of."""
        called: dict[object, list[int]] = defaultdict(list)
        for at in self.live:
            for name in self._names(self.views[at]):
                called[name].append(at)
        found: dict[int, _Response] = {}
        for first in self.live:
            if first in found:
                continue
            response, new = _Response(), [first]
            while new:
                at = new.pop()
                if at not in found:
                    found[at] = response
                    response.views.append(at)
                    new += [other for name in self._names(self.views[at]) for other in called[name]]
            response.views.sort()
        return found

    def _names(self, view: View) -> Iterable[object]:
        """By each of these, it may be the same response as another."""
        yield "likeness", view.likeness
        if view.response_id:
            yield "response", view.response_id
        if view.span and (not view.log or any(not self.views[at].total for at in self.spans_at[view.span])):
            yield "span", view.span

    def _above(self, at: int) -> list[int]:
        """The spans that a view is below, the nearest first."""
        view = self.views[at]
        found: list[int] = []
        if view.log and view.span:
            found += [over for over in self.spans_at.get(view.span, ()) if self.views[over].total]
        key = self.parents.get(view.span) if view.span else None
        for _ in range(MOST_STEPS):
            if key is None or key == view.span:
                break
            found += self.spans_at.get(key, ())
            key = self.parents.get(key)
        return found

    def _nested_alone(self, at: int) -> bool:
        """Nested, without saying anything of the others of its response."""
        own = any(self.response[below] is self.response[at] for below in self.below[at])
        return own or (self.views[at].total and bool(self.below[at]))

    def _settle(self, response: _Response) -> None:
        candidates = [at for at in response.views if not self._nested_alone(at)]
        nested = [at for at in candidates if self.below[at]]
        if nested:
            response.spokesman = self._best(nested)
            return
        if not any(self.views[at].tells for at in response.views):
            over = [over for at in response.views for over in self.above[at] if self._answers_for_below(over)]
            if over:
                response.covered = True
                response.spokesman = over[0]
                return
        counting = [at for at in candidates if self.views[at].verdict is None]
        response.winner = self._best(counting) if counting else None

    def _answers_for_below(self, at: int) -> bool:
        return self.views[at].tells and not self.below[at]

    def _best(self, some: list[int]) -> int:
        """The best of them; of equals the first."""
        return max(some, key=lambda at: (self.views[at].quality, -at))

    def outcomes(self) -> list[Outcome]:
        seen: set[object] = set()
        found = []
        for at, view in enumerate(self.views):
            found.append(self._outcome(at, view, view.likeness in seen))
            seen.add(view.likeness)
        return found

    def _outcome(self, at: int, view: View, again: bool) -> Outcome:
        instead = None if _mute(view) else self._instead(at)
        billed_as = None if instead is None else self.views[instead].identity
        if view.verdict is not None:
            return Outcome(False, view.verdict, billed_as)
        if view.failed:
            return Outcome(False, "failed")
        if instead == at:
            return Outcome(True)
        return Outcome(False, self._because(at, view, again), billed_as)

    def _because(self, at: int, view: View, again: bool) -> str:
        response = self.response[at]
        if again:
            return "retransmitted"
        if self.below[at]:
            return "nested"
        if response.covered:
            return "same_call"
        other = self.views[response.winner if response.winner is not None else response.spokesman or at]
        if not view.log and not other.log and view.span is not None and view.span == other.span:
            return "retransmitted"
        return "same_response" if view.response_id and view.response_id == other.response_id else "same_call"

    def _instead(self, at: int) -> int | None:
        """The view that is billed: of the same response, or of one below, or of the one that covers it."""
        response = self.response[at]
        if response.winner is None and response.spokesman is None:
            return self._first_billed(self.below[at], {id(response)})
        return self._billed(response, set())

    def _billed(self, response: _Response, passed: set[int]) -> int | None:
        if response.winner is not None or response.spokesman is None or id(response) in passed:
            return response.winner
        others = [response.spokesman] if response.covered else self.below[response.spokesman]
        return self._first_billed(others, passed | {id(response)})

    def _first_billed(self, some: Iterable[int], passed: set[int]) -> int | None:
        for at in some:
            found = self._billed(self.response[at], passed)
            if found is not None:
                return found
        return None


def _mute(view: View) -> bool:
    return view.failed or (view.verdict is not None and view.total)
