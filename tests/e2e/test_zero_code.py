"""The wheel in an environment of its own, with one SDK and nothing else: what a user has after `pip install`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from taximeter_cli.loopback import Loopback

from tests.e2e.receiver import Received, receiver
from tests.e2e.wheel import LOCK, Plain

CALL = """
import os, openai
def ask(model="gpt-4o-mini"):
    # A client for each call: its connections must not be shared between processes.
    client = openai.OpenAI(api_key="k", base_url=os.environ["LOOPBACK"] + "/v1")
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": "How much?"}])
"""


@pytest.fixture
def received() -> Iterator[Received]:
    with receiver() as kept:
        yield kept


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return tmp_path / "shop.py"


def instrumented(
    plain: Plain, script: Path, loopback: Loopback, endpoint: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a script with no code of ours in it."""
    return plain.run(
        "opentelemetry-instrument",
        "python",
        str(script),
        cwd=script.parent,
        LOOPBACK=loopback.url,
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        **environment,
    )


def test_every_call_arrives_with_no_code_and_no_variables_but_the_endpoint(
    plain: Plain, loopback: Loopback, received: Received, script: Path
) -> None:
    script.write_text(CALL + "for _ in range(50): ask()\n")
    done = instrumented(plain, script, loopback, received.url)
    assert (done.returncode, done.stderr) == (0, "")
    spans = received.spans()
    assert len(spans) == 50
    about, span = spans[0]
    assert about["service.name"] == "shop"
    assert span.name == "chat gpt-4o-mini"
    said = {item.key: item.value.int_value for item in span.attributes}
    assert (said["gen_ai.usage.input_tokens"], said["gen_ai.usage.output_tokens"]) == (120, 30)
    assert {"gen_ai.client.operation.duration", "gen_ai.client.token.usage"} <= received.metric_names()


def test_what_the_user_chose_stays(plain: Plain, loopback: Loopback, received: Received, script: Path) -> None:
    script.write_text(CALL + "ask()\n")
    done = instrumented(
        plain,
        script,
        loopback,
        received.url,
        OTEL_SERVICE_NAME="till",
        OTEL_TRACES_EXPORTER="otlp",
        OTEL_METRICS_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
    )
    assert done.returncode == 0, done.stderr
    assert [about["service.name"] for about, _ in received.spans()] == ["till"]
    assert received.metric_names() == set()


def test_the_meter_can_be_left_out(plain: Plain, loopback: Loopback, received: Received, script: Path) -> None:
    script.write_text(CALL + "ask()\n")
    instrumented(plain, script, loopback, received.url, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="taximeter")
    assert received.spans() == []


def test_one_line_does_as_well(plain: Plain, loopback: Loopback, received: Received, script: Path) -> None:
    script.write_text("import taximeter\ntaximeter.instrument()\n" + CALL + "ask()\n")
    done = plain.run(
        "python", str(script), cwd=script.parent, LOOPBACK=loopback.url, OTEL_EXPORTER_OTLP_ENDPOINT=received.url
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [about["service.name"] for about, _ in received.spans()] == ["shop"]


def test_a_child_is_metered_under_its_own_name(
    plain: Plain, loopback: Loopback, received: Received, script: Path
) -> None:
    child = script.with_name("till.py")
    child.write_text(CALL + "ask()\n")
    script.write_text(f"import subprocess, sys\nsubprocess.run([sys.executable, {str(child)!r}], check=True)\n")
    done = instrumented(plain, script, loopback, received.url)
    assert done.returncode == 0, done.stderr
    assert [about["service.name"] for about, _ in received.spans()] == ["till"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_forked_workers_lose_nothing(plain: Plain, loopback: Loopback, received: Received, script: Path) -> None:
    script.write_text(
        CALL
        + """
import multiprocessing
if __name__ == "__main__":
    ask("parent")
    workers = [multiprocessing.get_context("fork").Process(target=ask, args=("child",)) for _ in range(3)]
    [worker.start() for worker in workers]
    [worker.join() for worker in workers]
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    ask("parent")
"""
    )
    done = instrumented(plain, script, loopback, received.url)
    assert done.returncode == 0, done.stderr
    assert sorted(span.name for _, span in received.spans()) == ["chat child"] * 3 + ["chat parent"] * 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that a program could hear")
@pytest.mark.parametrize("handles", [False, True])
def test_sigterm_loses_nothing_and_still_ends_the_program(
    plain: Plain, loopback: Loopback, received: Received, script: Path, handles: bool
) -> None:
    own = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))" if handles else ""
    script.write_text(CALL + f"import signal, sys, time\n{own}\nask()\nprint('asked', flush=True)\ntime.sleep(300)\n")
    command = [str(plain.bin / "opentelemetry-instrument"), "python", str(script)]
    environment = plain.environment(LOOPBACK=loopback.url, OTEL_EXPORTER_OTLP_ENDPOINT=received.url)
    program = subprocess.Popen(command, cwd=script.parent, env=environment, stdout=subprocess.PIPE, text=True)
    assert program.stdout
    assert program.stdout.readline() == "asked\n"
    program.send_signal(signal.SIGTERM)
    assert program.wait(60) == (7 if handles else -signal.SIGTERM)
    program.stdout.close()
    assert len(received.spans()) == 1


@pytest.mark.skipif(os.name == "nt", reason="gunicorn does not run on Windows")
def test_gunicorn_workers_are_metered(plain: Plain, loopback: Loopback, received: Received, script: Path) -> None:
    app = "\ndef app(environ, start):\n    ask()\n    start('200 OK', [])\n    return [b'ok']\n"
    script.write_text(CALL + app)
    environment = plain.environment(LOOPBACK=loopback.url, OTEL_EXPORTER_OTLP_ENDPOINT=received.url)
    with socket.create_server(("127.0.0.1", 0)) as listener:  # what asks before the workers are there, waits for them
        number = listener.fileno()
        command = [str(plain.bin / name) for name in ("opentelemetry-instrument", "gunicorn")]
        bind = ["--preload", "--workers", "2", "--bind", f"fd://{number}", "--log-level", "error", "shop:app"]
        server = subprocess.Popen([*command, *bind], cwd=script.parent, env=environment, pass_fds=[number])
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        try:
            for _ in range(8):
                assert urllib.request.urlopen(url, timeout=60).read() == b"ok"
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) == 0
    assert len(received.spans()) == 8


def test_a_dead_collector_delays_the_exit_by_no_more_than_the_exporters_timeout(
    plain: Plain, loopback: Loopback, script: Path
) -> None:
    script.write_text(CALL + "ask()\nprint('through')\n")
    done = plain.run(  # the run itself is ended after 60 seconds
        "opentelemetry-instrument",
        "python",
        str(script),
        cwd=script.parent,
        LOOPBACK=loopback.url,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
    )
    assert (done.returncode, done.stdout) == (0, "through\n")


def test_it_works_beside_the_vanilla_distribution(
    plain: Plain, loopback: Loopback, received: Received, script: Path
) -> None:
    pip = ["-m", "pip", "install", "--quiet", "--constraint", str(LOCK)]
    assert plain.run("python", *pip, "opentelemetry-distro", cwd=script.parent).returncode == 0
    script.write_text(CALL + "ask()\n")
    done = instrumented(plain, script, loopback, received.url)
    assert done.returncode == 0
    assert len(received.spans()) == 1, done.stderr


def test_the_demos_sample_is_an_app_as_any_other(plain: Plain, tmp_path: Path) -> None:
    pip = ["-m", "pip", "install", "--quiet", "--constraint", str(LOCK)]
    assert plain.run("python", *pip, "anthropic", cwd=tmp_path).returncode == 0
    done = plain.run(
        "opentelemetry-instrument",
        "python",
        "-m",
        "taximeter_cli.demo",
        cwd=tmp_path,
        OTEL_TRACES_EXPORTER="taximeter_print",
        OTEL_METRICS_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
    )
    assert done.returncode == 0, done.stderr
    assert "in 4,760 (cached 0, written 4,480)  out 88" in done.stdout
    assert "in 4,900 (cached 4,480, written 0)  out 96" in done.stdout
    assert "FAILED: rate_limit_error" in done.stdout
    assert "execute_tool find_hotels" in done.stdout
