"""`taximeter prices`: what a model costs, who says so, and what is wrong with one's own prices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from taximeter_cli.main import main

from tests.collector.test_price_edition import Publisher, published, publisher

__all__ = ["publisher"]  # a fixture

OVERRIDES = '[[price]]\nprovider = "openai"\nmodel = "gpt-5"\ninput = 1\noutput = 8\n'


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration is found by chance."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("TAXIMETER_DATA", str(tmp_path / "data"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    main([*arguments, "--json"])
    return json.loads(capsys.readouterr().out)


def test_a_models_rates_are_shown_with_the_row_that_they_are_in(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "show", "gemini-2.5-pro", "--provider", "gcp.gemini"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("used: genai-prices@") and told[0].endswith("|google|gemini-2.5-pro|undated|standard")
    assert told[1].split("  ")[0] == "rate" and "above 200,000 input tokens" in told[1]
    assert told[2].split() == ["input", "1.25", "2.5", "million", "tokens"]
    assert any(line.startswith("if that one lacks a rate: litellm@") for line in told)


@pytest.mark.parametrize(("day", "expected"), [("2026-03-12", ["5", "10"]), ("2026-03-13T00:00:00Z", ["5"])])
def test_rates_are_those_of_the_day_that_is_asked_for(
    day: str, expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = as_json(capsys, "prices", "show", "claude-opus-4-6", "--provider", "anthropic", "--at", day)
    assert [level["usd"]["input"] for level in shown["rows"][0]["levels"]] == expected


def test_the_provider_can_be_left_out_and_the_tier_and_region_told(capsys: pytest.CaptureFixture[str]) -> None:
    shown = as_json(capsys, "prices", "show", "gpt-5", "--tier", "batch", "--at", "2026-11-20")
    assert shown["rows"][0]["price_id"].endswith("|openai|gpt-5|2026-10-14|batch")
    assert shown["rows"][0]["levels"][0]["usd"]["input"] == "0.625"
    shown = as_json(capsys, "prices", "show", "claude-opus-4-6", "--region", "us", "--at", "2026-11-20")
    assert shown["rows"][0]["levels"][0]["usd"]["output"] == "27.5"


def test_a_model_without_a_price_has_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "show", "gpt-99", "--provider", "openai"]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "gpt-99: unknown model\n")
    assert as_json(capsys, "prices", "show", "gpt-99", "--provider", "openai") == {
        "rows": [],
        "reason": "unknown model",
    }


def test_overrides_in_the_data_folder_are_shown(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "prices.toml").write_text(OVERRIDES)
    shown = as_json(capsys, "prices", "show", "gpt-5", "--provider", "openai")
    assert shown["rows"][0]["source"].startswith("overrides@")
    assert shown["rows"][0]["levels"][0]["usd"] == {"input": "1", "output": "8"}


def test_where_the_sources_disagree_is_told_of_one_provider_or_all(capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, "prices", "diff", "--provider", "deepseek", "--at", "2026-11-20T12:00")
    chat = {one["rate"]: one for one in found if one["model"] == "deepseek-chat"}
    assert (chat["output"]["genai_prices_usd"], chat["output"]["litellm_usd"]) == ("1.1", "0.42")
    assert {one["provider"] for one in found} == {"deepseek"}
    everything = as_json(capsys, "prices", "diff", "--at", "2026-11-20T12:00")
    assert len(everything) > len(found)
    assert all(one["genai_prices_usd"] != one["litellm_usd"] for one in everything)
    assert main(["prices", "diff", "--provider", "deepseek", "--at", "2026-11-20T12:00"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[-1].startswith(f"{len(found)} rates of ")


def test_an_update_says_what_it_changed_and_is_used_from_then_on(
    data: Path, publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prices", "update", "--url", publisher.url]) == 0
    told = capsys.readouterr().out
    assert ": 1 models, 0 of them new" in told
    assert "1 models have other prices" in told
    shown = as_json(capsys, "prices", "show", "gpt-5", "--provider", "openai")
    assert shown["rows"][0]["levels"][0]["usd"]["input"] == "1.5"
    publisher.content = published(1.75)
    assert main(["prices", "update", "--url", publisher.url]) == 0
    assert "1 models have other prices, 0 are gone" in capsys.readouterr().out


def test_an_update_without_a_network_says_so_and_what_stays_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "update", "--url", "http://127.0.0.1:9/"]) == 1
    told = capsys.readouterr()
    assert told.err.startswith("taximeter: cannot fetch http://127.0.0.1:9/: ")
    assert told.err.rstrip().endswith("stays in use")
    assert told.err.count("\n") == 1


def test_overrides_that_are_right_are_counted(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "prices.toml").write_text(OVERRIDES)
    assert main(["prices", "check"]) == 0
    assert capsys.readouterr().out.startswith("ok: 1 prices, 0 aliases; in a price_id: ")


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            "[[price]]\ninptu = 1\noutput = -1\n",
            [
                "line 2: price 1, inptu: unknown key; did you mean input?",
                "line 3: price 1, output: -1: expected a number from 0 on, with at most 18 digits behind the point",
            ],
        ),
        (
            '[[alias]]\nprovider = "azure.ai.openai"\nmodel = "prod"\nmeans = "gpt5"\n',
            ["alias 1, means: 'gpt5' has no price: unknown model"],
        ),
        ("[[price", ["is not TOML: Expected ']]' at the end of an array declaration (at end of document)"]),
    ],
)
def test_each_problem_of_overrides_is_told_and_the_exit_code_is_2(
    text: str, problems: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.toml"
    file.write_text(text)
    assert main(["prices", "check", str(file)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [f"taximeter: {file}: {problem}" for problem in problems]


def test_overrides_that_are_not_there_are_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "check", "nowhere.toml"]) == 2
    assert capsys.readouterr().err == "taximeter: nowhere.toml: cannot be read: No such file or directory\n"


def test_overrides_that_cannot_be_used_are_told_by_every_command(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "prices.toml").write_text("[[price]]\n")
    assert main(["prices", "show", "gpt-5"]) == 2
    assert "price 1: needs rates" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("show", "gpt-5", "--at", "yesterday"), "taximeter: --at yesterday: expected a date such as 2026-07-01"),
        (("diff", "--provider", "acme"), "taximeter: --provider acme: expected one of openai, anthropic, "),
    ],
)
def test_a_mistake_is_a_sentence(arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", *arguments]) == 2
    assert capsys.readouterr().err.startswith(sentence)
