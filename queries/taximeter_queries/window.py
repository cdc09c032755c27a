"""From when to when: what `--since`, `--until` and `--last` mean, in somebody's time zone."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from taximeter_queries.errors import BadWindow

__all__ = ["Window", "local_timezone", "timezone"]

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(\d{1,6})([mhdw])")
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_TIMES = (
    "a date such as 2026-11-20, a month such as 2026-11, a time such as 2026-11-20T12:30, or 7d, 12h, today, yesterday"
)
_UTC = ZoneInfo("UTC")
# One zone, by the names that machines have for it: they say one thing, and are shown as one.
_NAMES_OF_UTC = ("Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "UCT", "Universal", "Zulu")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` to before `end`; None is as far as there is anything. Days and hours are those of `timezone`.

    >>> Window.of(since="2026-03-29", until="2026-03-29", timezone="Europe/Zurich").hours  # the clocks go forward
    23.0
    """

    start: datetime | None = None
    end: datetime | None = None
    timezone: ZoneInfo = _UTC

    @classmethod
    def of(
        cls,
        since: str | None = None,
        until: str | None = None,
        last: str | None = None,
        timezone: str | None = None,
        now: datetime | None = None,
    ) -> Window:
        """As people say it. A day or a month after `until` is included; `last` is `since` with a duration."""
        zone = _zone(timezone)
        now = (now or datetime.now(UTC)).astimezone(zone)
        if last is not None and since is not None:
            raise BadWindow("either since or last, not both")
        if last is not None and not _DURATION.fullmatch(last):
            raise BadWindow(f"last {last!r}: expected a number of minutes, hours, days or weeks: 30m, 12h, 7d, 2w")
        begins = since if last is None else last
        start = None if begins is None else _begin(begins, zone, now)
        end = None if until is None else _end(until, zone, now)
        if start and end and start >= end:
            raise BadWindow(f"the window ends ({end:%Y-%m-%d %H:%M}) before it begins ({start:%Y-%m-%d %H:%M})")
        return cls(start, end, zone)

    @property
    def hours(self) -> float | None:
        """How long it is; None if it is open."""
        if self.start is None or self.end is None:
            return None
        return (self.end.astimezone(UTC) - self.start.astimezone(UTC)) / timedelta(hours=1)

    @property
    def start_unix_nano(self) -> int | None:
        """The first nanosecond that is in it."""
        return None if self.start is None else _unix_nano(self.start)

    @property
    def end_unix_nano(self) -> int | None:
        """The first nanosecond that is not."""
        return None if self.end is None else _unix_nano(self.end)

    def has_day(self, day: date) -> bool:
        """Whether some of a day of UTC is in it."""
        before = self.end is not None and day > (self.end.astimezone(UTC) - _MICROSECOND).date()
        return not before and (self.start is None or day >= self.start.astimezone(UTC).date())

    def __str__(self) -> str:
        """As the foot of a table says it."""
        if self.start is None and self.end is None:
            return f"all time, {self.timezone.key}"
        start = "the beginning" if self.start is None else f"{self.start.astimezone(self.timezone):%Y-%m-%d %H:%M}"
        end = "now" if self.end is None else f"{self.end.astimezone(self.timezone):%Y-%m-%d %H:%M}"
        return f"{start} to {end}, {self.timezone.key}"


def timezone(name: str) -> ZoneInfo:
    """A time zone by its IANA name. BadWindow if there is none."""
    try:
        return _zone_of(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadWindow(f"unknown time zone {name!r}: expected a name such as Europe/Zurich or UTC") from error


def local_timezone() -> ZoneInfo:
    """This machine's, as far as it has one with a name; UTC otherwise."""
    name = os.environ.get("TZ", "").removeprefix(":") or str(Path("/etc/localtime").resolve())
    name = name.rpartition("zoneinfo/")[2] if name.startswith("/") else name
    try:
        return _zone_of(name) if name else _UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return _UTC


def _zone_of(name: str) -> ZoneInfo:
    return _UTC if name in _NAMES_OF_UTC else ZoneInfo(name)


def _zone(name: str | None) -> ZoneInfo:
    return timezone(name) if name else local_timezone()


def _begin(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    return _moment(text, zone, now)[0]


def _end(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    return _moment(text, zone, now)[1]


def _moment(text: str, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    """What is meant, from its beginning to its end: of a day a day, of a moment nothing."""
    try:
        return _understood(text.strip().lower(), zone, now)
    except (ValueError, OverflowError) as error:
        raise BadWindow(f"{text!r} is no time: expected {_TIMES}") from error


def _understood(text: str, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    if text == "now":
        return now, now
    if text in ("today", "yesterday"):
        return _day(now.date() - timedelta(days=text == "yesterday"), zone)
    if duration := _DURATION.fullmatch(text):
        at = now.astimezone(UTC) - timedelta(**{_UNITS[duration[2]]: int(duration[1])})
        return at, at
    if month := _MONTH.fullmatch(text):
        first = date(int(month[1]), int(month[2]), 1)
        return _midnight(first, zone), _midnight((first + timedelta(days=31)).replace(day=1), zone)
    if len(text) <= len("2026-11-20"):
        return _day(date.fromisoformat(text), zone)
    at = datetime.fromisoformat(text.upper())
    at = at if at.tzinfo else at.replace(tzinfo=zone)
    return at, at


def _day(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    return _midnight(day, zone), _midnight(day + timedelta(days=1), zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _unix_nano(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND * 1000
