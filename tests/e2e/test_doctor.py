"""`taximeter doctor` over real collectors, with real trouble."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from taximeter_collector.journal import Entry, JournalConfig, JournalReader, JournalWriter, Signal
from taximeter_collector.journal.segments import Folder

from tests.collector.telling import CALL, span, trace
from tests.e2e.collector import Collector, clean_environment, collecting, command_path, until
from tests.e2e.sending import REQUESTS, HttpSender, spans
from tests.e2e.test_landing import SOON, ledger

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")

POISON = b"\x0a\xffnonsense"
NOBODY = "http://127.0.0.1:1"


class Told:
    """What the doctor said."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        assert done.stdout.startswith("{"), done.stdout + done.stderr
        self.code = done.returncode
        self.all = json.loads(done.stdout)
        self.checks = {one["name"]: one["findings"] for one in self.all["checks"]}

    def findings(self, check: str, *levels: str) -> list[dict[str, Any]]:
        """Those of a check that are of these levels."""
        return [one for one in self.checks[check] if not levels or one["level"] in levels]

    def only(self, check: str, level: str) -> dict[str, Any]:
        """The one of this level."""
        (found,) = self.findings(check, level)
        return found

    def account(self, signal: str) -> dict[str, Any]:
        """What became of a signal."""
        (found,) = [one["facts"] for one in self.checks["conservation"] if one["facts"].get("signal") == signal]
        return found

    def trouble(self) -> list[str]:
        return [one["seen"] for found in self.checks.values() for one in found if one["level"] in ("warning", "error")]


def doctor(
    data: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [command_path(), "doctor", "--data", str(data), *arguments],
        cwd=data.parent,
        env=clean_environment(data.parent) | dict(environment or {}),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def told(data: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Told:
    return Told(doctor(data, "--json", *arguments, environment=environment))


def landed(collector: Collector) -> None:
    """Wait until the lander has read all."""
    folder = Folder(collector.journal)

    def is_done() -> bool:
        head, cursor = folder.head(), folder.cursor("lander")
        return bool(head and cursor and cursor.next >= head.next)

    until(is_done, f"not all lands: {collector.said()}", patience_s=60)


@contextmanager
def listening() -> Iterator[int]:
    """Somebody else, at a port."""
    with subprocess.Popen(
        [sys.executable, "-m", "http.server", "0", "--bind", "127.0.0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**clean_environment(Path.cwd()), "PYTHONUNBUFFERED": "1"},
        text=True,
    ) as process:
        assert process.stdout
        port = int(process.stdout.readline().split(" port ")[1].split()[0])
        try:
            yield port
        finally:
            process.terminate()


def test_where_nothing_is_wrong_it_says_so_and_the_law_holds_for_every_signal(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with collecting(data, *SOON, lands=True) as collector, HttpSender(collector.http) as sender:
        for signal, make in REQUESTS.items():
            assert sender.send(make(count=7), signal).acknowledged
        landed(collector)
        places = [f"receive.http={collector.http.removeprefix('http://')}", f"receive.grpc={collector.grpc}"]
        checks = ["settings", "ports", "folder", "journal", "lake", "dead-letters", "destinations", "conservation"]
        while_running = told(data, *checks, *(f"--set={place}" for place in places))
    assert while_running.trouble() == []
    assert while_running.code == 0
    assert "/readyz say ok" in while_running.findings("ports")[0]["seen"]
    assert [one["seen"].partition(": ")[2] for one in while_running.findings("ports")[1:]] == [
        "the collector listens",
        "the collector listens",
    ]
    for signal in REQUESTS:
        assert while_running.account(signal)["accepted"] == while_running.account(signal)["landed"] == 7
    afterwards = told(data, "journal", "lake", "conservation", "--full")
    assert afterwards.trouble() == []
    assert [one["seen"] for one in afterwards.findings("lake") if "are sound" in one["seen"]]


def test_what_is_not_read_yet_is_in_the_equation(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with collecting(data, *SOON, lands=True) as collector, HttpSender(collector.http) as sender:
        assert sender.send(spans(count=3)).acknowledged
        landed(collector)
    with collecting(data) as collector, HttpSender(collector.http) as sender:  # lands nothing
        assert sender.send(spans(count=5)).acknowledged
    account = told(data, "conservation").account("traces")
    assert (account["accepted"], account["landed"], account["unread"], account["missing"]) == (8, 3, 5, 0)


def test_a_port_that_another_program_has_is_an_error_that_names_it(tmp_path: Path) -> None:
    with listening() as port:
        found = told(tmp_path / "data", "ports", f"--set=receive.http=127.0.0.1:{port}")
    assert found.code == 1
    error = found.only("ports", "error")
    assert "another program listens, process " in error["seen"]
    assert "--set receive.http=HOST:PORT" in error["do"]


def test_a_port_that_another_taximeter_has_is_told_as_such(tmp_path: Path) -> None:
    with collecting(tmp_path / "other") as collector:
        place = collector.http.removeprefix("http://")
        found = told(tmp_path / "data", "ports", f"--set=receive.http={place}")
    assert "a Taximeter of another data folder listens" in found.only("ports", "warning")["seen"]


def test_a_journal_at_its_limit_and_the_destination_that_is_down_are_told(tmp_path: Path) -> None:
    """Only errors make the exit code 1; with --strict, warnings do."""
    data = tmp_path / "data"
    settings = ["--set=journal.max_size=4MiB", "--set=journal.segment_size=1MiB", "--set=receive.max_request=1MiB"]
    settings += [f"--set=forward.down.endpoint={NOBODY}", "--set=land.enabled=false"]
    with collecting(data, *settings) as collector, HttpSender(collector.http) as sender:
        assert sender.send(spans()).acknowledged
        until(lambda: told(data, *settings, "destinations").findings("destinations", "warning"), "it is not down")
        down = told(data, *settings, "destinations")
        assert down.code == 0
        assert told(data, *settings, "destinations", "--strict").code == 1
        (finding,) = down.findings("destinations")
        assert finding["seen"].startswith("down, http://127.0.0.1:1: waiting")
        assert (finding["facts"]["state"], finding["facts"]["last_error"]["reason"]) == ("waiting", "connect")
        while sender.send(spans(pad_bytes=400_000)).acknowledged:
            pass
        full = told(data, *settings, "ports", "journal")
    assert full.code == 1
    assert "takes nothing in: " in full.findings("ports", "error")[0]["seen"]
    assert "at its limit; forward-down has the most before it" in full.only("journal", "error")["seen"]


def test_the_cursor_of_a_destination_that_is_no_more_is_told_with_the_command_that_forgets_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with collecting(data, "--forward", f"gone={NOBODY}") as collector, HttpSender(collector.http) as sender:
        assert sender.send(spans()).acknowledged
        until(lambda: "forward-gone" in Folder(collector.journal).readers(), "it reads nothing")
    assert not told(data, "journal", f"--set=forward.gone.endpoint={NOBODY}").findings("journal", "warning")
    finding = told(data, "journal").only("journal", "warning")
    assert finding["facts"]["orphan"]
    command = finding["do"].partition(",")[0]
    assert command == f"taximeter journal forget --data {data} forward-gone"
    subprocess.run([command_path(), *command.split()[1:]], check=True, env=clean_environment(tmp_path))
    assert not told(data, "journal").findings("journal", "warning")


def test_what_could_not_be_landed_is_told_without_what_was_in_it_and_the_law_holds(tmp_path: Path) -> None:
    data = tmp_path / "data"
    journal = JournalWriter(JournalConfig(dir=data / "journal"), settled=lambda _: None)
    for payload in (spans(count=2), POISON, spans(count=3)):
        journal.append(Entry(Signal.TRACES, 4 if payload == POISON else payload.count(b"chat"), "", payload))
    journal.close()
    JournalReader(data / "journal", "auditor").close()  # a segment that all have read may go at any moment
    with collecting(data, *SOON, lands=True) as collector:
        landed(collector)
    found = told(data, "dead-letters", "conservation")
    finding = found.only("dead_letters", "warning")
    assert finding["seen"].startswith("1 request could not be landed")
    assert "nonsense" not in json.dumps(found.all)
    account = found.account("traces")
    assert (account["accepted"], account["landed"], account["dead_letters"], account["missing"]) == (9, 5, 4, 0)
    assert found.code == 0


def test_a_segment_that_is_gone_with_what_nobody_has_read_is_an_error(tmp_path: Path) -> None:
    data = tmp_path / "data"
    settings = ["--set=journal.segment_size=1MiB", "--set=journal.max_size=128MiB"]
    with collecting(data, *settings) as collector, HttpSender(collector.http) as sender:
        for _ in range(8):
            assert sender.send(spans(pad_bytes=400_000)).acknowledged
    folder = Folder(data / "journal")
    assert not told(data, "conservation").findings("conservation", "error")
    _, second, third, *_ = folder.segments()
    folder.segment(second).unlink()
    found = told(data, "conservation")
    assert found.code == 1
    error = found.only("conservation", "error")
    assert error["facts"]["gaps"] == [[second, third - 1]]
    folder.segment(max(folder.segments())).unlink()
    assert "is missing, in which the journal ends" in told(data, "journal").only("journal", "error")["seen"]


def test_rows_that_are_not_in_the_lake_are_missing_by_their_record(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with collecting(data, *SOON, lands=True) as collector, HttpSender(collector.http) as sender:
        for _ in range(3):
            assert sender.send(spans(count=2)).acknowledged
        landed(collector)
    DeltaTable(data / "lake" / "spans").delete("journal_position = 1")
    found = told(data, "conservation", "--full")
    account = found.account("traces")
    assert (account["accepted"], account["landed"], account["missing"]) == (6, 4, 2)
    assert account["records_missing"] == [1]
    assert "files of it were lost" in found.only("conservation", "error")["do"]
    assert found.code == 1


def test_after_an_older_lake_was_put_back_its_advice_lands_the_rest(tmp_path: Path) -> None:
    data, lake, backup = tmp_path / "data", tmp_path / "data" / "lake", tmp_path / "backup"
    with collecting(data, *SOON, lands=True) as collector, HttpSender(collector.http) as sender:
        assert sender.send(spans(count=2)).acknowledged
        landed(collector)
    shutil.copytree(lake, backup)
    with collecting(data, *SOON, lands=True) as collector, HttpSender(collector.http) as sender:
        assert sender.send(spans(count=3)).acknowledged
        landed(collector)
    shutil.rmtree(lake)
    shutil.copytree(backup, lake)
    found = told(data, "conservation")
    assert found.account("traces")["missing"] == 3
    assert "taximeter journal forget --data" in found.only("conservation", "error")["do"]
    Folder(data / "journal").forget("lander")
    with collecting(data, *SOON, lands=True) as collector:
        landed(collector)
    again = told(data, "conservation")
    account = again.account("traces")
    assert (account["missing"], again.code) == (0, 0)
    assert account["accepted"] == account["landed"] >= 3
    assert DeltaTable(lake / "spans").to_pyarrow_table().num_rows == 5


def test_days_that_were_dropped_as_the_settings_say_are_not_missing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    long_ago = time.time_ns() - 60 * 86_400 * 10**9
    settings = [*SOON, "--set=lake.spans_max_age=30d"]
    with collecting(data, *settings, lands=True) as collector, HttpSender(collector.http) as sender:
        assert sender.send(trace(span(1, at_unix_nano=long_ago, **CALL), span(2, **CALL))).acknowledged
        landed(collector)
    subprocess.run(
        [command_path(), "lake", "prune", "--data", str(data), "--set=lake.spans_max_age=30d"],
        check=True,
        env=clean_environment(tmp_path),
    )
    found = told(data, "conservation", "--set=lake.spans_max_age=30d")
    account = found.account("traces")
    assert (account["landed"], account["landed_on_days_that_were_dropped"], account["missing"]) == (1, 1, 0)
    assert found.code == 0
    assert told(data, "conservation").account("traces")["missing"] == 1, "without that setting, nobody may have done it"


def test_a_file_of_the_lake_that_is_gone_is_an_error(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with collecting(data, *SOON, lands=True) as collector, HttpSender(collector.http) as sender:
        assert sender.send(trace(span(1, **CALL))).acknowledged
        landed(collector)
    next((data / "lake" / "spans").glob("date=*/*.parquet")).unlink()
    found = told(data, "lake", "conservation")
    assert "1 of 1 file missing" in found.only("lake", "error")["seen"]
    assert "cannot be read" in found.only("conservation", "error")["seen"]


def test_a_model_without_a_price_is_told_with_what_can_be_pasted(tmp_path: Path) -> None:
    data = tmp_path / "data"
    unknown = {**CALL, "gen_ai.response.model": "acme-13b"}
    with collecting(data, *SOON, lands=True) as collector, HttpSender(collector.http) as sender:
        assert sender.send(trace(span(1, **CALL), span(2, trace_id=2, **unknown))).acknowledged
        ledger(collector, 2)
    finding = told(data, "coverage").only("coverage", "warning")
    assert "1 of 2 calls have no price" in finding["seen"]
    snippet = finding["do"].partition("\n\n")[2]
    assert snippet == '[[alias]]\nprovider = "openai"\nmodel = "acme-13b"\nmeans = "THE MODEL THAT IT IS"'
    (data / "prices.toml").write_text(snippet.replace("THE MODEL THAT IT IS", "gpt-4o-mini"))
    assert told(data, "prices").findings("prices")[-1]["facts"] == {"prices": 0, "aliases": 1}


SECRET = "hunter2secretvalue"
SECRETS = {
    "TAXIMETER_RECEIVE_TOKENS": f"team=tok-{SECRET}",
    "TAXIMETER_FORWARD_FAR_KEY": f"key-{SECRET}",
    "TAXIMETER_FORWARD_FAR_SECRET_HEADERS": f"x-honeycomb-team=hny-{SECRET}",
    "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20otel-{SECRET}",
    "OTEL_EXPORTER_OTLP_ENDPOINT": f"https://someone:pw-{SECRET}@otlp.example.com/v1?api_key=q-{SECRET}",
    "OTEL_RESOURCE_ATTRIBUTES": f"deployment.secret=res-{SECRET}",
    "HTTPS_PROXY": f"http://someone:proxy-{SECRET}@proxy.example.com:3128",
    "OPENAI_API_KEY": f"sk-proj-{SECRET}",
}


def test_a_bundle_has_what_a_bug_report_needs_and_no_secret_no_content_and_no_name(tmp_path: Path) -> None:
    home = tmp_path / "home" / "marguerite"
    data = home / "data"
    home.mkdir(parents=True)
    token_file, key_file, settings_file = home / "tokens", home / "headers", home / "settings.toml"
    token_file.write_text(f"team file-{SECRET}\n")
    key_file.write_text(f"x-key: headers-{SECRET}\n")
    settings_file.write_text(
        f'[receive]\ntoken_file = "{token_file}"\n[forward.far]\nendpoint = "https://far.example.com/?key=e-{SECRET}"\n'
        f'headers_file = "{key_file}"\nenabled = false\n[telemetry]\notlp_endpoint = "http://me:t-{SECRET}@localhost:9"\n'
    )
    said = f"prompt-{SECRET}"
    with collecting(data, *SOON, lands=True) as collector, HttpSender(collector.http) as sender:
        told_content = {"gen_ai.input.messages": said, "user.id": said}
        assert sender.send(trace(span(1, **CALL, **told_content))).acknowledged
        ledger(collector, 1)
    bundle = tmp_path / "bundle.zip"
    environment = {**SECRETS, "HOME": str(home)}
    done = doctor(data, "--config", str(settings_file), "--bundle", str(bundle), environment=environment)
    assert SECRET not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    with zipfile.ZipFile(bundle) as opened:
        parts = {name: opened.read(name).decode() for name in opened.namelist()}
    for name, text in parts.items():
        assert SECRET not in text, name
        assert "marguerite" not in text, name
        assert "Error: " not in text, name
    assert set(parts) >= {"version.txt", "findings.json", "settings.toml", "metrics.txt", "journal.json", "lake.json"}
    assert parts["version.txt"].startswith("taximeter ")
    assert "[forward.far]" in parts["settings.toml"]
    assert "taximeter_receiver_accepted_items_total" in parts["metrics.txt"]
    assert {one["table"] for one in json.loads(parts["lake.json"])} >= {"calls", "spans"}
    assert json.loads(parts["findings.json"])["checks"]
    assert bundle.stat().st_mode & 0o077 == 0


def test_a_port_where_nobody_speaks_http_hangs_nothing(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        found = told(tmp_path / "data", "ports", f"--set=receive.http=127.0.0.1:{silent.getsockname()[1]}")
    assert found.findings("ports", "error")
