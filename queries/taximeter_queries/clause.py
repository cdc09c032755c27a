"""Conditions in SQL as people write them: each is one condition by itself, and knows what reports can be grouped by."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from taximeter_queries.dimensions import ALIASES, DIMENSIONS, PREFIXES, TIMES, Dimension
from taximeter_queries.errors import BadFilter

__all__ = ["clause"]

# Texts and names in quotes, of which nothing is SQL. Only in E'...' does a backslash take a quote's meaning.
_QUOTED = re.compile(r"""((?<![\w\x80-\U0010ffff])[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*")""", re.DOTALL)
_MORE = {"--": "a comment", "/*": "a comment", ";": "more than one statement", "$": "a $ outside of quotes"}
_MORE |= {"'": "a quote that is not closed", '"': "a quote that is not closed"}
_STRANGE = re.compile(r"""--|/\*|[;$'"]""")
_BRACKETS = {")": "(", "]": "[", "}": "{"}
_KEYED = re.compile(rf"(?<![\w.\])])(?:{'|'.join(map(re.escape, PREFIXES))})[A-Za-z_]\w*(?:\.\w+)*(?![\w.]*\()")
_ATTRIBUTES = re.compile(r"\b(resource_)?attributes\b")
_COMPARED = re.compile(
    r"""(?<![\w.])([A-Za-z_][\w.]*)\s*(==?|!=|<>)\s*"""
    r"""(?:([A-Za-z_][\w./:\-]*)(?![\w./:\-]*\s*[(\['"])|"([^"]+)")"""
)
_WORDS_OF_SQL = ("true", "false", "null", "not", "case", "current_date", "current_timestamp", "localtimestamp")
_FLAGS = ("stream", "billable")
_NO_TEXTS = (*_FLAGS, "attempt", "date", *TIMES)


def clause(text: str, dimension: Callable[[str], Dimension]) -> tuple[str, bool]:
    """A condition in SQL, and whether attributes of what reported the call are needed for it.

    BadFilter if it is not one condition: what it says must not depend on what is written around it.

    >>> from zoneinfo import ZoneInfo
    >>> from taximeter_queries.dimensions import dimension
    >>> clause("tag.team = 'tag.x' AND resource.a = '1'", lambda name: dimension(name, ZoneInfo("UTC"), None))
    ("tags['team'] = 'tag.x' AND resource_attributes['a'] = '1'", True)
    """
    if (name := text.strip()) in DIMENSIONS and name not in _FLAGS:
        raise BadFilter(f"where {name}: expected NAME=VALUE, such as {name}=..., or {name}!=null where it is known")
    pieces = _QUOTED.split(text)  # every second is in quotes
    _refuse_more_than_one(text, "".join(pieces[::2]))
    _refuse_bare_words(text, pieces)
    told: list[Dimension] = []

    def understood(name: str) -> str:
        told.append(dimension(name))
        return told[-1].expression

    for at, piece in enumerate(pieces):
        if at % 2 == 0:
            pieces[at] = _KEYED.sub(lambda found: understood(found[0]), piece)
        elif piece[0] == '"' and piece[1:].startswith(tuple(PREFIXES)):
            pieces[at] = understood(piece[1:-1].replace('""', '"'))
    reported = any(one.reported for one in told) or any(map(_ATTRIBUTES.search, pieces[::2]))
    return "".join(pieces), reported


def _refuse_more_than_one(text: str, bare: str) -> None:
    if found := _STRANGE.search(bare):
        raise BadFilter(f"where {text}: expected one condition, got {_MORE[found[0]]}")
    opened: list[str] = []
    for one in bare:
        if one in _BRACKETS.values():
            opened.append(one)
        elif one in _BRACKETS and (not opened or opened.pop() != _BRACKETS[one]):
            raise BadFilter(f"where {text}: expected one condition, got a {one} that closes nothing")
    if opened:
        raise BadFilter(f"where {text}: expected one condition, got a {opened[-1]} that is not closed")


def _refuse_bare_words(text: str, pieces: Sequence[str]) -> None:
    """A text without quotes, or in double ones, would be taken for a column, and the engine would name those that are
    spelled alike."""
    names = "".join(piece if at % 2 == 0 or piece[0] == '"' else "''" for at, piece in enumerate(pieces))
    for name, sign, bare, named in _COMPARED.findall(names):
        is_text = name.startswith(tuple(PREFIXES)) or (name in DIMENSIONS and name not in _NO_TEXTS)
        if is_text and not _is_known(word := bare or named):
            raise BadFilter(f"where {text}: {word} is no column; a text needs single quotes: {name} {sign} '{word}'")


def _is_known(word: str) -> bool:
    from taximeter_queries.described import tables

    columns = [name for name, _, _, _ in tables()["calls"].columns]
    return word.lower() in {*_WORDS_OF_SQL, *columns, *ALIASES, *TIMES} or word.startswith(tuple(PREFIXES))
