"""`taximeter demo`."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer

from taximeter_cli.options import Mistake

__all__ = ["demo"]

_INTERRUPTED = 128  # and more: by a signal, or because nobody reads any more
_WIDTH = "110"  # where there is no terminal
# What users have set for themselves: their collector, their backend, their proxy. None of it is for the sample.
_OF_USERS = ("TAXIMETER_", "OTEL_", "OPENAI_", "ANTHROPIC_")
_ZONE = "TAXIMETER_TIMEZONE"
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
# What the sample is metered by: whoever else is installed here would tell of the same calls in words of their own.
_INSTRUMENTATIONS = ("taximeter", "threading", "httpx", "httpx2")
# Content is what a conversation is read by; it is made up here.
_SAMPLE = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY"}


def demo(
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FOLDER", help="Keep the sample's lake there; default: nowhere.")
    ] = None,
) -> None:
    """Meter a sample, without any key or account, and show the reports that one wants first.

    Two services with real SDKs call a provider on this machine, and a coding agent tells of a session; nothing leaves
    the machine. Each report stands under the command that prints it.
    """
    with _folder(data) as folder, _by_itself(folder):
        code = _shown(folder, kept=data)
    raise typer.Exit(code)


def _shown(folder: Path, kept: Path | None) -> int:
    """The sample, and the reports; the exit code says whether everything is there."""
    from taximeter_cli.demo.expected import missing, without
    from taximeter_cli.demo.tour import dearest_trace, reports

    lake = folder / "lake"
    for sentence in _about(kept, without()):
        print(sentence)
    program = ("-m", "taximeter_cli.demo")
    code = _command("run", sys.executable, *program, shown=f"run python {shlex.join(program)}")
    if not (lake / "calls").exists():
        return code or 1
    print("", *_between(), sep="\n")
    for arguments in reports(dearest_trace(lake), without()):
        if code < _INTERRUPTED:
            code = max(code, _command(*arguments))
    problems = list(missing(lake))
    print("", *_where(kept), sep="\n", flush=True)
    for problem in problems:
        print(f"taximeter: {problem}", file=sys.stderr)
    return code or (1 if problems else 0)


def _command(*arguments: str, shown: str | None = None) -> int:
    """Run one, under what one would type for it."""
    from taximeter_cli.commands import run

    line = f"$ taximeter {shown or shlex.join(arguments)}"
    print("", f"\x1b[1m{line}\x1b[0m" if sys.stdout.isatty() else line, sep="\n", flush=True)
    return run(arguments)


def _about(kept: Path | None, skipped: list[str]) -> Iterator[str]:
    yield "Two services, a coding agent and a provider, all on this machine: no key, no account, no other network."
    if skipped:
        names = " ".join(skipped)
        yield f"Not installed, and skipped: what calls {', '.join(skipped)}. To have all of it: pip install {names}"
    yield f"The lake is in {kept}." if kept else "The lake is a temporary one; `taximeter demo --data FOLDER` keeps it."


def _between() -> Iterator[str]:
    """Why the figures of the receipt are not those of the reports."""
    from taximeter_cli.demo.coding_agent import CALLS

    session = f"the coding agent's session of before: {CALLS} calls more"
    yield f"The receipt is of that run alone. The lake also has {session}."


def _where(kept: Path | None) -> Iterator[str]:
    if kept:
        yield f"The lake stays in {kept}: export TAXIMETER_DATA={shlex.quote(str(kept))}, and ask on."
    yield "Your own app: taximeter run python app.py"


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    """Where everything goes. Mistake where there is a lake already, with which the sample must not be mixed."""
    if data is None:
        with tempfile.TemporaryDirectory(prefix="taximeter-demo-", ignore_cleanup_errors=True) as temporary:
            yield Path(temporary).resolve()
        return
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise Mistake(f"taximeter: {data} is not empty; name a folder for the sample alone")
    data.mkdir(parents=True, exist_ok=True)
    yield data.resolve()


@contextmanager
def _by_itself(folder: Path) -> Iterator[None]:
    """In the folder, and with nothing in the environment that is meant for other data."""
    before, environment = Path.cwd(), dict(os.environ)
    for name in list(os.environ):
        if (name.startswith(_OF_USERS) and name != _ZONE) or name.upper() in _PROXIES:
            del os.environ[name]
    others = sorted({found.name for found in entry_points(group="opentelemetry_instrumentor")} - {*_INSTRUMENTATIONS})
    left_out = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ",".join(others)}
    os.environ |= _SAMPLE | left_out | {"TAXIMETER_DATA": str(folder)}
    if not sys.stdout.isatty():
        os.environ.setdefault("COLUMNS", _WIDTH)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environment)
