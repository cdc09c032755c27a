"""`taximeter sql` reads the tables of the lake, and nothing else; and it takes no more than it may."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from deltalake import DeltaTable

from tests.cli.reporting import Told, process, run

SECRET = "what nobody should read"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a file that is none of the lake's; extensions would be installed below it, too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SECRET", SECRET)
    (tmp_path / "secret.csv").write_text(f"a\n{SECRET}\n")


def sql(lake: Path, query: str, *more: str) -> Told:
    return run("sql", query, "--lake", str(lake), "--format", "json", *more)


@pytest.mark.parametrize(
    "query",
    [
        "COPY calls TO 'evil.csv'",
        "COPY (SELECT 1) TO 'evil.parquet'",
        "COPY calls FROM 'secret.csv'",
        "EXPLAIN ANALYZE COPY calls TO 'evil.csv'",
        "EXPORT DATABASE 'evil'",
        "IMPORT DATABASE 'evil'",
        "ATTACH 'evil.db' AS evil",
        "INSTALL httpfs",
        "LOAD httpfs",
        "CREATE TABLE evil AS SELECT 1",
        "CREATE OR REPLACE TEMP VIEW calls AS SELECT 1",
        "CREATE SECRET evil (TYPE http)",
        "DROP VIEW calls",
        "INSERT INTO calls SELECT * FROM calls",
        "DELETE FROM calls",
        "UPDATE calls SET cost_usd = 0",
        "WITH x AS (DELETE FROM calls RETURNING 1) SELECT * FROM x",
        "SET memory_limit = '99GB'",
        "SET enable_external_access = true",
        "SET allowed_paths = ['secret.csv']",
        "RESET allowed_paths",
        "PRAGMA enable_external_access = true",
        "PRAGMA version",
        "CALL enable_logging()",
        "PREPARE evil AS SELECT 1",
        "VACUUM",
        "CHECKPOINT",
        "SELECT 1; SELECT 2",
        "SELECT 1; COPY calls TO 'evil.csv'",
        "SELECT 1) TO 'evil.csv'; --",
        "SELECT * FROM query('SELECT 1; COPY calls TO ''evil.csv''')",
        "SELECT * FROM 'secret.csv'",
        "SELECT * FROM read_csv('secret.csv')",
        "SELECT * FROM read_text('secret.csv')",
        "SELECT * FROM read_blob('secret.csv')",
        "SELECT * FROM read_json('secret.csv')",
        "SELECT * FROM read_text('/proc/self/environ')",
        "SELECT * FROM sniff_csv('secret.csv')",
        "SELECT * FROM glob('*')",
        "SELECT * FROM read_parquet('lake/*/*/*.parquet')",
        "SELECT * FROM parquet_metadata('secret.csv')",
        "SELECT * FROM 'https://example.com/evil.csv'",
        "SELECT * FROM read_parquet('s3://evil/x.parquet')",
        "SELECT * FROM duckdb_secrets()",
        "SELECT getenv('SECRET')",
    ],
)
def test_there_is_no_way_out(shop: Path, tmp_path: Path, query: str) -> None:
    told = sql(shop, query)
    assert (told.code, told.out) == (2, b"")
    assert told.err.startswith("taximeter: ") and told.err.count("\n") == 1
    assert SECRET not in told.err
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]


def test_a_file_of_the_lake_is_not_written_either(shop: Path) -> None:
    (file, *_) = DeltaTable(shop / "calls").file_uris()
    before = Path(file).read_bytes()
    for query in (f"COPY (SELECT 1) TO '{file}'", f"EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}' (FORMAT parquet)"):
        assert sql(shop, query).code == 2
    assert run("cost", "--lake", str(shop), "--where", f"1=1); COPY (SELECT 1) TO '{file}'; SELECT (1").code == 2
    assert Path(file).read_bytes() == before


def test_settings_are_not_changed_by_a_query_that_was_answered(shop: Path) -> None:
    told = sql(
        shop, "SELECT current_setting('enable_external_access') AS e, current_setting('lock_configuration') AS l"
    )
    assert told.rows == [{"e": False, "l": True}]


@pytest.mark.parametrize(
    "query", ["SHOW TABLES", "DESCRIBE calls", "SUMMARIZE content", "FROM spans LIMIT 1", "WITH x AS (SELECT 1) FROM x"]
)
def test_whatever_reads_is_answered(shop: Path, query: str) -> None:
    told = sql(shop, query)
    assert (told.code, told.err) == (0, "")
    assert told.rows


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM range(100000000000000)",
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        "SELECT count(*) FROM calls a, calls b, calls c, calls d, calls e, calls f, calls g",
    ],
)
def test_an_endless_query_is_ended(shop: Path, query: str) -> None:
    told = sql(shop, query, "--timeout", "0.3")
    assert (told.code, told.out) == (1, b"")
    assert told.err == "taximeter: the query took longer than 0.3 s and was ended\n"


@pytest.mark.parametrize(
    "query",
    ["SELECT list(i) FROM range(1000000000) t(i)", "SELECT list(a.i + b.i) FROM range(90000) a(i), range(90000) b(i)"],
)
def test_a_query_that_takes_too_much_memory_is_ended(shop: Path, query: str) -> None:
    told = sql(shop, query, "--memory", "100MiB", "--limit", "5")
    assert (told.code, told.out) == (1, b"")
    assert told.err == "taximeter: the query needs more memory than 100MiB\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no such limit on Windows")
def test_a_function_that_takes_it_all_at_once_is_ended_too(shop: Path, tmp_path: Path) -> None:
    """The engine does not count what one function makes, nor can it be interrupted meanwhile."""
    query = "SELECT length(repeat('x', 3000000000) || repeat('y', 900000000))"
    with process(tmp_path, "sql", query, "--lake", str(shop), "--memory", "100MiB") as asked:
        out, err = asked.communicate(timeout=60)
    assert (asked.returncode, out) == (1, b"")
    assert err == b"taximeter: the query needs more memory than 100MiB\n"


def test_rows_without_end_are_cut_off(shop: Path) -> None:
    told = run("sql", "SELECT 1 AS one FROM range(100000000000)", "--lake", str(shop), "--format", "csv")
    assert (told.code, told.out.count(b"\n")) == (0, 1_000_001)
    assert told.err == "taximeter: cut after 1,000,000 rows; --limit 0 gives all, --limit ROWS as many\n"
