"""Read what matters of a JSON body without reading its prose.

A prompt of 200 kB is mostly one long string. Stepping from quote to quote costs a small part of parsing it, because
finding a byte is what a C library does best. (`python bench/overhead.py` shows the effect: 2 kB beside 200 kB.)
"""

from __future__ import annotations

import json
from typing import Any

__all__ = ["TooLargeError", "load", "skeleton"]

_SMALL_BYTES = 1_024  # below this a plain parse is as fast
_LONGEST_STRING_BYTES = 512  # names, ids and parameters are shorter; prose may go
_MOST_STEPS = 1_500  # from quote to quote; beyond this, stepping costs more than parsing
_LARGEST_BYTES = 64 * 1024 * 1024  # with its prose; the largest request that a provider takes is 50 MB
_LARGEST_SKELETON_BYTES = 2 * 1024 * 1024  # without: it is parsed on the app's own thread
_QUOTE = b'"'
_BACKSLASH = 0x5C


class TooLargeError(ValueError):
    """There is more JSON than we would parse in the app's time."""


def load(body: bytes, *, prose: bool = True) -> Any:
    """The value of a JSON body; without `prose`, long strings may come back empty. ValueError if it is no JSON."""
    if (not prose and len(body) > _SMALL_BYTES) or len(body) > _LARGEST_BYTES:
        body = skeleton(body)
        if len(body) > _LARGEST_SKELETON_BYTES:
            raise TooLargeError(f"{len(body)} bytes of JSON, more than the {_LARGEST_SKELETON_BYTES} that are read")
    return _parse(body)


# What `json.loads` comes down to for UTF-8, which is all that JSON may be on the wire; its way there costs as much as
# a small body does.
_scan: Any = vars(json.JSONDecoder())["scan_once"]  # a C function that typeshed does not know


def _parse(body: bytes) -> Any:
    text = body.decode().strip()
    try:
        value, end = _scan(text, 0)
    except StopIteration as nothing:
        raise ValueError("no JSON") from nothing
    if end != len(text):
        raise ValueError("more than one JSON value")
    return value


def skeleton(body: bytes) -> bytes:
    """The same JSON with its long strings emptied, or the body itself where that would not pay.

    >>> skeleton(b'{"model": "m", "prompt": "' + b"x" * 5000 + b'"}')
    b'{"model": "m", "prompt": ""}'
    """
    find = body.find
    kept: list[bytes] = []
    copied = position = 0
    steps_left = _MOST_STEPS
    while steps_left > 0:
        steps_left -= 1
        opening = find(_QUOTE, position)
        if opening < 0:
            kept.append(body[copied:])
            return b"".join(kept)
        closing = find(_QUOTE, opening + 1)
        while closing > 0 and body[closing - 1] == _BACKSLASH and _is_escaped(body, closing):
            closing = find(_QUOTE, closing + 1)
            steps_left -= 1
        if closing < 0:
            break
        if closing - opening > _LONGEST_STRING_BYTES:
            kept.append(body[copied : opening + 1])
            copied = closing
        position = closing + 1
    return body


def _is_escaped(body: bytes, quote: int) -> bool:
    """Whether an odd number of backslashes stands before the quote."""
    first = quote
    while body[first - 1] == _BACKSLASH:
        first -= 1
    return (quote - first) % 2 == 1
