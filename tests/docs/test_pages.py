"""What the documentation shows in its consoles happens: each command is run by a shell, and says what stands below it.

Pages are gone through from top to bottom, each in a place of its own (`place.py`). `elsewhere.py` lists what is not run
here. The files that a page shows are there for the commands below them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import ClassVar

import pytest
from taximeter_cli.loopback import Loopback

from tests.docs import prepared
from tests.docs.comparison import difference
from tests.docs.elsewhere import INSTEAD, OF_THE_MOMENT, ONCE, TOOLS, UNTIL_CTRL_C, WITH_COLLECTOR, is_here, reason
from tests.docs.pages import GENERATED, PAGES, ROOT, Block, Command, blocks, commands
from tests.docs.place import Place, Said

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pages show the folders of Linux")
CONSOLES = ("console", "sh")
# The variables of a page let an exporter send to a collector that asks for them.
_SENDS = "from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Exporter"
_EXPORT = f"python -c '{_SENDS}; assert Exporter().export([]).name == \"SUCCESS\"'"
# What files that a page shows are read by, by language; a page's own before those of all.
FILES = {
    ("docs/pricing.md", "toml"): "mv shown.toml prices.toml && taximeter prices check prices.toml",
    ("", "toml"): "taximeter config check --config shown.toml",
    ("", "sql"): "test $(taximeter sql --file shown.sql --format csv | wc -l) -gt 2",  # names, and rows
    ("", "dotenv"): f"set -a; . ./shown.dotenv; OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318; {_EXPORT}",
}
# Pages whose reader has no data yet.
EMPTY = ("docs/doctor.md", "docs/forwarding.md", "docs/privacy.md")
_PATIENCE_S = 20


def reader_of(block: Block) -> str | None:
    """What a file that a page shows is given to."""
    return FILES.get((block.page, block.language)) or FILES.get(("", block.language))


def is_run(block: Block) -> bool:
    """Whether what it says is done here."""
    if block.language in CONSOLES:
        return block.language == "sh" or block.page not in GENERATED
    return reader_of(block) is not None


@pytest.fixture(scope="module")
def provider() -> Iterator[Loopback]:
    with Loopback() as loopback:
        yield loopback


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory, provider: Loopback) -> Path:
    """A data folder with calls of apps and of coding agents in it; nobody writes to it any more."""
    place = Place(tmp_path_factory.mktemp("landed"), provider)
    try:
        prepared.told(place.collector())
    finally:
        place.without_collector()
    return place.data


class Reader:
    """Somebody who types what a page says."""

    _said_before: ClassVar[dict[str, Said]] = {}

    def __init__(self, page: str, place: Place) -> None:
        self.page = page
        self.place = place
        self.prepared: set[str] = set()

    def read(self) -> Iterator[str]:
        """What is not as the page says, with where it stands."""
        for block in blocks(self.page):
            for command in self._commands(block):
                if trouble := self._trouble(command):
                    yield f"{command.place}: {command.text}\n{trouble}\n"

    def _commands(self, block: Block) -> list[Command]:
        """What is typed; what is shown as a file is written, and given to who reads such files."""
        if not is_run(block):
            return []
        if block.language in CONSOLES:
            return list(takewhile(lambda command: is_here(command.text), commands(block)))
        (self.place.app / f"shown.{block.language}").write_text(self.place.typed(block.text))
        return [Command(block.page, block.line, reader_of(block) or "", "")]

    def _trouble(self, command: Command) -> str:
        if reason(command.text):
            return ""
        self._prepare(command)
        deadline = time.monotonic() + (_PATIENCE_S if command.text.startswith(WITH_COLLECTOR) else 0)
        while True:
            said = self._said(command)
            trouble = "" if said.code == 0 else f"exit code {said.code}: {said.text}"
            if not trouble and command.shown:
                trouble = difference(command.shown, said.text, figures=not command.text.startswith(OF_THE_MOMENT))
            if not trouble or time.monotonic() > deadline:
                return trouble
            time.sleep(0.5)

    def _prepare(self, command: Command) -> None:
        for (page, beginning), prepare in prepared.BEFORE.items():
            if page == self.page and command.text.startswith(beginning) and beginning not in self.prepared:
                self.prepared.add(beginning)
                prepare(self.place)

    def _said(self, command: Command) -> Said:
        """What it says; of what takes long and says the same in any place, what it has said on another page."""
        text = command.text.partition("  #")[0].rstrip()
        if text not in ONCE:
            return self._run(text)
        if text not in self._said_before:
            self._said_before[text] = self._run(text)
        return self._said_before[text]

    def _run(self, text: str) -> Said:
        for beginning, (other, _) in INSTEAD.items():
            if text.startswith(beginning):
                text = text.replace(beginning, other.format(ROOT=ROOT, root=self.place.root), 1)
        if "taximeter collect" in text:
            self.place.without_collector()
        elif text.startswith(WITH_COLLECTOR):
            self.place.collector()
        for within, marker in UNTIL_CTRL_C.items():
            if within in text:
                meanwhile = partial(prepared.tell_a_little, self.place) if "tail" in text else lambda: None
                return self.place.run_until(text, marker, meanwhile)
        return self.place.run_small(text) if text.startswith("opentelemetry-instrument") else self.place.run(text)


@pytest.mark.parametrize("program", TOOLS)
def test_a_program_that_a_page_needs_is_here(program: str) -> None:
    """Else what a block says from there on is not run."""
    if not is_here(program):
        pytest.skip(f"{program} is not here: what pages do with it is parsed, and not run")


@pytest.mark.parametrize("page", [page for page in PAGES if any(map(is_run, blocks(page)))])
def test_a_page_does_what_it_says(page: str, tmp_path: Path, provider: Loopback, landed: Path) -> None:
    """All that is typed on it ends with exit code 0, and says what is shown."""
    place = Place(tmp_path, provider, None if page in EMPTY else landed)
    try:
        if troubles := list(Reader(page, place).read()):
            pytest.fail("\n".join(troubles), pytrace=False)
    finally:
        place.without_collector()
