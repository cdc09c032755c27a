"""What is to be taken out, whatever it is taken out of."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.redact.builtin import BUILTIN, Pattern
from taximeter_collector.redact.config import RedactConfig
from taximeter_collector.redact.errors import RedactionError

__all__ = ["Rules"]

_OWN = "re:"
_NAME = re.compile(r"[\w -]*")
_PROBES = pa.array(["", "a", "Z", "0", "-", " ", "a b-c 1", "\n"])


@dataclass(frozen=True, slots=True)
class Rules:
    """Patterns for texts; and which keys are replaced or dropped, as regular expressions for RE2 ("" for none)."""

    patterns: tuple[Pattern, ...]
    keys: str
    drop: str
    trace: str
    """What is in every JSON text that any of them changes; "" if that is not known."""

    @classmethod
    def of(cls, config: RedactConfig) -> Rules:
        """RedactionError for a pattern that cannot be used."""
        patterns = tuple(map(_pattern, config.patterns))
        names = (*config.keys, *config.drop)
        return cls(patterns, _any_of(config.keys), _any_of(config.drop), _trace(patterns, names))

    def __bool__(self) -> bool:
        return bool(self.patterns or self.keys or self.drop)


def _pattern(text: str) -> Pattern:
    """A built-in one by its name, or a regular expression.

    What can be no name is a regular expression without saying so, as in the meter's setting of the same name.
    """
    if text.startswith(_OWN):
        return _own(text.removeprefix(_OWN))
    if text.strip() in BUILTIN:
        return BUILTIN[text.strip()]
    if not _NAME.fullmatch(text):
        return _own(text)
    close = difflib.get_close_matches(text.strip().lower(), BUILTIN, 1, 0.6)
    meant = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(BUILTIN)};"
    raise RedactionError(
        f"redact.patterns: no built-in pattern is called {text!r}; {meant} "
        f"A regular expression begins with 're:', such as {_OWN + text!r}"
    )


def _own(regex: str) -> Pattern:
    reason = _refusal(regex)
    if reason:
        raise RedactionError(f"redact.patterns: {regex!r} {reason}")
    return Pattern(_OWN + regex, regex, in_numbers=True)


def _refusal(regex: str) -> str | None:
    """Why this cannot be used."""
    try:
        without = pc.replace_substring_regex(_PROBES, regex, "")
        pc.match_substring_regex(_PROBES, f"(?:{regex})|x")
        found = pc.match_substring_regex(_PROBES, regex)
    except pa.ArrowInvalid as error:
        reason = str(error).removeprefix("Invalid regular expression: ")
        return (
            f"is no regular expression of RE2, which has no looking around and no references back: {reason}. "
            "See https://github.com/google/re2/wiki/Syntax"
        )
    if re.search(r"(?<!\\)(?:\\\\)*\\C", regex):
        return r"has \C, which matches half a character"
    if pc.any(pc.and_(found, pc.equal(without, _PROBES))).as_py():
        return "matches where there is nothing, so [redacted] would stand between all characters"
    return None


def _any_of(names: Iterable[str]) -> str:
    """One expression for keys, in which `*` stands for anything. Upper case is lower case."""
    parts = [".*".join(map(re.escape, name.split("*"))) for name in names]
    return f"(?is)^(?:{'|'.join(parts)})$" if parts else ""


def _trace(patterns: tuple[Pattern, ...], names: tuple[str, ...]) -> str:
    """What all have to leave in JSON as it is written: an expression of a pattern, the longest part of a name.

    A letter can be written as an escape, so an escape is a trace, too.
    """
    parts = [max(re.split(r'[*"\\/]|[^\x00-\x7f]', name), key=len) for name in names]
    traces = [pattern.trace for pattern in patterns] + [f"(?i:{re.escape(part)})" if part else "" for part in parts]
    return "|".join([*dict.fromkeys(traces), r"\\u"]) if all(traces) else ""
