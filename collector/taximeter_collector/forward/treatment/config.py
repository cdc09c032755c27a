"""What a user sets, for each destination, about what is sent there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from taximeter_collector.forward.treatment.names import NAMES
from taximeter_collector.settings import Kind, choice, duration, flag, setting, size, text
from taximeter_collector.settings import names as several

__all__ = ["SIGNALS", "Rule", "TreatmentConfig", "problems", "read_rule"]

SIGNALS = ("traces", "metrics", "logs")
_RULE = re.compile(r"(errors)|(slower):(.+)|(dearer):(\d{1,9}(?:\.\d{1,12})?)")


@dataclass(frozen=True, slots=True)
class Rule:
    """A trace that is kept whatever `sample` decides: with errors, slower than seconds, dearer than dollars."""

    kind: str
    more_than: float = 0.0


def read_rule(written: str) -> Rule:
    """A rule as it is written. ValueError, as a phrase that follows 'expected'.

    >>> read_rule("slower:5s"), read_rule("dearer:0.10")
    (Rule(kind='slower', more_than=5.0), Rule(kind='dearer', more_than=0.1))
    """
    found = _RULE.fullmatch(written.strip())
    if found is None:
        raise ValueError("rules such as 'errors', 'slower:5s', 'dearer:0.10'")
    errors, slower, time, dearer, usd = found.groups()
    if slower:
        return Rule(slower, duration.read(time))
    return Rule(dearer, float(usd)) if dearer else Rule(errors)


def _read_share(value: Any) -> float:
    try:
        share = float(value)
    except (TypeError, ValueError):
        share = -1.0
    if isinstance(value, bool) or not 0 <= share <= 1:
        raise ValueError("a share from 0 to 1")
    return share


def _read_signals(value: Any) -> tuple[str, ...]:
    found: tuple[str, ...] = several.read(value)
    if not found or set(found) - set(SIGNALS):
        raise ValueError("some of 'traces', 'metrics', 'logs'")
    return found


def _read_rules(value: Any) -> tuple[str, ...]:
    found: tuple[str, ...] = several.read(value)
    for written in found:
        read_rule(written)
    return found


def _read_pairs(value: Any) -> tuple[str, ...]:
    found: tuple[str, ...] = several.read(value)
    if not all(pair.partition("=")[0] and "=" in pair for pair in found):
        raise ValueError("a list of 'key=value', in which * stands for anything")
    return found


share = Kind("share", _read_share)
_signals = Kind("list", _read_signals, list)
_rules = Kind("list", _read_rules, list)
_pairs = Kind("list", _read_pairs, list)


@dataclass(frozen=True, slots=True)
class TreatmentConfig:
    """What is sent, and with what added."""

    enrich: bool = setting(flag, True, "Whether calls get their cost, and what is sent again is left out.")
    names: str = setting(text, "taximeter", "Whose names for cost are written beside ours: 'langfuse', 'phoenix', ...")
    signals: tuple[str, ...] = setting(_signals, list(SIGNALS), "Which signals are sent.")
    services: tuple[str, ...] = setting(several, [], "Only what these services sent; `*` stands for anything.")
    attributes: tuple[str, ...] = setting(
        _pairs, [], "Only what has one of these attributes, as 'key=value'; `*` stands for anything."
    )
    genai_only: bool = setting(flag, False, "Only what is about GenAI.")
    sample: float = setting(share, 1.0, "The share of traces that is sent, the same ones by every sampler of the kind.")
    keep: tuple[str, ...] = setting(
        _rules, [], "Traces that are sent whatever `sample` says: 'errors', 'slower:5s', 'dearer:0.10'."
    )
    keep_window_s: float = setting(
        duration, "30s", "How long a trace is waited for until it is judged by `keep`.", at_least=0.1, at_most=3600
    )
    keep_memory: int = setting(
        size,
        "64MiB",
        "What waiting traces may take; beyond it the oldest are judged early.",
        at_least=1 << 20,
    )
    max_request_bytes: int = setting(
        size, "4MiB", "The largest request that is sent, before compression.", at_least=1 << 12
    )
    oversized: str = setting(
        choice("truncate", "set-aside"), "truncate", "What happens to a record that is larger than a request may be."
    )


def problems(config: TreatmentConfig) -> Iterator[tuple[str, str]]:
    """Settings that are right one by one, and wrong together: the key, and why."""
    if config.names not in NAMES:
        close = difflib.get_close_matches(config.names, NAMES, 1)
        meant = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(NAMES)}"
        yield "names", f"nobody's names for cost are called {config.names!r}; {meant}"
    if config.keep and config.sample >= 1:
        why = "says what is sent whatever `sample` decides, and `sample` is 1, so everything is sent"
        yield "keep", f"{why}; set `sample` to less, 0 for nothing but what `keep` says"
    if any(read_rule(rule).kind == "dearer" for rule in config.keep) and not config.enrich:
        yield "keep", "without `enrich` nobody knows what is dearer"
