"""`taximeter doctor` without a collector: what it sees in an environment, and how it says it."""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import json
import lzma
import os
import pkgutil
import re
import subprocess
import sys
import threading
from importlib import metadata
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from taximeter_cli.doctoring import checks
from taximeter_cli.doctoring.checks.rivals import Rival
from taximeter_cli.doctoring.checks.variables import check as check_variables
from taximeter_cli.doctoring.examining import NAMES, Examined, examine, worst
from taximeter_cli.doctoring.finding import Finding, Level, error, note, ok, warning
from taximeter_cli.doctoring.masking import Masking
from taximeter_cli.doctoring.showing import section
from taximeter_cli.doctoring.subject import Subject
from taximeter_cli.main import main
from taximeter_collector.journal import Entry, JournalConfig, JournalReader, JournalWriter, Signal
from taximeter_collector.journal.format import SEGMENT_HEADER_BYTES, Head
from taximeter_collector.journal.retention import Retention
from taximeter_collector.journal.segments import Cursor, Folder
from taximeter_collector.land.process import READER as LANDER

from tests.e2e.collector import clean_environment, command_path

RIVALS = any(Rival.maybe(one) for one in metadata.entry_points(group="opentelemetry_instrumentor"))

PUBLISHED: list[Any] = [
    {
        "id": "openai",
        "name": "OpenAI",
        "api_pattern": "x",
        "models": [{"id": "gpt-4o", "match": {"equals": "gpt-4o"}, "prices": {"input_mtok": 1, "output_mtok": 2}}],
    }
]


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration is found by chance."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("OTEL_", "TAXIMETER_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


def subject(*, others: tuple[str, ...] = (), **flags: str) -> Subject:
    return Subject.of({name.replace("__", "."): value for name, value in flags.items()}, None, others)


def found(name: str, of: Subject) -> list[Finding]:
    (each,) = examine(of, [name])
    return list(each.findings)


def variables(monkeypatch: pytest.MonkeyPatch, **given: str) -> list[Finding]:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return list(check_variables(subject()))


def test_every_check_that_there_is_is_made() -> None:
    """A module with a title is a check; what has none is for one of them."""
    modules = [
        importlib.import_module(f"{checks.__name__}.{one.name}") for one in pkgutil.iter_modules(checks.__path__)
    ]
    assert {one.__name__.rpartition(".")[2] for one in modules if hasattr(one, "TITLE")} == set(NAMES)


def test_a_check_that_fails_is_an_error_and_the_next_one_is_made(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "prices").write_text("")
    (tmp_path / "data" / "journal").mkdir()
    (tmp_path / "data" / "journal" / f"{0:020}.segment").mkdir()  # a folder, where everybody wants a file
    looked_at = list(examine(subject(data=str(tmp_path / "data")), ["conservation", "destinations"]))
    assert looked_at[0].findings[0].level is Level.error
    assert looked_at[0].findings[0].seen.startswith("this check failed: IsADirectoryError")
    assert looked_at[1].findings[0].level is Level.ok


def test_with_settings_that_cannot_be_used_the_rest_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "settings", "journal", "variables", "--set", "receive.htpp=1"]) == 1
    told = capsys.readouterr().out
    assert "receive.htpp (command line): unknown key; did you mean receive.http?" in told
    assert "not looked at, because the settings cannot be used" in told


def test_a_variable_of_ours_that_nobody_knows_hides_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXIMETER_RECEIVE_HTPP", "127.0.0.1:1")
    of = subject()
    assert found("variables", of)[0].seen.startswith("TAXIMETER_RECEIVE_HTPP: unknown variable; did you mean")
    assert found("settings", of)[0].level is Level.error
    assert found("destinations", of)[0].level is Level.ok


@pytest.mark.parametrize(
    ("given", "level", "sentence"),
    [
        ({"OTEL_SDK_DISABLED": "true"}, Level.error, "switches all telemetry off"),
        ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "redis,taximeter"}, Level.error, "apps are not metered"),
        ({"OTEL_TRACES_EXPORTER": "none"}, Level.warning, "traces do not reach a collector"),
        ({"OTEL_METRICS_EXPORTER": "prometheus"}, Level.note, "metrics do not reach a collector"),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}, Level.warning, "not in the ledger"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://otlp.example.com"},
            Level.warning,
            "telemetry of apps elsewhere",
        ),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://[::1"}, Level.error, "is no URL"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}, Level.ok, "where a collector with these settings"),
        ({"OTEL_TRACES_EXPORTR": "otlp"}, Level.warning, "is read by nobody"),
        ({"OTEL_ACME_THING": "1"}, Level.note, "read by nothing in this environment"),
        ({"http_proxy": "http://proxy.example.com:3128"}, Level.warning, "without localhost in no_proxy"),
        ({}, Level.ok, "nothing leads astray"),
    ],
)
def test_variables_that_lead_telemetry_astray_are_told(
    given: dict[str, str], level: Level, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = variables(monkeypatch, **given)
    assert one.level is level
    assert sentence in one.seen
    assert one.do or level not in (Level.warning, Level.error)


@pytest.mark.parametrize("name", ["OTEL_SERVICE_NAME", "OTEL_BSP_SCHEDULE_DELAY", "OTEL_SEMCONV_STABILITY_OPT_IN"])
def test_variables_that_opentelemetry_knows_are_no_finding(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [one.level for one in variables(monkeypatch, **{name: "1"})] == [Level.ok]


def test_rivals_are_known_by_where_their_code_is() -> None:
    def family(name: str, value: str) -> str | None:
        rival = Rival.maybe(EntryPoint(name, value, "opentelemetry_instrumentor"))
        return rival and rival.family

    assert family("openai", "opentelemetry.instrumentation.genai.openai:X") == "the official packages"
    assert family("openai", "openinference.instrumentation.openai:X") == "OpenInference"
    assert family("openai", "opentelemetry.instrumentation.openai:X") == "OpenLLMetry"
    assert family("redis", "opentelemetry.instrumentation.redis:X") is None
    assert family("httpx", "opentelemetry.instrumentation.httpx:X") is None


@pytest.mark.skipif(not RIVALS, reason="without the packages of rivals, as `make test-lowest` is; `make test` has them")
def test_what_instruments_the_same_sdk_twice_is_told_and_ours_is_found() -> None:
    """In this environment, which has the packages of three rivals."""
    said = found("instrumentations", subject())
    by_sdk = {one.seen.partition(":")[0]: one for one in said}
    assert by_sdk["openai"].level is Level.warning
    assert "openinference-instrumentation-openai (OpenInference)" in by_sdk["openai"].seen
    assert said[-1].level is Level.ok
    assert said[-1].seen.startswith("opentelemetry-instrument meters programs here: httpx")


def edition(data: Path, day: str) -> None:
    """Prices that were fetched on a day."""
    document = {
        "edition": f"{day}.0a0b0c0d",
        "url": "x",
        "package": metadata.version("genai-prices"),
        "data": PUBLISHED,
    }
    (data / "prices").mkdir(parents=True)
    file = data / "prices" / f"genai-prices-{document['edition']}.json.xz"
    file.write_bytes(lzma.compress(json.dumps(document).encode()))


def test_a_price_book_that_is_old_is_told_with_the_command_that_helps(tmp_path: Path) -> None:
    edition(tmp_path, "2026-01-02")
    (one,) = found("prices", subject(data=str(tmp_path)))
    assert one.level is Level.warning
    assert one.seen.startswith("genai-prices@2026-01-02.0a0b0c0d, fetched on 2026-01-02, ")
    assert one.do.startswith("taximeter prices update")
    assert one.facts["last_update"] == "2026-01-02"


def test_overrides_that_cannot_be_used_are_an_error_each(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text('[[price]]\nmodel = "x"\ninput = -1\n[[alias]]\nmodel = "y"\n')
    said = found("prices", subject(data=str(tmp_path)))
    assert len(said) >= 2
    assert {one.level for one in said} == {Level.error}


def test_a_file_that_a_setting_names_and_that_is_not_there_is_an_error() -> None:
    (one,) = found("settings", subject(receive__token_file="nowhere"))
    assert one.level is Level.error
    assert "nowhere" in one.seen


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_a_data_folder_that_others_can_enter_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    said = found("folder", subject(data=str(tmp_path)))
    assert said[0].do == f"chmod 700 {tmp_path}"
    tmp_path.chmod(0o700)
    assert found("folder", subject(data=str(tmp_path)))[0].level is Level.ok


def test_a_data_folder_in_memory_is_told() -> None:
    if not Path("/dev/shm").is_dir():
        pytest.skip("nothing here is in memory")
    said = found("folder", subject(data="/dev/shm/taximeter-is-not-there"))
    assert [one.facts["file_system"] for one in said if one.level is Level.warning] == ["tmpfs"]


def test_the_gravest_finding_is_the_worst() -> None:
    assert worst([]) is Level.ok
    assert worst([Examined("a", "A", (ok("x"), warning("y", "z"))), Examined("b", "B", (note("x"),))]) is Level.warning
    assert [level.rank for level in Level] == sorted(level.rank for level in Level)


def test_where_a_terminal_cannot_say_more_it_is_ascii() -> None:
    each = Examined("a", "A", (ok("ok ∅ so"), warning("w" * 5 + " word" * 40, "do\n\n[[alias]]"), error("e", "d")))
    plain = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    lines = list(section(each, plain))
    assert all(line.isascii() for line in lines)
    assert lines[:2] == ["A", "ok  ok ? so"]
    assert "    -> do" in lines
    assert "       [[alias]]" in lines
    assert lines[-2:] == ["x   e", "    -> d"]
    assert max(map(len, lines)) <= 110
    marks = [line[0] for line in section(each, io.TextIOWrapper(io.BytesIO(), encoding="utf-8")) if line]
    assert [mark for mark in marks if mark in "✓!✗"] == ["✓", "!", "✗"]


def test_the_page_has_every_check_and_every_option() -> None:
    page = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text("utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page.partition("## What is looked at")[2], re.MULTILINE) == list(NAMES)
    for each in ("full", "strict", "bundle", "json"):
        assert f"| `--{each}" in page


def test_names_of_checks_are_completed() -> None:
    words = {"COMP_WORDS": "taximeter doctor con", "COMP_CWORD": "2", "_TAXIMETER_COMPLETE": "complete_bash"}
    done = subprocess.run(
        [command_path()], env={**os.environ, **words}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split() == ["conservation"]


def test_a_check_that_there_is_not_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "jurnal"]) == 2
    assert capsys.readouterr().err.startswith("taximeter: there is no check jurnal; there are: environment, ")


def test_json_has_all_of_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [command_path(), "doctor", "--json", "environment", "journal"],
        env=clean_environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    told = json.loads(done.stdout)
    assert [one["name"] for one in told["checks"]] == ["environment", "journal"]
    assert told["version"].startswith("taximeter ")
    assert sum(told["counts"].values()) == sum(len(one["findings"]) for one in told["checks"])
    assert done.returncode == (1 if told["worst"] == "error" else 0)


@pytest.mark.parametrize(
    "text",
    [
        "postgres://me:planted-secret@db/x",
        "https://example.com/v1?api_key=planted-secret&x=1",
        "Authorization: Bearer planted-secret-planted-secret",
        "x-api-key=planted-secret",
        '"password": "planted-secret"',
        "eyJhbGciOiJub25lIn0.planted-secretplanted-secret.planted-secret",
        "the value planted-secret by itself",
    ],
)
def test_secrets_are_masked_wherever_they_stand(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_API_KEY", "the value planted-secret by itself")
    masked = Masking(subject()).text(text)
    assert "planted-secret" not in masked
    assert masked != ""


def test_figures_and_settings_that_are_no_secrets_stay() -> None:
    masking = Masking(subject())
    told = 'input_tokens: 12345\ntoken_file = "/etc/taximeter/tokens"\nkey_header = "authorization"\nmax_size = "10GiB"'
    assert masking.text(told) == told


def test_paths_do_not_tell_whose_they_are() -> None:
    masking = Masking(subject(), paths=True)
    assert (
        masking.text(f"{Path.home() / 'x'} /home/marguerite/y /Users/marguerite/z") == "~/x /home/USER/y /Users/USER/z"
    )
    assert masking.text(r"C:\Users\marguerite\data") == r"C:\Users\USER\data"


# The journal, while it moves


def journal_of(data: Path, *records: bytes) -> JournalConfig:
    """A journal with a record in each of its segments, and nobody who writes."""
    config = JournalConfig(dir=data / "journal")
    for record in records:
        written(config, record)
    return config


def written(config: JournalConfig, record: bytes) -> JournalWriter:
    """One more; a writer that opens a journal begins a segment."""
    done = threading.Semaphore(0)
    journal = JournalWriter(config, lambda group: done.release(len(group)))
    journal.append(Entry(Signal.LOGS, 1, "", record))
    assert done.acquire(timeout=20)
    journal.close()
    return journal


def read_all(config: JournalConfig, name: str = LANDER) -> None:
    with contextlib.closing(JournalReader(config.dir, name)) as reader:
        reader.commit(reader.read()[-1].position)


def trouble(data: Path, *names: str, full: bool = False) -> list[str]:
    looked_at = list(examine(Subject.of({"data": str(data)}, None, (), full=full), names))
    return [one.seen for each in looked_at for one in each.findings if one.level.rank > Level.note.rank]


def test_a_journal_that_was_read_to_its_end_and_let_go_is_as_it_should_be(tmp_path: Path) -> None:
    """Its head still names the segment in which it ended."""
    config = journal_of(tmp_path, b"0", b"1")
    read_all(config)
    Retention(Folder(config.dir), config).release()
    assert Folder(config.dir).segments() == []
    assert Folder(config.dir).head() != Head(0, 0, 2)
    assert trouble(tmp_path, "journal", "conservation") == []


def test_a_last_segment_that_is_gone_before_somebody_has_read_it_is_an_error(tmp_path: Path) -> None:
    config = journal_of(tmp_path, b"0", b"1")
    read_all(config)
    Folder(config.dir).set_cursor("audit", Cursor(1, 0, SEGMENT_HEADER_BYTES))
    Folder(config.dir).segment(1).unlink()
    (one,) = trouble(tmp_path, "journal")
    assert one.startswith("segment 1 is missing, in which the journal ends")


@pytest.mark.parametrize("names", [("journal",), ("conservation",)])
@pytest.mark.parametrize("moment", range(1, 8))
def test_a_writer_that_goes_on_and_deletes_while_it_is_looked_at_is_no_trouble(
    names: tuple[str, ...], moment: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever look at the folder it is, behind which all is read, let go, and something new is written."""
    config = journal_of(tmp_path, b"0", b"1", b"2")
    read_all(config, "audit")
    looks = itertools.count(1)
    look = Folder.segments

    def segments(folder: Folder) -> list[int]:
        found = look(folder)
        if next(looks) == moment:
            written(config, b"3")
            read_all(config)
            read_all(config, "audit")
            Retention(Folder(config.dir), config).release()
            written(config, b"4")
        return found

    monkeypatch.setattr(Folder, "segments", segments)
    assert trouble(tmp_path, *names, full=True) == []
