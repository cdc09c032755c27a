"""Whether a command says what a page shows.

Compared are words, one after the other; how they are divided into lines and columns depends on how long paths and
numbers are. What differs from run to run and from machine to machine is left out on both sides: the rules are below,
and there are no others. A line `...` on a page stands for any words.
"""

from __future__ import annotations

import difflib
import re

__all__ = ["difference", "words"]

DIFFERS = (
    (r"Configuration of configurator not loaded \S+ \S+ \S+ \S+ \S+ \S+", " "),  # another distribution, of tests' own
    (r"[─█▉▊▋▌▍▎▏▐▁▂▃▄▅▆▇]+", " "),
    (r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?(\.\d+)?Z?)?", "TIME"),
    (r"\b\d[\d.,]* ?(ns|us|ms|s|min|h)\b", "DURATION"),
    (r"\b\d[\d.,]* ?(bytes|[KMGT]i?B)\b", "SIZE"),
    (r"\b[0-9a-f]{16,32}\b", "ID"),
    (r"(?<=process )\d+", "ID"),
    (r"(?<=@)\d+(\.\d+)+", "VERSION"),
    (r"\bin \d+ (files?|segments?)\b", "in FILES"),
    (r"(?<=is on )\w+", "FILESYSTEM"),
)
# For what tells of this moment or this machine only: all figures, and what only some versions of Python need.
FIGURES = ((r"backports-zstd \S+", " "), (r"(Linux|macOS|Darwin)[\w.+-]*", "PLATFORM"), (r"\d[\d.,b-]*", "N"))


def words(text: str, *, figures: bool = True) -> list[str]:
    """What is compared."""
    text = re.sub(r"\s+", " ", text)
    for pattern, instead in (*DIFFERS, *(() if figures else FIGURES)):
        text = re.sub(pattern, instead, text)
    return text.split()


def difference(shown: str, said: str, *, figures: bool = True) -> str:
    """How what was said differs from what is shown; nothing if it does not."""
    expected, found = words(shown, figures=figures), words(said, figures=figures)
    pattern = " ".join(".*" if word == "..." else re.escape(word) for word in expected)
    if re.fullmatch(pattern.replace(" .* ", ".*"), " ".join(found)):
        return ""
    told = difflib.unified_diff(expected, found, "the page", "the command", n=4, lineterm="")
    return "\n".join([*told, "", said])
