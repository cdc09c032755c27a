"""The `taximeter` command: what it tells of itself, and what it says to mistakes."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import taximeter
import typer
from taximeter_cli.commands import app
from taximeter_cli.main import main
from taximeter_cli.options import OF_THE_METER

from tests.e2e.collector import clean_environment, command_path

ROOT = Path(__file__).parents[2]
# What `pip install taximeter` does not bring. A finder that does not find them is what such an install has.
BASE_INSTALL = """
import sys
class Base:
    def __init__(self, finders):
        self.finders = finders
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("typer", "grpc", "httptools", "isal", "platformdirs", "psutil", "rich"):
            return None
        return next((spec for finder in self.finders if (spec := finder.find_spec(name, path, target))), None)
    def find_distributions(self, *given):
        return (one for finder in self.finders if hasattr(finder, "find_distributions")
                for one in finder.find_distributions(*given))
sys.meta_path[:] = [Base(sys.meta_path[:])]
sys.argv[0] = "taximeter"
from taximeter_cli.main import main
code = main()
assert "taximeter_collector" not in sys.modules
sys.exit(code)
"""


def commands(command: object = None, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """All commands and groups of commands, each by the words that lead to it."""
    command = command or typer.main.get_command(app)
    found = [path]
    for name, below in getattr(command, "commands", {}).items():
        found += commands(below, (*path, name))
    return found


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration is found by chance."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env=clean_environment(cwd), capture_output=True, text=True, timeout=120, check=False
    )


def test_the_version_is_told_with_what_a_bug_report_needs(tmp_path: Path) -> None:
    done = run(command_path(), "--version", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    python = ".".join(map(str, sys.version_info[:3]))
    first, *more = done.stdout.splitlines()
    assert re.fullmatch(rf"taximeter {re.escape(taximeter.__version__)} \(Python {python}\S*, \w+\)", first)
    told = " ".join(" ".join(more).split())
    for name in ("opentelemetry-sdk", "opentelemetry-util-genai", "deltalake", "duckdb", "ptars", "pyarrow"):
        assert f"{name} {metadata.version(name)}" in told
    assert {"python", "platform", "install", "meter", "collector"} <= {line.split()[0] for line in more}


def test_there_are_commands_to_receive_to_look_into_the_journal_and_at_settings() -> None:
    assert {("collect",), ("config", "show"), ("config", "check"), ("journal", "ls")} <= set(commands())


@pytest.mark.parametrize("path", commands(), ids=" ".join)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_each_command_explains_itself(path: tuple[str, ...], option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*path, option]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert " ".join(("taximeter", *path)) in told.out
    _, description, *_ = [line.strip() for line in told.out.splitlines() if line.strip()]
    assert description[0].isupper()
    assert len(description) > 20, "there is no sentence that says what it does"


def test_help_is_there_before_what_the_commands_need_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from taximeter_cli.main import main; assert main(['collect', '--help']) == 0; "
        "print(sorted({'grpc', 'google.protobuf', 'opentelemetry.proto', 'taximeter_collector'} & set(sys.modules)))"
    )
    done = run(sys.executable, "-c", code, cwd=tmp_path)
    assert done.stdout.endswith("\n[]\n"), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("colect",), "No such command 'colect'"),
        (("collect", "--htpp", "x"), "No such option"),
        (("collect", "--http"), "Option '--http' requires an argument"),
        (("collect", "surplus"), "unexpected extra argument"),
        (("collect", "--http", "4318"), "taximeter: receive.http = '4318' (command line): expected HOST:PORT"),
        (("collect", "--http", "0.0.0.0:4318"), "taximeter: receive.http = '0.0.0.0:4318': other machines could send"),
        (("collect", "--set", "receive.http"), "taximeter: --set receive.http: expected KEY=VALUE"),
        (("collect", "--set", "receive.htpp=x"), "unknown key; did you mean receive.http?"),
        (("collect", "--set", "receive.tokens=a=top-secret"), "a secret; set TAXIMETER_RECEIVE_TOKENS instead"),
        (("collect", "--config", "nowhere.toml"), "taximeter: nowhere.toml: cannot be read"),
        (("config", "show", "--config", "nowhere.toml"), "taximeter: nowhere.toml: cannot be read"),
        (("config", "check", "--set", "x=1"), "taximeter: x (command line): unknown key"),
    ],
)
def test_a_mistake_is_told_in_a_sentence_on_stderr(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert sentence in " ".join(told.err.replace("│", " ").split())
    assert "Traceback" not in told.err
    assert "top-secret" not in told.err
    if sentence.startswith("taximeter: "):
        assert told.err.count("\n") == 1


def test_without_a_command_it_says_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    told = capsys.readouterr()
    assert {"collect", "journal", "config"} <= set((told.out + told.err).split())


def test_variables_of_the_meter_are_known_to_the_commands(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "".join(path.read_text() for path in ROOT.glob("instrumentation/**/*.py"))
    assert set(OF_THE_METER) == set(re.findall(r'"(TAXIMETER_[A-Z_]+)"', code))
    for name in OF_THE_METER:
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv("TAXIMETER_REDACT_PATTERNS")  # which the collector reads as well
    assert main(["config", "check"]) == 0
    assert capsys.readouterr().out.startswith("ok; settings given: 0")


@pytest.mark.parametrize("arguments", [("collect",), ("config", "show"), ("collect", "--http", "127.0.0.1:0")])
def test_the_base_install_says_how_to_get_the_commands(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = run(sys.executable, "-c", BASE_INSTALL, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "This install only meters apps. For the commands: pip install 'taximeter[collector]'\n"


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_the_base_install_explains_itself(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = run(sys.executable, "-c", BASE_INSTALL, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: taximeter ")
    assert "pip install 'taximeter[collector]'" in " ".join(done.stdout.split())


def test_the_base_install_tells_its_version(tmp_path: Path) -> None:
    done = run(sys.executable, "-c", BASE_INSTALL, "--version", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[:2] == ["taximeter", taximeter.__version__]
    assert "meter only; the commands come with taximeter[collector]" in done.stdout
    assert f"opentelemetry-sdk {metadata.version('opentelemetry-sdk')}" in done.stdout
