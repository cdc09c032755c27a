"""Receivers for tests: each with a folder of its own, and stopped at the end."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from taximeter_collector.journal import writer

from tests.collector.journaling import close_readers
from tests.collector.receiving import AsProcess, Certificates, InThread, as_process, in_thread


@pytest.fixture
def receive(tmp_path: Path) -> Iterator[Callable[..., InThread]]:
    """Starts a receiver in a thread, with settings."""
    with ExitStack() as stack:

        def start(**settings: Any) -> InThread:
            return stack.enter_context(in_thread(tmp_path, **settings))

        yield start


@pytest.fixture
def collect(tmp_path: Path) -> Iterator[Callable[..., AsProcess]]:
    """Starts `taximeter collect`, with settings."""
    with ExitStack() as stack:

        def start(**settings: Any) -> AsProcess:
            return stack.enter_context(as_process(tmp_path, **settings))

        yield start


@pytest.fixture(scope="session")
def _made_certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    if not shutil.which("openssl"):
        pytest.skip("needs the openssl command to make certificates")
    made = Certificates(tmp_path_factory.mktemp("certificates"))
    made.make_authority()
    for name in ("server", "renewed", "client"):
        made.make(name)
    made.encrypt("server", "encrypted")
    stranger = Certificates(tmp_path_factory.mktemp("stranger"))
    stranger.make_authority()
    stranger.make("stranger")
    for theirs, ours in (
        ("ca.pem", "other-ca.pem"),
        ("stranger.key", "stranger.key"),
        ("stranger.pem", "stranger.pem"),
    ):
        (made.folder / ours).write_bytes(stranger.read(theirs))
    return made


@pytest.fixture
def certificates(_made_certificates: Certificates, tmp_path: Path) -> Certificates:
    """A copy that a test may change: of `server`, `renewed` and `client`; and of a `stranger`, signed by another."""
    return Certificates(Path(shutil.copytree(_made_certificates.folder, tmp_path / "certificates")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a test has its journal."""
    return tmp_path / "journal"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal looks at limits and readers each 10 ms, instead of each second."""
    monkeypatch.setattr(writer, "_TICK_S", 0.01)


@pytest.fixture(autouse=True)
def _readers_are_closed() -> Iterator[None]:
    yield
    close_readers()
