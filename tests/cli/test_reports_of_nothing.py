"""Reports that have nothing to tell: they say why, once, and what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.reporting import run
from tests.queries.landing import landed
from tests.queries.ledgers import call


@pytest.fixture(autouse=True)
def _utc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAXIMETER_TIMEZONE", "UTC")
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (("cost", "--where", "model=gtp-5"), "no call with model=gtp-5 among 159 (all time, UTC): did you mean gpt-5?"),
        (("cost", "--where", "model=OPUS"), "(all time, UTC): did you mean claude-opus-4-8?"),
        (("tokens", "--where", "tag.team=sale"), "among 159 (all time, UTC): did you mean sales?"),
        (
            ("cost", "--where", "model=gpt-5", "--where", "user=zoe"),
            "no call with model=gpt-5 and user=zoe among 159 (all time, UTC): there is user ",
        ),
        (("cost", "--where", "agent=a", "--where", "service=search"), "agent=a and service=search among 159"),
        (("cost", "--where", "workflow=x"), "(all time, UTC): no call there has a workflow"),
        (
            ("cost", "--where", "model=gpt-5-mini", "--until", "2026-11-16"),
            "(the beginning to 2026-11-17 00:00, UTC): model gpt-5-mini is outside of that time",
        ),
        (("cost", "--where", "trace=abc"), "no call with trace=abc among 159 (all time, UTC)\n"),
        (("cost", "--where", "cost_usd > 5"), "no call with cost_usd > 5 among 159 (all time, UTC)"),
        (("cost", "--since", "2026-12-01"), "no calls (2026-12-01 00:00 to now, UTC); the lake has calls from 2026-11"),
        (("cost", "--where", "status=error"), "no call counts, of 8 with status=error (all time, UTC): `taximeter cov"),
        (
            ("errors", "--where", "service=search"),
            "nothing failed and nothing was tried again in 30 calls with service=search (all time, UTC)",
        ),
        (
            ("sessions", "--where", "service=assistant"),
            "no session of a coding agent in 104 calls with service=assistant (all time, UTC)",
        ),
        (("conversations", "--where", "service=search"), "no conversation in 30 calls with service=search"),
    ],
)
def test_why_there_is_nothing_is_said_once_and_what_was_probably_meant(
    shop: Path, asked: tuple[str, ...], sentence: str
) -> None:
    told = run(*asked, "--lake", str(shop))
    assert (told.code, told.err) == (0, "")
    assert sentence in told.text and told.text.count("\n") == 1


@pytest.mark.parametrize("form", ["json", "jsonl", "csv"])
def test_machines_get_no_rows_and_people_the_sentence_beside_them(shop: Path, form: str) -> None:
    told = run("cost", "--where", "model=gtp-5", "--lake", str(shop), "--format", form)
    assert b"gtp" not in told.out
    assert told.err == "taximeter: no call with model=gtp-5 among 159 (all time, UTC): did you mean gpt-5?\n"


def test_a_table_that_goes_to_a_file_says_it_here_too(shop: Path) -> None:
    told = run("cost", "--where", "model=gtp-5", "--lake", str(shop), "-o", "cost.md")
    assert told.err == "taximeter: no call with model=gtp-5 among 159 (all time, UTC): did you mean gpt-5?\n"
    assert "did you mean gpt-5?" in Path("cost.md").read_text()


def test_a_side_of_a_comparison_without_calls_says_why(shop: Path) -> None:
    asked = ("compare", "model=gtp-5", "model=gpt-5", "--lake", str(shop))
    sentence = "a: no call with model=gtp-5 (all time, UTC): did you mean gpt-5?"
    assert run(*asked).text.splitlines()[-1] == sentence
    told = run(*asked, "--format", "json")
    assert (told.code, told.err) == (0, f"taximeter: {sentence}\n")
    assert told.rows[0]["a"] == 0 < told.rows[0]["b"]


def test_a_model_that_is_mistyped_is_looked_for_among_those_in_use_first(shop: Path) -> None:
    told = run("models", "acme-31b", "--lake", str(shop))
    assert (told.code, told.out) == (1, b"")
    assert told.err.startswith("taximeter: no price and no call of a model 'acme-31b': did you mean acme-13b")
    assert "did you mean claude-opus-4-8 or " in run("models", "opus", "--lake", str(shop)).err


def test_the_use_of_a_model_does_not_depend_on_the_case_of_its_name(shop: Path) -> None:
    use = [run("models", name, "--lake", str(shop), "--format", "json").rows[0] for name in ("gpt-5", "GPT-5")]
    kept = ("calls", "priced_calls", "cost_usd", "input_tokens", "first_time", "last_time", "providers", "services")
    assert {name: use[0][name] for name in kept} == {name: use[1][name] for name in kept}
    total = run("cost", "--where", "model=gpt-5", "--by", "total", "--lake", str(shop), "--format", "json").rows[0]
    assert {name: use[0][name] for name in kept[:4]} == {name: total[name] for name in kept[:4]}
    assert use[0]["services"] == [{"service": "assistant", "calls": 75, "cost_usd": use[0]["cost_usd"]}]


@pytest.mark.parametrize("option", [("--by", "user"), ("--sort", "calls"), ("--limit", "1"), ("--sql",), ("--chart",)])
def test_what_is_of_lists_is_refused_of_one_model(shop: Path, option: tuple[str, ...]) -> None:
    told = run("models", "gpt-5", *option, "--lake", str(shop))
    assert (told.code, told.out) == (2, b"")
    assert told.err == (f"taximeter: {option[0]}: not of one model; leave out its name, and say --where model=NAME\n")


def test_a_table_of_errors_has_what_failed_and_machines_get_all(shop: Path) -> None:
    asked = ("errors", "--by", "model", "--lake", str(shop))
    table = run(*asked).text.splitlines()
    assert [line.split()[0] for line in table[2:4]] == ["gpt-5", "gpt-5-mini"]
    assert table[5].split()[:3] == ["total", "8", "167"]
    assert table[-1] == "3 rows without errors left out; --format csv has all"
    rows = run(*asked, "--format", "json").rows
    assert [row["errors"] for row in rows] == [6, 2, 0, 0, 0]
    assert sum(row["of_attempts"] for row in rows) == 167


def test_days_without_errors_are_told_between_days_with_some(tmp_path: Path) -> None:
    day = 86_400 * 10**9
    failed = {"status": "error", "error_type": "500", "billable": False, "not_billable_because": "failed"}
    rows = [call(model="bad", start_unix_nano=(20_000 + at) * day, **(failed if at != 1 else {})) for at in range(3)]
    rows += [call(model="good", start_unix_nano=(20_000 + at) * day) for at in range(3)]
    lake = landed(tmp_path / "lake", rows)
    lines = run("errors", "--by", "day,model", "--lake", str(lake.folder)).text.splitlines()
    assert [line.split()[1:4] for line in lines if line.startswith("20")] == [
        ["bad", "1", "1"],
        ["bad", "0", "1"],
        ["bad", "1", "1"],
    ]


def test_utc_has_one_name_whatever_a_machine_calls_it(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ("cost", "--where", "model=none", "--lake", str(shop))
    monkeypatch.delenv("TAXIMETER_TIMEZONE")
    for name in ("UTC", "Etc/UTC", ":Etc/UTC", "/usr/share/zoneinfo/Etc/UTC", "Zulu"):
        monkeypatch.setenv("TZ", name)
        assert "(all time, UTC)" in run(*asked).text, name
        assert "(all time, UTC)" in run(*asked, "--timezone", "Etc/UCT").text
    monkeypatch.setenv("TZ", ":/usr/share/zoneinfo/Europe/Zurich")
    assert "(all time, Europe/Zurich)" in run(*asked).text


def test_one_row_for_all_needs_no_total_below_it(shop: Path) -> None:
    told = run("cost", "--by", "total", "--lake", str(shop)).text
    assert [line.split()[0] for line in told.splitlines()[2:3]] == ["all"]
    assert told.count("$1.40") == 1


def test_tags_of_a_lake_are_among_the_dimensions(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "nothing"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    common = ("schema", "dimensions", "--format", "json")
    without, named = run(*common).rows, run(*common, "--lake", str(shop)).rows
    assert named == [*without, {"dimension": "tag.team", "sentence": "A tag of 100 calls in this lake."}]
    assert run(*common, "--data", str(shop.parent)).rows == named
    monkeypatch.setenv("TAXIMETER_LAKE_DIR", str(shop))
    assert run(*common).rows == named


@pytest.mark.parametrize("asked", [(), ("calls",), ("dimensions",)])
def test_a_lake_that_is_named_has_to_be_there_for_its_schema_too(asked: tuple[str, ...]) -> None:
    told = run("schema", *asked, "--lake", "nowhere")
    assert (told.code, told.out) == (1, b"")
    assert told.err.startswith("taximeter: there is no lake in nowhere: ")
