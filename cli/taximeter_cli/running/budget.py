"""What a run may cost: looked at while it runs, on the ledger itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from types import TracebackType
from typing import Self

__all__ = ["Budget"]

_LOOK_EVERY_S = 1.0
_WARN_AT = Decimal("0.8")


class Budget:
    """Watches the cost; warns once at four fifths, and once when it is spent."""

    def __init__(
        self,
        limit: Decimal | None,
        cost: Callable[[], Decimal],
        say: Callable[[str], None],
        is_counted: Callable[[], bool] = lambda: True,
    ) -> None:
        """`cost` is what the run has cost so far; without a limit nothing is watched.

        `is_counted` is whether what it will cost will be in that, too.
        """
        self._limit = limit
        self._cost = cost
        self._is_counted = is_counted
        self._say = say
        self._over = threading.Event()
        self._warned = False
        self._spent = False
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.when_spent: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        if self._limit is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._limit is not None:
            self._thread.join()

    def is_spent(self) -> bool:
        """Whether it is, by what has landed until now."""
        self._look()
        return self._spent

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_EVERY_S):
            try:
                self._look()
                if not self._is_counted():
                    self._say("the budget is not watched any more: the collector has ended")
                    return
            except Exception as error:  # a lake on a disk that fails, say: nobody must believe that we still watch
                self._say(f"the budget is not watched any more: {error}")
                return

    def _look(self) -> None:
        if self._limit is None or self._spent:
            return
        cost = self._cost()
        if cost >= self._limit:
            self._spent = True
            self._say(f"the budget of ${self._limit} is spent: ${cost.normalize():f} so far")
            self.when_spent()
        elif cost >= self._limit * _WARN_AT and not self._warned:
            self._warned = True
            self._say(f"{cost / self._limit:.0%} of the budget of ${self._limit} is spent")
