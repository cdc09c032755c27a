"""`taximeter run`: any command, metered, with a receipt at its end, and nothing left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from taximeter_cli.loopback import Loopback

from tests.e2e.collector import clean_environment, collecting, command_path, free_port, until

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
APP = """
import os, sys, openai

def ask(model="gpt-4o-mini"):
    client = openai.OpenAI(api_key="k", base_url=os.environ["LOOPBACK"] + "/v1", max_retries=0)
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": "How much?"}])

if __name__ == "__main__":
    for _ in range(int(sys.argv[1])):
        ask()
    print("asked", sys.stdin.readline().strip())
    sys.exit(int(sys.argv[2]))
"""


class Runs:
    """Commands that are run over one data folder."""

    def __init__(self, folder: Path, loopback: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.loopback = loopback
        (folder / "app.py").write_text(APP)

    def start(self, *command: str, options: tuple[str, ...] = (), **environment: str) -> subprocess.Popen[str]:
        """Begin to run a command."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return subprocess.Popen(
            [command_path(), "run", "--data", str(self.data), *options, "--", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=clean_environment(self.folder) | {"LOOPBACK": self.loopback, "PATH": path, **environment},
            start_new_session=True,
        )

    def run(self, *command: str, said: str = "", options: tuple[str, ...] = (), **environment: str) -> Ended:
        """Run a command to its end."""
        with self.start(*command, options=options, **environment) as process:
            try:
                out, err = process.communicate(said, timeout=120)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # nothing of it is left by then, or it hangs
        return Ended(process.returncode, out, err)

    def left(self) -> list[str]:
        """Processes of ours that still run."""
        found = []
        for process in psutil.process_iter():
            try:
                line = process.cmdline()
            except psutil.Error:
                continue
            if str(self.data) in line:
                found.append(" ".join(line))
        return found


class Ended:
    """A command that has ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def calls(self) -> str:
        """The receipt's line about calls."""
        return next((line for line in self.err.splitlines() if "calls" in line), self.err)


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    with Loopback() as loopback:
        made = Runs(tmp_path, loopback.url)
        yield made
        until(lambda: not made.left(), "something is left running", 90)


def test_streams_and_exit_code_are_the_commands_own_and_a_receipt_follows(runs: Runs) -> None:
    ended = runs.run("python", "app.py", "2", "7", said="the time\n")
    assert (ended.code, ended.out) == (7, "asked the time\n")
    assert "2 calls" in ended.err
    assert "$0.000057" in ended.err  # two calls of gpt-4o-mini: 20 + 100 cached tokens in, 30 out
    assert str(runs.data / "lake") in ended.err


@pytest.mark.parametrize(
    "command",
    [
        ("python", "-m", "app", "1", "0"),
        ("sh", "-c", "cd . && python app.py 1 0; true"),
        (sys.executable, "-X", "dev", "app.py", "1", "0"),
        ("env", "SOME=THING", "python", "app.py", "1", "0"),
    ],
    ids=lambda command: " ".join(Path(word).name for word in command[:3]),
)
def test_whatever_starts_python_is_metered(runs: Runs, command: tuple[str, ...]) -> None:
    assert "1 call" in runs.run(*command, said="x\n").err


def test_pytest_is_metered(runs: Runs) -> None:
    (runs.folder / "test_app.py").write_text("from app import ask\ndef test_it():\n    assert ask().choices\n")
    ended = runs.run("pytest", "-q", "-p", "no:cacheprovider", "test_app.py")
    assert ended.code == 0
    assert "1 passed" in ended.out
    assert "1 call" in ended.err


@POSIX
@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_a_web_server_is_metered_until_it_is_told_to_stop(runs: Runs, server: str) -> None:
    (runs.folder / "web.py").write_text(
        textwrap.dedent("""
        from app import ask
        def wsgi(environ, start):
            ask()
            start("200 OK", [("content-length", "2")])
            return [b"ok"]
        async def asgi(scope, receive, send):
            if scope["type"] == "http":
                ask()
                await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
                await send({"type": "http.response.body", "body": b"ok"})
        """)
    )
    port = free_port()
    of_server = {
        "uvicorn": ("uvicorn", "--port", str(port), "--lifespan", "off", "web:asgi"),
        "gunicorn": ("gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "2", "web:wsgi"),
    }
    process = runs.start(*of_server[server])
    assert until(lambda: _fetched(port), "it does not answer", 60) == b"ok"
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert "1 call" in err


def test_a_program_that_speaks_otlp_by_itself_is_told_where_to(runs: Runs) -> None:
    """Python in isolation stands for any other language: nothing of ours is in that process."""
    script = """
        import json, os, sys, urllib.request
        assert "opentelemetry" not in sys.modules
        named = dict(pair.split("=") for pair in os.environ["OTEL_RESOURCE_ATTRIBUTES"].split(","))
        attributes = [{"key": key, "value": {"stringValue": value}} for key, value in named.items()]
        facts = {"gen_ai.operation.name": {"stringValue": "chat"}, "gen_ai.provider.name": {"stringValue": "openai"},
                 "gen_ai.request.model": {"stringValue": "gpt-4o"}, "gen_ai.usage.input_tokens": {"intValue": "1000"},
                 "gen_ai.usage.output_tokens": {"intValue": "100"}}
        import time
        now = time.time_ns()
        span = {"traceId": "5" * 32, "spanId": "6" * 16, "name": "chat gpt-4o", "kind": 3,
                "startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 10**9),
                "attributes": [{"key": key, "value": value} for key, value in facts.items()]}
        body = {"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": [{"spans": [span]}]}]}
        request = urllib.request.Request(os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/v1/traces",
            json.dumps(body).encode(), {"content-type": "application/json"})
        print(urllib.request.urlopen(request).status)
    """
    ended = runs.run("python", "-I", "-c", textwrap.dedent(script))
    assert ended.out == "200\n"
    assert "1 call" in ended.err
    assert "$0.0035" in ended.err


def test_a_backend_of_ones_own_is_left_alone_and_said_so(runs: Runs) -> None:
    ended = runs.run("python", "app.py", "1", "0", said="x\n", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert "not to http://127.0.0.1:9" in ended.err
    assert "1 call" in ended.err


def test_a_python_without_taximeter_runs_as_ever_and_is_told_of(runs: Runs) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(runs.folder / "bare")], check=True)
    bare = runs.folder / "bare" / ("Scripts" if os.name == "nt" else "bin") / "python"
    ended = runs.run(str(bare), "-c", "print('as ever')")
    assert (ended.code, ended.out) == (0, "as ever\n")
    assert "no call" in ended.err
    assert f"{bare}" in ended.err
    assert "pip install taximeter" in ended.err


def test_a_command_that_is_not_there_is_told_as_a_shell_does(runs: Runs) -> None:
    ended = runs.run("no-such-command")
    assert (ended.code, ended.out) == (127, "")
    assert "no-such-command: command not found" in ended.err


@POSIX
def test_a_signal_reaches_the_command_and_its_exit_code_says_so(runs: Runs) -> None:
    process = runs.start("python", "-c", "import time; print('here', flush=True); time.sleep(100)")
    assert process.stdout
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM


@POSIX
def test_ctrl_c_is_for_the_command_which_may_take_its_time(runs: Runs) -> None:
    slow = """
        import time
        try:
            print("here", flush=True); time.sleep(100)
        except KeyboardInterrupt:
            time.sleep(0.5); print("done")
    """
    process = runs.start("python", "-c", textwrap.dedent(slow))
    assert process.stdout
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGINT)  # nothing has a terminal here: it comes to us alone
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (0, "done\n")
    assert "no call" in err


def test_runs_one_after_another_each_have_a_collector_that_listens(runs: Runs) -> None:
    for _ in range(3):
        assert "1 call" in runs.run("python", "app.py", "1", "0", said="x\n").err
        assert not (runs.data / "run/places").exists()


@POSIX
def test_what_a_killed_collector_has_left_is_not_believed(runs: Runs) -> None:
    """Its number may be another process's by now."""
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    try:
        (runs.data / "run").mkdir(parents=True)
        (runs.data / "run/places").write_text(f'{{"http": "http://127.0.0.1:9", "pid": {stranger.pid}}}')
        assert "1 call" in runs.run("python", "app.py", "1", "0", said="x\n").err
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_two_runs_at_a_time_share_a_collector_and_each_has_its_own_receipt(runs: Runs) -> None:
    first = runs.start("python", "app.py", "1", "0")
    until(lambda: (runs.data / "run/places").exists(), "no collector", 60)
    second = runs.run("python", "app.py", "2", "0", said="x\n")
    assert "2 calls" in second.err
    assert first.poll() is None
    assert len([line for line in runs.left() if " collect " in line]) == 1
    _, err = first.communicate("x\n", timeout=120)
    assert "1 call" in err


@POSIX
def test_a_run_that_is_killed_leaves_no_collector_behind(runs: Runs) -> None:
    killed = runs.start("python", "-c", "import time; print('here', flush=True); time.sleep(100)")
    assert killed.stdout
    assert killed.stdout.readline() == "here\n"
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert [line for line in runs.left() if " collect " in line]
    until(lambda: not runs.left(), "a collector is left", 90)


def test_a_collector_that_runs_already_is_used_and_goes_on(runs: Runs) -> None:
    with collecting(runs.data, lands=True) as collector:
        ended = runs.run("python", "app.py", "1", "0", said="x\n")
        assert "1 call" in ended.err
        assert collector.ask("/healthz")[0] == 200


def test_telemetry_that_is_not_taken_where_the_program_sends_it_is_told(runs: Runs) -> None:
    """Its own variable wins over that of the run; nobody listens there."""
    nowhere = "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9 OTEL_EXPORTER_OTLP_TIMEOUT=1"
    ended = runs.run("sh", "-c", f"{nowhere} python app.py 2 0", said="x\n")
    assert ended.code == 0
    assert "no call was seen" in ended.err
    assert re.search(r"missing   \d+ spans could not be delivered to http://127.0.0.1:9/v1/traces", ended.err)
    assert "it may have made none" not in ended.err


def test_telemetry_that_goes_to_another_collector_is_told(runs: Runs) -> None:
    with collecting(runs.folder / "other") as other:
        ended = runs.run("sh", "-c", f"OTEL_EXPORTER_OTLP_ENDPOINT={other.http} python app.py 1 0", said="x\n")
        assert f"its telemetry went to {other.http}/v1/traces, which it sets itself" in ended.err
        assert "missing" not in ended.err


def test_what_the_meter_has_given_up_is_told(runs: Runs) -> None:
    ended = runs.run("python", "-c", "from app import ask; from taximeter import faults; ask(); faults.count('taps.x')")
    assert "1 call" in ended.err
    assert "missing   the meter in a program gave something up 1 time: 1 taps.x (taximeter.faults)" in ended.err


def test_what_a_program_drops_because_its_queue_is_full_is_told(runs: Runs) -> None:
    burst = "from opentelemetry import trace\nfor _ in range(5000):\n    trace.get_tracer('x').start_span('s').end()\n"
    ended = runs.run("python", "-c", burst, OTEL_BSP_MAX_QUEUE_SIZE="8", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="8")
    assert re.search(r"missing   [\d,]+ records? w\w+ dropped in the program, whose queue was full", ended.err)


@POSIX
def test_a_collector_that_is_killed_meanwhile_is_told_and_so_is_what_it_did_not_get(runs: Runs) -> None:
    later = "import sys; print('here', flush=True); sys.stdin.readline(); from app import ask; ask()"
    process = runs.start("python", "-c", later, options=("--budget", "100"), OTEL_EXPORTER_OTLP_TIMEOUT="1")
    assert process.stdout
    assert process.stdout.readline() == "here\n"
    places = until(lambda: _places(runs), "no collector", 60)
    collector = psutil.Process(places["pid"])
    workers = collector.children()
    collector.kill()
    psutil.wait_procs([collector, *workers], timeout=60)
    _, err = process.communicate("x\n", timeout=120)
    assert process.returncode == 0
    assert "the collector ended before the command, and calls of after that are not here" in err
    assert re.search(rf"\d+ spans? could not be delivered to {places['http']}", err)


@POSIX
def test_a_command_that_is_killed_without_a_word_is_told(runs: Runs) -> None:
    ended = runs.run("python", "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert ended.code == 137
    assert "SIGKILL ended it without a word: of its last second, calls may be missing" in ended.err


def test_what_the_collector_refuses_of_any_program_is_told(runs: Runs) -> None:
    script = """
        import os, urllib.error, urllib.request
        headers = {"content-type": "application/x-protobuf"}
        for _ in range(2):
            try:
                urllib.request.urlopen(urllib.request.Request(
                    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/v1/traces", b"nonsense", headers))
            except urllib.error.HTTPError as error:
                print(error.code)
    """
    ended = runs.run("python", "-I", "-c", textwrap.dedent(script))
    assert ended.out == "400\n400\n"
    assert "missing   the collector refused 2 requests while it ran: 2 malformed" in ended.err


def test_a_run_of_which_nothing_got_lost_does_not_say_otherwise(runs: Runs) -> None:
    with collecting(runs.data, lands=True) as collector:
        with suppress(urllib.error.HTTPError):  # of before
            urllib.request.urlopen(f"{collector.http}/v1/traces", b"nonsense")
        assert "missing" not in runs.run("python", "app.py", "1", "0", said="x\n").err


def test_a_budget_warns_and_with_stop_ends_the_command(runs: Runs) -> None:
    (runs.folder / "spender.py").write_text("from app import ask\nwhile True:\n    ask()\n")
    ended = runs.run("python", "spender.py", options=("--budget", "0.001", "--stop"))
    assert ended.code == 3
    assert "the budget of $0.001 is spent" in ended.err


def test_a_budget_only_warns_without_stop(runs: Runs) -> None:
    ended = runs.run("python", "app.py", "3", "0", said="x\n", options=("--budget", "0.00008"))
    assert ended.code == 0
    assert "is spent" in ended.err


@pytest.mark.parametrize("amount", ["free", "-1", "0", "NaN"])
def test_a_budget_that_is_none_is_told(runs: Runs, amount: str) -> None:
    ended = runs.run("python", "app.py", "1", "0", options=(f"--budget={amount}",))
    assert ended.code == 2
    assert "expected an amount in US dollars" in ended.err


def test_quiet_prints_nothing_of_ours(runs: Runs) -> None:
    assert "taximeter:" not in runs.run("python", "app.py", "1", "0", said="x\n", options=("--quiet",)).err


def _places(runs: Runs) -> dict[str, Any] | None:
    with suppress(OSError, ValueError):
        found: dict[str, Any] = json.loads((runs.data / "run/places").read_bytes())
        return found
    return None


def _fetched(port: int) -> bytes | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
            return bytes(answer.read())
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        time.sleep(0.1)
        return None
