"""Reports on the command line: what they are asked, what they say, and how they end."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from taximeter_cli.commands import COMMANDS
from taximeter_cli.reporting.sentences import SENTENCES
from taximeter_collector.lake import Lake as WritableLake
from taximeter_collector.lake import LakeConfig
from taximeter_queries import NAMES, Lake, Window, ask, report

from tests.cli.example_lake import CONVERSATION, TRACE
from tests.cli.reporting import run
from tests.queries.landing import landed

ASKED = {"trace": (TRACE,), "conversation": (CONVERSATION,), "compare": ("version=1.4.0", "version=1.5.0")}
FORMATS = ("table", "json", "jsonl", "csv", "markdown")


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration and no lake is found by chance; the folder to write to is empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "nothing"))
    monkeypatch.setenv("TAXIMETER_TIMEZONE", "UTC")
    monkeypatch.delenv("COLUMNS", raising=False)


def test_every_report_of_the_library_is_a_command() -> None:
    assert [later.name for later in COMMANDS if later.place.startswith("reporting.")] == [*NAMES, "sql", "schema"]


@pytest.mark.parametrize("name", NAMES)
def test_the_list_of_commands_says_what_reports_say_of_themselves(name: str) -> None:
    assert SENTENCES[name] == report(name).sentence


@pytest.mark.parametrize("later", COMMANDS, ids=lambda later: str(later.name))
def test_the_list_of_commands_says_what_the_commands_say_of_themselves(later: object) -> None:
    told = later.load().help  # type: ignore[attr-defined]
    assert " ".join(told.partition("\n\n")[0].split()) == later.sentence  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", FORMATS)
def test_every_report_answers_in_every_format(shop: Path, name: str, form: str) -> None:
    told = run(name, *ASKED.get(name, ()), "--lake", str(shop), "--format", form)
    assert (told.code, told.err) == (0, "")
    assert told.out.endswith(b"\n") and b"\x1b" not in told.out
    if form == "json":
        names = list(told.rows[0])
        assert names == [*names[: len(names) - len(report(name).columns)], *(one.name for one in report(name).columns)]


def test_json_is_exact_and_complete(shop: Path) -> None:
    answer = ask(Lake(shop), "calls", window=Window.of(timezone="UTC"))
    told = run("calls", "--lake", str(shop), "--format", "json")
    assert len(told.rows) == len(answer.rows) > 50
    sums = [sum(row["cost_usd"] or 0 for row in rows) for rows in (told.rows, answer.records())]
    assert sums[0] == sums[1] != 0
    first = told.rows[0]
    assert first["start_time"] == "2026-11-20T20:55:00+00:00"
    assert b'"cost_usd": 0.000577325,' in told.out.splitlines()[1]
    assert first["error_type"] is None and first["stream"] is True


def test_json_lines_are_the_objects_of_json(shop: Path) -> None:
    lines = run("cost", "--lake", str(shop), "--format", "jsonl").text.splitlines()
    assert [json.loads(line, parse_float=Decimal) for line in lines] == run(
        "cost", "--lake", str(shop), "--format", "json"
    ).rows


def test_csv_is_what_csv_readers_read(shop: Path) -> None:
    told = run("cost", "--lake", str(shop), "--format", "csv", "--by", "model,tag.team")
    names, *rows = csv.reader(io.StringIO(told.text, newline=""))
    asked = run("cost", "--lake", str(shop), "--format", "json", "--by", "model,tag.team").rows
    assert told.out.count(b"\r\n") == len(rows) + 1
    assert names == list(asked[0])
    assert [[value or None for value in row] for row in rows] == [
        [None if value is None else str(value) for value in row.values()] for row in asked
    ]


def test_parquet_has_types_that_do_not_depend_on_the_rows(shop: Path) -> None:
    some = ("cost", "--lake", str(shop), "--by", "day,hour,stream,model")
    assert run(*some, "-o", "some.parquet").code == 0
    assert run(*some, "-o", "none.parquet", "--where", "model=none").code == 0
    table, empty = pq.read_table("some.parquet"), pq.read_table("none.parquet")
    assert table.schema == empty.schema
    assert (table.num_rows > 50, empty.num_rows) == (True, 0)
    types = {name: table.schema.field(name).type for name in ("day", "hour", "stream", "model", "calls", "cost_usd")}
    assert types == {
        "day": pa.date32(),
        "hour": pa.timestamp("us", "UTC"),
        "stream": pa.bool_(),
        "model": pa.string(),
        "calls": pa.int64(),
        "cost_usd": pa.decimal128(38, 12),
    }
    told = run(*some, "--format", "json").rows
    assert table["cost_usd"].to_pylist() == [row["cost_usd"] if row["cost_usd"] is not None else None for row in told]


def test_by_can_be_said_with_commas_or_again(shop: Path) -> None:
    common = ("cost", "--lake", str(shop), "--format", "json")
    once = run(*common, "--by", "day, service", "--by", "tag.team")
    assert list(once.rows[0])[:3] == ["day", "service", "tag.team"]
    assert once == run(*common, "--by", "day", "--by", "service", "--by", "tag.team")


def test_tables_have_fifty_rows_and_say_so_and_machines_get_all(shop: Path) -> None:
    common = ("calls", "--lake", str(shop))
    assert "first 50 rows; --limit 0 for all" in run(*common).text
    assert len(run(*common, "--limit", "0").text.splitlines()) > 150
    assert len(run(*common, "--format", "jsonl").text.splitlines()) > 150
    assert len(run(*common, "--format", "jsonl", "--limit", "7").text.splitlines()) == 7


def test_names_cannot_write_on_a_terminal_through_errors_either(tmp_path: Path) -> None:
    """A model may be called anything, and is named in checks and among those that might have been meant."""
    evil = "gpt\x1b]0;title\x07\x1b[31m\r\nred"
    lake = landed(tmp_path, [{"model": evil, "cost_status": "unpriced_model", "billable": True, "status": "ok"}])
    for arguments in (("cost", "--fail-unpriced"), ("models", "x" + evil), ("cost", "--where", f"user={evil}")):
        told = run(*arguments, "--lake", str(lake.folder))
        said = told.err + told.text
        assert "gpt\\x1b]0;title" in said
        assert said.rstrip("\n").replace("\n", "").isprintable()


def test_what_is_drawn_over_time_is_drawn_whole(shop: Path) -> None:
    """More points than a table has rows."""
    common = ("top", "--by", "hour,user,model", "--lake", str(shop))
    assert len(run(*common, "--format", "jsonl").text.splitlines()) > 50
    assert "first 50 rows" in run(*common).text
    assert "first 50 rows" not in run(*common, "--chart").text


@pytest.mark.parametrize(
    ("short", "sql"),
    [
        ("model=gpt-5", "model = 'gpt-5'"),
        ("user != anna", "user_id IS DISTINCT FROM 'anna'"),
        ("tag.team=sales", "tags['team'] = 'sales'"),
        ("user=null", "user_id IS NULL"),
        ("day=2026-11-18", "date = DATE '2026-11-18'"),
        ("stream=true", "stream"),
        ("user = 'anna'", "user_id = 'anna'"),
    ],
)
def test_a_condition_may_be_a_dimension_and_a_value(shop: Path, short: str, sql: str) -> None:
    common = ("cost", "--lake", str(shop), "--format", "json", "--by", "total", "--where")
    told = run(*common, short)
    assert told == run(*common, sql)
    assert 0 < told.rows[0]["calls"] < 159


def test_of_several_conditions_all_hold(shop: Path) -> None:
    common = ("cost", "--lake", str(shop), "--format", "json", "--by", "total")
    both = run(*common, "--where", "user=anna", "--where", "cost_usd > 0.005")
    assert both == run(*common, "--where", "user_id = 'anna' AND cost_usd > 0.005")
    assert both.code == 0


def test_a_condition_is_no_way_to_write(shop: Path, tmp_path: Path) -> None:
    evil = f"1=1); COPY (SELECT 1) TO '{tmp_path}/evil.csv'; SELECT (1"
    told = run("cost", "--lake", str(shop), "--where", evil)
    assert (told.code, told.out) == (2, b"")
    assert not (tmp_path / "evil.csv").exists()


@pytest.mark.parametrize("more", [(), ("--where", "user=anna"), ("--by", "day,tag.team", "--limit", "3")])
def test_the_sql_that_is_printed_answers_alike(shop: Path, more: tuple[str, ...]) -> None:
    sql = run("cost", "--lake", str(shop), "--sql", *more)
    assert sql.code == 0
    asked = run("cost", "--lake", str(shop), "--format", "json", *more)
    assert run("sql", sql.text, "--lake", str(shop), "--format", "json").rows == asked.rows != []


def test_days_are_those_of_the_time_zone(shop: Path) -> None:
    common = ("cost", "--lake", str(shop), "--format", "json", "--by", "day")
    assert {row["day"] for row in run(*common, "--timezone", "Asia/Tokyo").rows} == {
        *(f"2026-11-{day}" for day in (16, 17, 18, 19, 20, 21))
    }
    assert len(run(*common).rows) == 5


def test_the_format_is_that_of_the_suffix(shop: Path) -> None:
    for suffix, form in (
        (".json", "json"),
        (".jsonl", "jsonl"),
        (".csv", "csv"),
        (".md", "markdown"),
        (".txt", "table"),
    ):
        told = run("cost", "--lake", str(shop), "--output", f"x{suffix}")
        assert (told.code, told.out) == (0, b"")
        assert Path(f"x{suffix}").read_bytes() == run("cost", "--lake", str(shop), "--format", form).out


def test_a_file_is_there_when_it_is_whole_and_the_one_of_before_until_then(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "cost.json").write_text("before")
    assert run("cost", "--lake", str(shop), "-o", "cost.json", "--where", "modle = 1").code == 2
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"cost.json": "before"}
    assert run("cost", "--lake", str(shop), "-o", "cost.json").code == 0
    assert len(json.loads((tmp_path / "cost.json").read_text())) == 5
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--fail-over", "1.40"), 0, ""),
        (("--fail-over", "1.39"), 3, "taximeter: 1.39653172 USD, more than 1.39 (--fail-over)\n"),
        (("--fail-over", "0", "--where", "user=anna"), 3, "more than 0 (--fail-over)\n"),
        (("--fail-unpriced",), 3, "taximeter: 7 of 159 calls are not in the sum: acme-13b\n"),
        (("--fail-unpriced", "--where", "provider=openai"), 0, ""),
        (("--fail-empty", "--where", "model=none"), 3, "taximeter: no calls in all time, UTC (--fail-empty)\n"),
        (("--fail-over", "10", "--where", "model=none"), 0, ""),
        (("--fail-over", "ten"), 2, "taximeter: --fail-over ten: expected US dollars, such as 10.00\n"),
    ],
)
def test_cost_is_a_check_for_ci(shop: Path, arguments: tuple[str, ...], code: int, sentence: str) -> None:
    told = run("cost", "--lake", str(shop), "--format", "csv", *arguments)
    assert told.code == code
    assert sentence in told.err
    assert bool(told.out) == (code != 2)


def test_a_sum_that_lacks_calls_says_so_even_if_it_is_within_the_budget(shop: Path) -> None:
    assert "7 of 159 calls are not in the sum: acme-13b" in run("cost", "--lake", str(shop), "--fail-over", "2").err


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("cost", "--by", "modle"), 2, "unknown dimension 'modle': did you mean model"),
        (("cost", "--sort", "cots_usd"), 2, "unknown column to sort by 'cots_usd': did you mean cost_usd"),
        (("cost", "--since", "yesteryear"), 2, "'yesteryear' is no time: expected a date such as 2026-11-20"),
        (("cost", "--last", "7"), 2, "last '7': expected a number of minutes, hours, days or weeks"),
        (("cost", "--last", "7d", "--since", "7d"), 2, "either since or last, not both"),
        (("cost", "--timezone", "Mars/Base"), 2, "unknown time zone 'Mars/Base': expected a name such as"),
        (("cost", "--where", "model ~= gpt-5"), 2, "expected NAME=VALUE, such as model=gpt-5, or a condition in SQL"),
        (("cost", "--where", "modle = 'x'"), 2, 'Candidate bindings: "model"'),
        (("cost", "--output", "cost.xls"), 2, "--output cost.xls: expected a name that ends in .txt, .json"),
        (("cost", "--output", "no/where.json"), 2, "no/where.json: there is no folder no"),
        (("cost", "--watch", "--format", "json"), 2, "to keep a file up to date instead, add --output FILE"),
        (("cost", "--chart", "--format", "json"), 2, "name a file for it: --chart cost.svg"),
        (("cost", "--timeout", "0.001", "--where", "(SELECT count(*) FROM range(100000000000)) > 1"), 1, "took longer"),
        (("trace", "f" * 32), 1, "no trace has that id in all time, UTC: `taximeter traces` lists them"),
        (("conversation", "never-held"), 1, "no conversation has that id in all time, UTC"),
        (("cost", "--by", "team"), 2, "unknown dimension 'team': did you mean tag.team?"),
        (("cost", "--chart", "cost.pdf"), 2, "--chart cost.pdf: expected a name that ends in .svg or .png"),
        (("cost", "--chart=cost"), 2, "--chart cost: expected a name that ends in .svg or .png"),
        (("sql", "--file", "no.sql"), 2, "--file no.sql: cannot be read: No such file or directory"),
        (("schema", "cals"), 2, "unknown table 'cals': did you mean calls?"),
        (("sql",), 2, "sql expects a query, or - for stdin, or --file FILE"),
        (("sql", " "), 2, "the query is empty"),
        (("sql", "SELECT 1", "--memory", "lots"), 2, "--memory lots: expected a size such as 500MB or 2GiB"),
    ],
)
def test_what_is_asked_wrongly_is_told_in_one_sentence(
    shop: Path, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    lake = () if arguments[0] == "schema" else ("--lake", str(shop))
    told = run(*arguments, *lake)
    assert (told.code, told.out) == (code, b"")
    assert told.err.startswith("taximeter: ") and told.err.count("\n") == 1
    assert sentence in told.err


def test_without_a_lake_it_says_how_to_get_one(tmp_path: Path) -> None:
    told = run("cost", "--lake", "nowhere")
    assert (told.code, told.out) == (1, b"")
    assert told.err.startswith("taximeter: there is no lake in nowhere: run `taximeter collect`")
    assert told.err.count("\n") == 1


def test_a_folder_with_a_lake_in_it_is_told_from_one_without(shop: Path) -> None:
    told = run("cost", "--lake", str(shop.parent))
    assert (told.code, told.out) == (1, b"")
    assert told.err == f"taximeter: there is no lake in {shop.parent}, but one below it: --lake {shop}\n"


def test_an_empty_lake_is_told_from_one_that_has_nothing_in_the_window(shop: Path, tmp_path: Path) -> None:
    WritableLake.open(LakeConfig(dir=tmp_path / "empty"), "j").close()
    told = run("cost", "--lake", "empty", "--format", "json")
    assert (told.code, told.out) == (0, b"[]\n")
    assert told.err.startswith("taximeter: nothing has landed in empty yet; `taximeter collect` lands what is sent")
    told = run("cost", "--lake", str(shop), "--format", "json", "--until", "2026-11-01")
    assert (told.code, told.out) == (0, b"[]\n")
    assert told.err == (
        "taximeter: no calls (the beginning to 2026-11-02 00:00, UTC); "
        "the lake has calls from 2026-11-16 to 2026-11-20, UTC\n"
    )


def test_the_lake_is_where_the_collector_has_it(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ("cost", "--format", "json")
    expected = run(*asked, "--lake", str(shop)).rows
    assert run(*asked, "--data", str(shop.parent)).rows == expected
    (tmp_path / "mine.toml").write_text(f"[lake]\ndir = {json.dumps(str(shop))}\n")
    assert run(*asked, "--config", "mine.toml").rows == expected
    (tmp_path / "mine.toml").rename("taximeter.toml")
    assert run(*asked).rows == expected
    (tmp_path / "taximeter.toml").unlink()
    monkeypatch.setenv("TAXIMETER_LAKE_DIR", str(shop))
    assert run(*asked).rows == expected


def test_a_lake_that_is_named_needs_no_settings(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "taximeter.toml").write_text("this is no TOML")
    assert run("cost", "--lake", str(shop)).code == 0
    assert run("cost").code == 2


def test_schema_tells_every_column_that_sql_sees(shop: Path) -> None:
    tables = run("schema", "--format", "json").rows
    assert [row["table"] for row in tables] == ["calls", "spans", "logs", "metrics", "content"]
    for table in tables:
        told = run("schema", table["table"], "--format", "json").rows
        seen = run("sql", f"DESCRIBE {table['table']}", "--lake", str(shop), "--format", "json").rows
        assert {row["column"] for row in told} == {row["column_name"] for row in seen}
        assert len(told) == table["columns"]
        assert all(row["sentence"].endswith(".") for row in told)


def test_every_dimension_that_schema_tells_is_one(shop: Path) -> None:
    told = run("schema", "dimensions", "--format", "json").rows
    names = [row["dimension"].replace("NAME", "team").replace("KEY", "x") for row in told]
    assert {"model", "user", "day", "tag.team", "attribute.x", "resource.x"} <= set(names)
    assert run("cost", "--lake", str(shop), "--by", ",".join(names), "--format", "csv").code == 0


def test_sql_is_read_from_a_file_and_from_stdin(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "q.sql").write_text("SELECT count(*) AS calls FROM calls WHERE billable;\n")
    common = ("--lake", str(shop), "--format", "csv")
    assert run("sql", "--file", "q.sql", *common).out == b"calls\r\n159\r\n"
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 1 AS one"))
    assert run("sql", "-", *common).out == b"one\r\n1\r\n"


def test_sql_sees_the_window(shop: Path) -> None:
    told = run(
        "sql", "SELECT DISTINCT date FROM calls", "--since", "2026-11-18", "--until", "2026-11-18", "--lake", str(shop),
        "--format", "csv",
    )  # fmt: skip
    assert told.out == b"date\r\n2026-11-18\r\n"


def test_sql_has_types_in_parquet_also_without_rows(shop: Path) -> None:
    query = "SELECT start_time, date, cost_usd, calls.tags, 1.5::DOUBLE AS d, count(*) OVER () AS n FROM calls"
    for name, condition in (("some", ""), ("none", " WHERE false")):
        assert run("sql", query + condition, "--lake", str(shop), "-o", f"{name}.parquet").code == 0
    schema = pq.read_schema("none.parquet")
    assert schema == pq.read_schema("some.parquet")
    assert schema.types == [
        *(pa.timestamp("us", "UTC"), pa.date32(), pa.decimal128(18, 12), pa.string(), pa.float64(), pa.int64())
    ]


def test_what_is_cut_off_from_a_query_is_said(shop: Path) -> None:
    told = run("sql", "SELECT * FROM range(100)", "--limit", "10", "--format", "csv", "--lake", str(shop))
    assert (told.code, told.out.count(b"\n")) == (0, 11)
    assert told.err == "taximeter: cut after 10 rows; --limit 0 gives all, --limit ROWS as many\n"
