"""Texts that others wrote, made harmless, and made to fit."""

from __future__ import annotations

import unicodedata

__all__ = ["ELLIPSIS", "folded", "harmless", "line", "padded", "shortened", "width"]

ELLIPSIS = "…"
_LINE_BREAKS = ("\n", "\t")
# What a terminal, or a reader, takes for something else than a character: escape sequences, line breaks, halves of
# characters, what has no width or turns the reading direction.
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def harmless(text: str, *, lines: bool = False) -> str:
    """A text of which a terminal shows every character, and obeys none; `lines` keeps its line breaks.

    >>> harmless("gpt-5\\x1b[31m\\nfree")
    'gpt-5\\\\x1b[31m\\\\nfree'
    """
    if text.isascii() and text.isprintable():
        return text
    if lines:
        text = text.replace("\r\n", "\n").expandtabs(4)
    return "".join(_seen(one, lines) for one in text)


def _seen(one: str, lines: bool) -> str:
    if (lines and one in _LINE_BREAKS) or unicodedata.category(one) not in _UNSEEN:
        return one
    code = ord(one)
    return _NAMED.get(one) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def line(text: str, encoding: str | None = None) -> str:
    """A text as one harmless line; what the encoding has no character for is spelled out.

    >>> line("größe", "ascii")
    'gr\\\\xf6\\\\xdfe'
    """
    text = harmless(text)
    return text.encode(encoding, "backslashreplace").decode(encoding) if encoding else text


def width(text: str) -> int:
    """How many columns of a terminal a text takes.

    >>> width("東京")
    4
    """
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """A text with spaces behind it, or, aligned to the right, before it."""
    spaces = " " * (columns - width(text))
    return spaces + text if right else text + spaces


def shortened(text: str, columns: int, ellipsis: str = ELLIPSIS) -> str:
    """A text in so many columns at most, without its middle.

    >>> shortened("claude-sonnet-4-5-20250929", 15)
    'claude-…0250929'
    """
    if width(text) <= columns:
        return text
    kept = columns - width(ellipsis)
    if kept < 2:
        return _head(text, columns)
    head = _head(text, kept // 2 + kept % 2 if kept < 6 else kept // 2)
    tail = _head(text[::-1], kept - width(head))[::-1]
    return f"{head}{ellipsis}{tail}"


def _head(text: str, columns: int) -> str:
    """As much of a text as fits: by characters, since there is no telling what a part of one is."""
    if text.isascii():
        return text[:columns]
    end = min(len(text), columns)
    while width(text[:end]) > columns:
        end -= 1
    return text[:end]


def folded(text: str, columns: int) -> list[str]:
    """A text in lines of so many columns, broken between words where that is possible.

    >>> folded("p95 output tokens", 10)
    ['p95 output', 'tokens']
    """
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if width(joined) <= columns:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        while width(word) > columns:
            head = _head(word, columns) or word[0]
            lines[-1] = head
            lines.append("")
            word = word[len(head) :]
        lines[-1] = word
    return lines
