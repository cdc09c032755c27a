"""What `--since`, `--until` and `--last` mean, and where days and hours begin."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from taximeter_queries import BadWindow, UnknownName, Window
from taximeter_queries.dimensions import TIMES, dimension, offsets
from taximeter_queries.window import local_timezone

NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
# Changes by an hour, by half an hour, twice around Ramadan, none, and a day that was left out.
ZONES = [
    ZoneInfo(name)
    for name in (
        "Europe/Zurich",
        "America/New_York",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "Asia/Kolkata",
        "Pacific/Apia",
    )
]
MOMENTS = st.datetimes(datetime(2010, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds it


def window(**said: str) -> tuple[str, str]:
    """From when to when, in UTC."""
    made = Window.of(**{"timezone": "Europe/Zurich", **said}, now=NOW)
    return tuple(f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" if at else "" for at in (made.start, made.end))  # type: ignore[return-value]


def test_a_day_begins_at_midnight_where_the_user_is_and_is_included_at_the_end() -> None:
    assert window(since="2026-11-20", until="2026-11-20") == ("2026-11-19 23:00", "2026-11-20 23:00")


def test_a_month_is_whole_at_both_ends() -> None:
    assert window(since="2026-09", until="2026-10") == ("2026-08-31 22:00", "2026-10-31 23:00")


def test_the_day_on_which_the_clocks_change_is_shorter() -> None:
    assert Window.of("2026-03-29", "2026-03-29", timezone="Europe/Zurich").hours == 23
    assert Window.of("2026-10-25", "2026-10-25", timezone="Europe/Zurich").hours == 25


def test_a_duration_is_counted_back_from_now() -> None:
    assert window(last="7d") == ("2026-11-14 12:30", "")
    assert window(since="12h", until="30m") == ("2026-11-21 00:30", "2026-11-21 12:00")


def test_today_and_yesterday_are_days() -> None:
    assert window(since="yesterday", until="yesterday") == ("2026-11-19 23:00", "2026-11-20 23:00")
    assert window(since="today") == ("2026-11-20 23:00", "")


def test_a_time_may_say_its_own_zone() -> None:
    assert window(since="2026-11-20T12:30", until="2026-11-20T12:30Z") == ("2026-11-20 11:30", "2026-11-20 12:30")


@pytest.mark.parametrize("said", ["tomorow", "2026-13-01", "2026-02-30", "7", "7y", "20261", "", "2026-11-20T25:00"])
def test_what_is_no_time_is_told_with_what_is_one(said: str) -> None:
    with pytest.raises(BadWindow, match="expected a date such as 2026-11-20"):
        Window.of(since=said)
    with pytest.raises(BadWindow, match="7d, 2w"):
        Window.of(last=said)


def test_a_window_has_to_end_after_it_begins() -> None:
    with pytest.raises(BadWindow, match=r"ends .* before it begins"):
        Window.of("2026-11-20", "2026-11-18", timezone="UTC")


def test_two_beginnings_are_one_too_many() -> None:
    with pytest.raises(BadWindow, match="not both"):
        Window.of(since="7d", last="7d")


def test_an_unknown_time_zone_is_told() -> None:
    for name in ("Mars/Olympus", "../../etc/passwd", "/etc/passwd"):
        with pytest.raises(BadWindow, match="unknown time zone"):
            Window.of(timezone=name)


def test_the_time_zone_of_the_machine_is_taken_if_nobody_says_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", ":America/New_York")
    assert local_timezone() == ZoneInfo("America/New_York")
    monkeypatch.setenv("TZ", "nonsense")
    assert local_timezone() == ZoneInfo("UTC")


@given(MOMENTS, st.timedeltas(timedelta(), timedelta(days=40)), st.sampled_from(ZONES))
@settings(max_examples=200, deadline=None)
def test_only_days_that_are_in_the_window_are_read(start: datetime, lasting: timedelta, zone: ZoneInfo) -> None:
    made = Window(start.astimezone(zone), (start + lasting + timedelta(microseconds=1)).astimezone(zone), zone)
    within = {(start + timedelta(hours=hour)).date() for hour in range(int(lasting / timedelta(hours=1)) + 1)}
    assert all(made.has_day(day) for day in within | {(start + lasting).date()})
    assert not made.has_day(start.date() - timedelta(days=1))
    assert not made.has_day((start + lasting).date() + timedelta(days=1))


@given(MOMENTS, st.timedeltas(timedelta(days=1), timedelta(days=900)), st.sampled_from(ZONES))
@settings(max_examples=50, deadline=None)
def test_offsets_are_those_of_the_time_zone_at_each_moment(first: datetime, lasting: timedelta, zone: ZoneInfo) -> None:
    known = offsets(zone, first, first + lasting)
    for step in range(0, lasting.days * 24, 7):
        at = first + timedelta(hours=step)
        nano = int(at.timestamp()) * 10**9
        held = [offset for since, offset in known if since <= nano][-1]
        assert timedelta(microseconds=held // 1000) == at.astimezone(zone).utcoffset()


@given(st.lists(MOMENTS, min_size=1, max_size=50), st.sampled_from(ZONES))
@settings(max_examples=60, deadline=None)
def test_hours_days_weeks_and_months_are_those_of_the_time_zone(moments: list[datetime], zone: ZoneInfo) -> None:
    days = min(moments), max(moments) + timedelta(days=1)
    kinds = ", ".join(
        f"epoch_us({dimension(name, zone, days).expression})"
        if name == "hour"
        else dimension(name, zone, days).expression
        for name in TIMES
    )
    nanos = [int(at.timestamp()) * 10**9 + at.microsecond * 1000 for at in moments]
    values = ", ".join(f"({nano})" for nano in nanos)
    found = duckdb.connect().execute(f"SELECT {kinds} FROM (VALUES {values}) AS calls(start_unix_nano)").fetchall()
    for at, (hour, day, week, month) in zip(moments, found, strict=True):
        local = at.astimezone(zone)
        assert datetime.fromtimestamp(hour / 1e6, UTC).astimezone(zone).isoformat() == _hour(local)
        assert (day, week, month) == (local.date(), _monday(local.date()), local.date().replace(day=1))


def _hour(local: datetime) -> str:
    """The beginning of its hour: by the clock, and with the offset that holds at the moment itself."""
    offset = local.utcoffset()
    assert offset is not None
    wall = (local.replace(tzinfo=None)).replace(minute=0, second=0, microsecond=0)
    return (wall - offset).replace(tzinfo=UTC).astimezone(local.tzinfo).isoformat()


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def test_the_two_hours_of_an_autumn_night_stay_two() -> None:
    zone = ZoneInfo("Europe/Zurich")
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    hour = dimension("hour", zone, (first, first + timedelta(days=1))).expression
    nanos = [int((first + timedelta(hours=n)).timestamp()) * 10**9 for n in range(2)]
    sql = f"SELECT count(DISTINCT {hour}) FROM (VALUES ({nanos[0]}), ({nanos[1]})) AS calls(start_unix_nano)"
    assert duckdb.connect().execute(sql).fetchall() == [(2,)]


def test_an_unknown_dimension_is_told_with_what_was_meant() -> None:
    with pytest.raises(UnknownName, match="did you mean model") as refused:
        dimension("modle", ZoneInfo("UTC"), None)
    assert "model" in refused.value.suggestions


def test_tags_and_attributes_with_any_name_are_dimensions() -> None:
    made = dimension("tag.it's", ZoneInfo("UTC"), None)
    assert (made.name, made.expression, made.reported) == ("tag.it's", "tags['it''s']", False)
    assert dimension("attribute.http.route", ZoneInfo("UTC"), None).reported
