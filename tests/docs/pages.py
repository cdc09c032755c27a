"""The pages of the documentation, taken apart: blocks between fences, and the commands in blocks of a console."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["GENERATED", "PAGES", "ROOT", "Block", "Command", "blocks", "commands", "mentioned", "text_of"]

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    str(path.relative_to(ROOT)) for pattern in ("*.md", "docs/*.md", "deploy/**/*.md") for path in ROOT.glob(pattern)
)
# Pages of which every console block is what its commands say, as a test of their own compares.
GENERATED = {
    "docs/reports.md": "tests/test_reports_docs.py",
    "docs/agents.md": "tests/e2e/test_connect.py",
}
_PROMPT = re.compile(r"[$#] ")
_FENCED = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`((?:make|python|taximeter) [^`]+)`")


@dataclass(frozen=True)
class Block:
    """What stands between two fences; `line` is that of its first one, `before` the text since the block before it."""

    page: str
    line: int
    language: str
    text: str
    before: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """What is typed, with what the page shows below it."""

    page: str
    line: int
    text: str
    shown: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def text_of(page: str) -> str:
    """What a page says."""
    return (ROOT / page).read_text("utf-8")


def blocks(page: str) -> list[Block]:
    """All of them, in order."""
    found, since, opened = [], 0, -1
    lines = text_of(page).splitlines()
    for number, line in enumerate(lines):
        if not line.lstrip().startswith("```"):
            continue
        if opened < 0:
            opened = number
            continue
        inside = "\n".join([*lines[opened + 1 : number], ""])
        language = lines[opened].strip().removeprefix("```")
        found.append(Block(page, opened + 1, language, inside, "\n".join(lines[since:opened])))
        since, opened = number + 1, -1
    assert opened < 0, f"{page}:{opened + 1}: a block that never ends"
    return found


def commands(block: Block) -> list[Command]:
    """What a block has behind prompts; of `sh`, which has none, each line."""
    if block.language == "sh":
        lines = enumerate(block.text.splitlines(), block.line + 1)
        return [Command(block.page, number, line, "") for number, line in lines]
    return list(_behind_prompts(block))


def _behind_prompts(block: Block) -> Iterator[Command]:
    lines = block.text.splitlines()
    starts = [number for number, line in enumerate(lines) if _PROMPT.match(line)]
    assert starts[:1] == [0], f"{block.place}: a console begins with a prompt"
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        last = next(number for number in range(start, end) if not lines[number].endswith("\\"))
        typed = "\n".join(lines[start : last + 1])[2:]
        yield Command(block.page, block.line + 1 + start, typed, "\n".join(lines[last + 1 : end]))


def mentioned(page: str) -> list[str]:
    """Commands of ours, of `make` and of `python` within sentences."""
    return [" ".join(found.split()) for found in _INLINE.findall(_FENCED.sub("", text_of(page)))]
