"""What a source of prices is: it finds a model, and knows its rates at a time in a tier."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Protocol

from taximeter_collector.price.names import Identity
from taximeter_collector.price.rates import Row

__all__ = ["DAY_NS", "NO_BREAKS", "Breaks", "Entry", "Source", "moment", "unix_nano"]

DAY_NS = 86_400 * 10**9
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def unix_nano(at: datetime) -> int:
    """Nanoseconds since 1970, exactly.

    >>> unix_nano(datetime(1970, 1, 2, tzinfo=UTC)) == DAY_NS
    True
    """
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000


def moment(at_unix_nano: int) -> datetime:
    """The time in UTC, to the microsecond."""
    return _EPOCH + timedelta(microseconds=at_unix_nano // 1000)


@dataclass(frozen=True, slots=True)
class Breaks:
    """When rates change: at instants, and every day at times of the day. Between two of them nothing does."""

    instants: tuple[int, ...] = ()
    times_ns: tuple[int, ...] = ()

    @classmethod
    def of(cls, instants: Iterable[datetime], times: Iterable[time] = ()) -> Breaks:
        """From what the sources write."""
        seconds = {(at.hour * 3600 + at.minute * 60 + at.second) * 10**9 + at.microsecond * 1000 for at in times}
        return cls(tuple(sorted({unix_nano(at) for at in instants})), tuple(sorted(seconds)))

    def __or__(self, other: Breaks) -> Breaks:
        return Breaks(
            tuple(sorted({*self.instants, *other.instants})), tuple(sorted({*self.times_ns, *other.times_ns}))
        )

    def segment(self, at_unix_nano: int) -> tuple[int, int]:
        """Which stretch between breaks a time is in."""
        of_day = bisect_right(self.times_ns, at_unix_nano % DAY_NS) if self.times_ns else 0
        return bisect_right(self.instants, at_unix_nano), of_day


NO_BREAKS = Breaks()


class Entry(Protocol):
    """A model that a source knows."""

    model: str
    breaks: Breaks
    is_regional: bool

    def row(self, tier: str, at: datetime) -> Row | None:
        """Its rates, or None if it has none for the tier."""


class Source(Protocol):
    """Somewhere prices come from."""

    @property
    def source(self) -> str:
        """Its name and edition, as a `price_id` begins."""

    def find(self, identity: Identity) -> Entry | None:
        """The model that is meant, if this source has it."""
