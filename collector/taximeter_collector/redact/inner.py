"""The texts inside of JSON texts, found without parsing them: quotation marks are looked for in all of them at once."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

__all__ = ["Inner", "looks_like_json", "may_hold_json", "unescaped"]

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]

_QUOTE, _BACKSLASH, _COLON = b'"\\:'
_SPACES = list(b" \t\r\n")
# What JSON has between two strings, with the quotation marks around it; before the first; behind the last; without any.
_WORD = r"(?:(?:-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null)\s*)?"
_MORE = rf"(?:{_WORD}[,\[\]{{}}]\s*)*"
_BETWEEN_STRINGS = "|".join(
    (
        rf'^"\s*(?::\s*|[,\[\]{{}}]\s*){_MORE}"$',
        rf'^\s*{_MORE}"$',
        rf'^"\s*(?:(?::\s*|[,\[\]{{}}]\s*){_MORE}{_WORD})?$',
        rf"^\s*[\[{{]\s*{_MORE}{_WORD}$",
    )
)
_BEGINNINGS = [*_SPACES, *b'"[{']


def looks_like_json(texts: pa.StringArray) -> Mask:
    """Where a text may be a list, an object or a text in JSON: it begins like one."""
    bounds, data = _bytes_of(texts)
    long = np.diff(bounds) > 1
    found = np.zeros(len(texts), dtype=np.bool_)
    found[long] = np.isin(data[bounds[:-1][long]], _BEGINNINGS)
    return found


def may_hold_json(written: pa.StringArray) -> Mask:
    """The same of strings as JSON writes them."""
    escaped = pc.starts_with(written, "\\")
    return np.asarray(looks_like_json(written) | np.asarray(escaped), dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class Inner:
    """What is inside of texts that look like JSON."""

    strings: pa.DictionaryArray  # as they are written, without their quotation marks
    of: Ints  # in which text each is
    is_key: Mask
    rest: pa.DictionaryArray  # what is between them, with the quotation marks around it
    rest_of: Ints

    @classmethod
    def read(cls, texts: pa.StringArray) -> Inner:
        """The texts can be anything: what is between two quotation marks is a string, or behind the last."""
        bounds, data = _bytes_of(texts)
        quotes = _quotes(data, bounds)
        of_quote = np.searchsorted(bounds[1:], quotes, side="right")
        rank = np.arange(len(quotes)) - np.searchsorted(quotes, bounds[:-1])[of_quote]
        opens = rank % 2 == 0
        begins, ends, of = quotes[opens], quotes[~opens], of_quote[opens]
        is_closed = np.append(~opens[1:], False)[opens] if len(opens) else np.zeros(0, np.bool_)
        whole = bounds[1:][of]
        whole[is_closed] = ends
        rest = _between(bounds, begins, ends, of[~is_closed])
        return cls(
            strings=_slices(texts, begins + 1, whole),
            of=of,
            is_key=_before_colons(data, whole, bounds[1:][of]),
            rest=_slices(texts, *rest),
            rest_of=np.searchsorted(bounds[1:], rest[0], side="right"),
        )

    def is_plain(self, texts: int) -> Mask:
        """Which of so many texts have something between their strings that JSON has not: they are none."""
        odd = pc.invert(pc.match_substring_regex(self.rest.dictionary, _BETWEEN_STRINGS))
        found = np.zeros(texts, dtype=np.bool_)
        found[self.rest_of[np.asarray(odd)[self.rest.indices.to_numpy()]]] = True
        return found


def _bytes_of(texts: pa.StringArray) -> tuple[Ints, Bytes]:
    """Where texts begin and end, and the bytes that this is in."""
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return bounds.astype(np.int64), np.frombuffer(data or b"", dtype=np.uint8)


def _quotes(data: Bytes, bounds: Ints) -> Ints:
    """Where quotation marks are that no backslash stands before, or an even number of them."""
    quotes: Ints = np.flatnonzero(data[bounds[0] : bounds[-1]] == _QUOTE) + bounds[0]
    behind = (data[quotes - 1] == _BACKSLASH) & ~np.isin(quotes, bounds)
    if not behind.any():
        return quotes
    slashes = np.flatnonzero(data == _BACKSLASH)
    is_first = np.diff(slashes, prepend=-2) > 1
    run = slashes - np.maximum.accumulate(np.where(is_first, slashes, 0)) + 1
    odd = np.zeros(len(quotes), dtype=np.bool_)
    odd[behind] = run[np.searchsorted(slashes, quotes[behind] - 1)] % 2 == 1
    return quotes[~odd]


def _between(bounds: Ints, begins: Ints, ends: Ints, open_ended: Ints) -> tuple[Ints, Ints]:
    """Where it begins and ends what is in no string; it has the quotation marks of the strings around it."""
    has_rest = np.ones(len(bounds) - 1, dtype=np.bool_)
    has_rest[open_ended] = False
    after = np.sort(np.concatenate([bounds[:-1], ends]), kind="stable")
    return after, np.sort(np.concatenate([begins + 1, bounds[1:][has_rest]]), kind="stable")


def _slices(texts: pa.StringArray, begins: Ints, ends: Ints) -> pa.DictionaryArray:
    """Parts of the texts' bytes, which follow each other. Every other text between their bounds is one."""
    bounds = np.empty(len(begins) * 2, dtype=np.int32)
    bounds[::2], bounds[1::2] = begins, ends
    data = texts.buffers()[2]
    if not len(bounds):
        return pa.array([], pa.string()).dictionary_encode()
    parts = pa.StringArray.from_buffers(len(bounds) - 1, pa.py_buffer(bounds.tobytes()), data)
    return parts.take(pa.array(np.arange(0, len(parts), 2))).dictionary_encode()


def _before_colons(data: Bytes, ends: Ints, limits: Ints) -> Mask:
    """Whether the next thing behind the closing quotation marks is a colon."""
    found = np.zeros(len(ends), dtype=np.bool_)
    live = np.flatnonzero(ends + 1 < limits)
    at = ends[live] + 1
    while len(live):
        byte = data[at]
        found[live[byte == _COLON]] = True
        going = np.isin(byte, _SPACES) & (at + 1 < limits[live])
        live, at = live[going], at[going] + 1
    return found


def unescaped(strings: pa.StringArray) -> pa.StringArray:
    """What is meant by strings as JSON writes them."""
    escaped = pc.match_substring(strings, "\\")
    if not pc.any(escaped).as_py():
        return strings
    written = strings.filter(escaped).to_pylist()
    try:
        meant = json.loads('["' + '","'.join(written) + '"]', strict=False)
    except ValueError:
        meant = []
    if len(meant) != len(written):  # one of them is not JSON's, such as one that was cut short
        meant = [_ESCAPE.sub(_meant, text) for text in written]
    try:
        return pc.replace_with_mask(strings, escaped, pa.array(meant, pa.string()))
    except UnicodeEncodeError:  # half a character
        whole = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in meant]
        return pc.replace_with_mask(strings, escaped, pa.array(whole, pa.string()))


_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _meant(escape: re.Match[str]) -> str:
    code, short = escape.groups()
    return chr(int(code, 16)) if code else _SHORT.get(short, short)
