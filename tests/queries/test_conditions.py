"""Conditions: each is one, whatever stands around it, and knows what reports can be grouped by."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from taximeter_queries import BadFilter, ask
from taximeter_queries.conditions import Condition, condition
from taximeter_queries.dimensions import dimension
from taximeter_queries.errors import UnknownName, meant

from tests.queries.landing import landed
from tests.queries.ledgers import call


def understood(*where: str) -> Condition | None:
    return condition(where, lambda name: dimension(name, ZoneInfo("UTC"), None))


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("stream) OR (billable", "a ) that closes nothing"),
        ("(stream", "a ( that is not closed"),
        ("tags['team'", "a [ that is not closed"),
        ("(stream]", "a ] that closes nothing"),
        ("stream /*", "a comment"),
        ("*/ OR billable --", "a comment"),
        ("user = 'x", "a quote that is not closed"),
        ('"user', "a quote that is not closed"),
        ("model = E'\\' OR (1=1'') OR (1=1", "a quote that is not closed"),
        ("model = $$a$$ OR stream", "a $ outside of quotes"),
        ("stream; SELECT 1", "more than one statement"),
    ],
)
def test_what_is_not_one_condition_is_refused(text: str, got: str) -> None:
    with pytest.raises(BadFilter) as refused:
        understood(text, "model=gpt-5")
    assert str(refused.value) == f"where {text}: expected one condition, got {got}"


@pytest.mark.parametrize(
    "text",
    [
        "model = 'a) OR (b'",
        "model = 'it''s (' OR stream",
        "model = E'\\') OR (1=1'",
        "(stream) OR (billable)",
        "\"model\" = '--'",
    ],
)
def test_what_is_in_quotes_closes_nothing(text: str) -> None:
    assert understood(text) == Condition(text)


def test_two_conditions_hold_together_whatever_is_in_them(tmp_path: Path) -> None:
    lake = landed(tmp_path, [call(model=model, stream=stream) for model in ("a", "b") for stream in (True, False)])
    answer = ask(lake, "cost", where=["stream OR NOT stream", "model=a"])
    assert [row["calls"] for row in answer.records()] == [2]


@pytest.mark.parametrize(
    ("text", "sql", "reported"),
    [
        ("tag.team = 'x' AND stream", "tags['team'] = 'x' AND stream", False),
        ("stream AND attribute.http.route = 'tag.x'", "stream AND attributes['http.route'] = 'tag.x'", True),
        ("\"resource.a-b\" = '1'", "resource_attributes['a-b'] = '1'", True),
        ("attributes['x'] IS NULL", "attributes['x'] IS NULL", True),
        ("model == gpt-5", "\"model\" = 'gpt-5'", False),
    ],
)
def test_conditions_know_tags_and_attributes_by_their_names(text: str, sql: str, reported: bool) -> None:
    assert understood(text) == Condition(sql, reported)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("tag.team=search AND stream", "search is no column; a text needs single quotes: tag.team = 'search'"),
        ("stream AND model == gpt-5", "gpt-5 is no column; a text needs single quotes: model == 'gpt-5'"),
        ('model = "gpt-5"', "gpt-5 is no column; a text needs single quotes: model = 'gpt-5'"),
        ("user <> anna OR stream", "anna is no column; a text needs single quotes: user <> 'anna'"),
    ],
)
def test_a_text_without_its_quotes_is_told_how_to_have_them(text: str, sentence: str) -> None:
    with pytest.raises(BadFilter) as refused:
        understood(text)
    assert str(refused.value) == f"where {text}: {sentence}"


@pytest.mark.parametrize(
    "text",
    [
        "model = request_model AND stream",
        "tag.a = tag.b",
        "model = lower('X') OR stream",
        "date = DATE '2026-11-18' AND stream",
        "user = NULL OR stream",
        "stream = maybe OR billable",
        'model = "request_model"',
    ],
)
def test_what_is_a_column_or_a_word_of_sql_needs_no_quotes(text: str) -> None:
    assert understood(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("attempt=abc", "attempt=abc: expected a whole number: 1 for the first retry"),
        ("day=yesterday", "day=yesterday: expected a date such as 2026-11-20"),
        ("date!=2026-11-31", "date!=2026-11-31: expected a date such as 2026-11-20"),
        ("hour=noon", "hour=noon: expected a time such as 2026-11-20T12:00"),
        ("stream=maybe", "stream=maybe: expected true or false"),
        ("user", "where user: expected NAME=VALUE, such as user=..., or user!=null where it is known"),
    ],
)
def test_a_value_that_nothing_can_have_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(BadFilter) as refused:
        understood(text)
    assert str(refused.value) == sentence


def test_a_flag_alone_is_a_condition() -> None:
    assert understood("stream") == Condition("stream")


def test_names_are_meant_in_any_case_and_by_a_part_of_them() -> None:
    known = ["gpt-5", "gpt-5-mini", "claude-sonnet-4-5", "Acme"]
    assert meant("gtp-5", known)[0] == "gpt-5"
    assert meant("SONNET", known) == ["claude-sonnet-4-5"]
    assert meant("acme", known) == ["Acme"]
    assert meant("xx", known) == []
    assert str(UnknownName("dimension", "x", (), "(cannot be grouped)")) == "unknown dimension 'x': (cannot be grouped)"
