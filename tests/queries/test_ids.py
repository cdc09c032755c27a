"""Ids are found by as much of them as tells one from others, also as a narrow table shows them."""

from __future__ import annotations

from pathlib import Path

import pytest
from taximeter_queries import Lake, NotFound, ask

from tests.queries.landing import landed
from tests.queries.ledgers import call

IDS = ("chat-1", "chat-12", "trip%_oslo", "it's")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return landed(
        tmp_path, [call(conversation_id=name, model=name, trace_id=f"{at:x}" * 32) for at, name in enumerate(IDS, 10)]
    )


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("chat-1", "a"),  # whole, though another one begins with it
        ("chat-12", "b"),
        ("trip", "c"),
        ("trip%", "c"),
        ("it'", "d"),
        ("tri…slo", "c"),
        ("ch...2", "b"),
    ],
)
def test_a_conversation_is_known_by_a_part_of_its_id(lake: Lake, said: str, meant: str) -> None:
    rows = ask(lake, "conversation", conversation_id=said).records()
    assert [row["trace_id"][0] for row in rows] == [meant]


@pytest.mark.parametrize("said", ["%", "rip", "oslo", "", "…", "tri…x", "chat-12…2"])
def test_what_no_conversation_begins_with_is_none(lake: Lake, said: str) -> None:
    with pytest.raises(NotFound, match="no conversation has that id"):
        ask(lake, "conversation", conversation_id=said)


def test_of_several_conversations_one_has_to_be_said(lake: Lake) -> None:
    with pytest.raises(NotFound, match="several conversations begin with chat: chat-1, chat-12; say more of the one"):
        ask(lake, "conversation", conversation_id="chat")


@pytest.mark.parametrize("said", ["b", "B" * 5, "bb…bbb", "bbb...b"])
def test_a_trace_is_known_by_a_part_of_its_id(lake: Lake, said: str) -> None:
    assert [row["model"] for row in ask(lake, "trace", trace_id=said).records()] == ["chat-12"]


def test_an_end_that_no_trace_has_is_not_left_out(lake: Lake) -> None:
    with pytest.raises(NotFound, match="no trace has that id"):
        ask(lake, "trace", trace_id="bb…ba")
