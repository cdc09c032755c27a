"""Findings as people read them, and as programs do."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TextIO

from taximeter_cli.doctoring.examining import Examined, worst
from taximeter_cli.doctoring.finding import Finding, Level, counted
from taximeter_cli.doctoring.masking import Masking

__all__ = ["as_json", "masked", "section", "summary"]

_MARKS = {Level.ok: "✓", Level.note: "·", Level.warning: "!", Level.error: "✗"}
_ASCII_MARKS = {Level.ok: "ok", Level.note: "-", Level.warning: "!", Level.error: "x"}
_COLOURS = {Level.ok: "32", Level.note: "2", Level.warning: "33", Level.error: "31;1"}
_ARROW, _ASCII_ARROW = "→", "->"
_WIDE = 110
_INDENT = 4


def masked(examined: Iterable[Examined], masking: Masking) -> Iterator[Examined]:
    """Findings without what must not be shown."""
    for each in examined:
        yield replace(each, findings=tuple(_masked(one, masking) for one in each.findings))


def section(each: Examined, out: TextIO) -> Iterator[str]:
    """A check and its findings: a mark for each, and below it what to do."""
    plain = not _can_say(out, "".join((*_MARKS.values(), _ARROW)))
    colours, width = _has_colours(out), _width(out)
    yield f"\033[1m{each.title}\033[0m" if colours else each.title
    for one in each.findings or (Finding(Level.ok, "nothing to tell"),):
        yield from _lines(one, plain=plain, colours=colours, width=width)


def summary(examined: Sequence[Examined]) -> str:
    """All in a line."""
    counts = Counter(one.level for each in examined for one in each.findings)
    told = [counted(counts[level], level.value) for level in (Level.error, Level.warning, Level.note) if counts[level]]
    told += [f"{counts[Level.ok]} ok"] if counts[Level.ok] or not told else []
    return f"{', '.join(told)} in {counted(len(examined), 'check')}"


def as_json(examined: Sequence[Examined], version: str) -> dict[str, Any]:
    """All of it, for a program."""
    counts = Counter(one.level.value for each in examined for one in each.findings)
    return {
        "version": version.splitlines()[0],
        "worst": worst(examined).value,
        "counts": {level.value: counts[level.value] for level in Level},
        "checks": [
            {"name": each.name, "title": each.title, "findings": [_finding_as_json(one) for one in each.findings]}
            for each in examined
        ],
    }


def _finding_as_json(one: Finding) -> dict[str, Any]:
    return {"level": one.level.value, "seen": one.seen, "do": one.do or None, "facts": dict(one.facts)}


def _masked(one: Finding, masking: Masking) -> Finding:
    return Finding(one.level, masking.text(one.seen), masking.text(one.do), masking.value(one.facts))


def _lines(one: Finding, *, plain: bool, colours: bool, width: int) -> Iterator[str]:
    mark = (_ASCII_MARKS if plain else _MARKS)[one.level].ljust(_INDENT)
    first = f"\033[{_COLOURS[one.level]}m{mark}\033[0m" if colours else mark
    seen, do = (text.encode("ascii", "replace").decode() if plain else text for text in (one.seen, one.do))
    for number, line in enumerate(_folded(seen, width)):
        yield f"{' ' * _INDENT if number else first}{line}".rstrip()
    arrow = _ASCII_ARROW if plain else _ARROW
    for number, line in enumerate(_folded(do, width - 3) if do else ()):
        yield f"{' ' * _INDENT}{' ' * (len(arrow) + 1) if number else arrow + ' '}{line}".rstrip()


def _folded(text: str, width: int) -> list[str]:
    """Lines that fit. What has lines of its own keeps them, for it is to be copied."""
    lines: list[str] = []
    for line in text.splitlines():
        fits = width - _INDENT
        lines += textwrap.wrap(line, fits, break_long_words=False, break_on_hyphens=False) if line.strip() else [""]
    return lines


def _width(out: TextIO) -> int:
    return min(shutil.get_terminal_size().columns, _WIDE) if out.isatty() else _WIDE


def _has_colours(out: TextIO) -> bool:
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _can_say(out: TextIO, marks: str) -> bool:
    try:
        marks.encode(out.encoding or sys.getdefaultencoding())
    except (UnicodeEncodeError, LookupError):
        return False
    return True
