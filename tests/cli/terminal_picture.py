"""Pictures of a terminal, of what commands really say.

`python -m tests.cli.terminal_picture docs/demo.svg docs/trace.svg` makes them anew, of one `taximeter demo` in a
terminal: the first is its beginning, the second the trace and the conversation. Times differ from run to run, so a
picture is current as long as everything else in it is what the demo prints now: `structure` leaves out what differs.
"""

from __future__ import annotations

import html
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

__all__ = ["PICTURES", "demo_in_a_terminal", "drawn", "shown", "structure", "text_of"]

COLUMNS = 108
DOCS = Path(__file__).parents[2] / "docs"
# By picture: the commands of the demo, by their first words, that are in it.
PICTURES = {"demo.svg": ("run", "cost", "errors"), "trace.svg": ("trace", "conversation")}
_CELL = 12.2  # how wide a character is
_SPACE = "\xa0"
_TEXT = re.compile(
    r'(?P<before><text class="[^"]*-r\d+" )x="(?P<x>[\d.]+)" (?P<after>y="[\d.]+" )textLength="[\d.]+"(?P<rest>[^>]*)>'
    r"(?P<text>[^<]*)</text>"
)
_DIFFERS = (
    (r"[█▉▊▋▌▍▎▏▐▁▂▃▄▅▆▇]+", " "),
    (r"\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?", "TIME"),
    (r"\d[\d.,]* (ms|s|min|h)\b", "DURATION"),
    (r"(?<=trace )[0-9a-f]{8,}", "ID"),
    (r"\S*…\S*", "…"),  # as much of a name as there is room for
    (r"[\s\xa0]+", ""),
)


def demo_in_a_terminal() -> str:
    """All that `taximeter demo` prints in a terminal, colours and all."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TAXIMETER_TIMEZONE")}
    environment = {**kept, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "TAXIMETER_TIMEZONE": "UTC"}
    command = [sys.executable, "-m", "taximeter_cli.main", "demo"]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        said = b"".join(iter(lambda: _read(ours), b""))
        os.close(ours)
    text = said.decode().replace("\r\n", "\n")
    assert process.returncode == 0, text
    text = re.sub(r"^Configuration of configurator not loaded .*\n", "", text, flags=re.MULTILINE)  # of tests' own
    return re.sub(r"/\S*/taximeter-demo-\w+", "/tmp/taximeter-demo", text)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # nobody is at the other end any more
        return b""


def shown(said: str, picture: str) -> str:
    """The part of what the demo says that is in a picture."""
    blocks = re.split(r"\n(?=(?:\x1b\[1m)?\$ taximeter )", said)
    found = [block for block in blocks for word in PICTURES[picture] if re.search(rf"\$ taximeter {word}\b", block)]
    return "\n".join(block.strip("\n") + "\n" for block in found).rstrip("\n")


def drawn(said: str, title: str) -> str:
    """A terminal that says it, as SVG: a dark window, which can be read on a light page as on a dark one."""
    console = Console(width=COLUMNS, record=True, file=open(os.devnull, "w"), force_terminal=True)  # noqa: PTH123, SIM115
    for line in said.split("\n"):
        console.print(Text.from_ansi(line), no_wrap=True, crop=False, overflow="ignore", highlight=False)
    svg = console.export_svg(title=title, theme=MONOKAI, unique_id=title.replace(" ", "-"))
    # A page that shows a picture loads nothing for it; fonts that are there have to do.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = _TEXT.sub(_word_by_word, svg)
    return svg.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace")


def _word_by_word(found: re.Match[str]) -> str:
    """Each where it belongs: columns stand below each other in any font, and for whoever ignores `textLength`."""
    before, x, after, text = found["before"], float(found["x"]), found["after"], html.unescape(found["text"])
    return "".join(
        f'{before}x="{x + word.start() * _CELL:g}" {after}textLength="{len(word[0]) * _CELL:g}"{found["rest"]}>'
        f"{html.escape(word[0], quote=False).replace(_SPACE, '&#160;')}</text>"
        for word in re.finditer(rf"[^{_SPACE}]+(?:{_SPACE}[^{_SPACE}]+)*", text)
    )


def text_of(svg: str) -> str:
    """What a picture says, line by line."""
    lines: dict[float, str] = {}
    for y, text in re.findall(r'<text [^>]*?y="([\d.]+)"[^>]*clip-path="url\(#[^)]*line[^>]*>(.*?)</text>', svg):
        lines[float(y)] = f"{lines.get(float(y), '')} {html.unescape(text)}".lstrip()
    return "\n".join(lines[y] for y in sorted(lines)).replace(_SPACE, " ")


def structure(text: str) -> list[str]:
    """Lines without colours and without what differs from run to run."""
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).split("\n")
    for pattern, instead in _DIFFERS:
        lines = [re.sub(pattern, instead, line) for line in lines]
    return [line for line in lines if line]


if __name__ == "__main__":
    all_of_it = demo_in_a_terminal()
    for path in map(Path, sys.argv[1:]):
        path.write_text(drawn(shown(all_of_it, path.name), "taximeter demo"), "utf-8")
