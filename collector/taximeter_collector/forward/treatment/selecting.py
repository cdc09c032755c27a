"""Which items are wanted: by service, by attribute, by what they are about; and a share of all traces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.bill.fingerprints import hex_ids
from taximeter_collector.decode import Attributes, Logs, Spans
from taximeter_collector.decode.records import raw
from taximeter_collector.forward.treatment.batch import Batch, Mask
from taximeter_collector.forward.treatment.config import TreatmentConfig

__all__ = ["PROBABILITY", "Selecting", "randomness", "trace_words"]

PROBABILITY = "sampling.probability"
"""The attribute that tells with what probability a span or a log record was sent, where that is less than 1."""
_SPAN_OF_RANDOM = 1 << 56
_LOW_56 = np.uint64(_SPAN_OF_RANDOM - 1)
_EXPLICIT = r"(?:^|,)[ \t]*ot=(?:[^,]*;)?rv:(?P<rv>[0-9a-f]{14})(?:[;,]|$)"
_NO_DIALECT = -1


def _expression(pattern: str) -> str:
    """For RE2: `*` stands for anything."""
    return "(?s)^" + ".*".join(map(re.escape, pattern.split("*"))) + "$"


@dataclass(frozen=True, slots=True)
class Selecting:
    """What does not depend on other items."""

    services: tuple[str, ...]
    attributes: tuple[tuple[str, str], ...]
    genai_only: bool
    sample: float

    @classmethod
    def of(cls, config: TreatmentConfig) -> Selecting:
        pairs = [pair.partition("=") for pair in config.attributes]
        return cls(
            tuple(map(_expression, config.services)),
            tuple((_expression(key), _expression(value)) for key, _, value in pairs),
            config.genai_only,
            config.sample,
        )

    def __bool__(self) -> bool:
        return bool(self.services or self.attributes or self.genai_only)

    def wanted(self, batch: Batch) -> tuple[Mask, dict[str, int]]:
        """Which items are, and why how many points, spans or records are not."""
        wanted, dropped = np.ones(batch.size, np.bool_), dict[str, int]()
        for reason, is_asked, judge in (
            ("dropped_service", self.services, self._of_services),
            ("dropped_attribute", self.attributes, self._with_attributes),
            ("dropped_not_genai", self.genai_only, _about_genai),
        ):
            if is_asked:
                fitting = batch.of_items(judge(batch))
                dropped[reason] = int(batch.points[wanted & ~fitting].sum())
                wanted &= fitting
        return wanted, dropped

    def _of_services(self, batch: Batch) -> Mask:
        sources = batch.columns.sources
        names = sources.resource.texts("service.name")
        names = pa.array([""] * sources.resource.owners, pa.string()) if names is None else pc.fill_null(names, "")
        return _any_of(self.services, names)[sources.resource_of_row]

    def _with_attributes(self, batch: Batch) -> Mask:
        """Its own, or those of its scope or resource."""
        sources, columns = batch.columns.sources, batch.columns
        found = _have(columns.attributes, self.attributes)
        found |= _have(sources.resource, self.attributes)[sources.resource_of_row]
        return found | _have(sources.scope, self.attributes)[sources.of_row]

    def sampled(self, batch: Batch) -> Mask:
        """Which rows are in the share of traces that is sent. What is of no trace is."""
        if self.sample >= 1 or not isinstance(batch.columns, Spans | Logs):
            return np.ones(len(batch.columns), np.bool_)
        _, low = trace_words(batch.columns)
        is_of_trace = np.asarray(batch.columns.trace_id.is_valid())
        return ~is_of_trace | self.chosen(randomness(batch.columns, low))

    def chosen(self, bits: npt.NDArray[np.uint64]) -> Mask:
        """Which traces are sent: those whose 56 random bits are not below a threshold, as OpenTelemetry has it."""
        threshold = np.uint64(round((1 - self.sample) * _SPAN_OF_RANDOM))
        found: Mask = bits >= threshold
        return found


def _about_genai(batch: Batch) -> Mask:
    found: Mask = batch.understood.dialect != _NO_DIALECT
    return found


def _any_of(expressions: Sequence[str], texts: pa.Array) -> Mask:
    found = np.zeros(len(texts), np.bool_)
    for expression in expressions:
        found |= np.asarray(pc.match_substring_regex(texts, expression))
    return found


def _have(attributes: Attributes, pairs: Sequence[tuple[str, str]]) -> Mask:
    found = np.zeros(attributes.owners, np.bool_)
    keys = pa.array(attributes.keys, pa.string())
    for key, value in pairs:
        places = np.flatnonzero(_any_of([key], keys)[attributes.codes]) if len(keys) else np.zeros(0, np.int64)
        if len(places):
            fitting = _any_of([value], attributes.text.take(pa.array(places)))
            found[attributes.owner[places[fitting]]] = True
    return found


def trace_words(columns: Spans | Logs) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """The two halves of each trace id, as numbers; 0 for none."""
    if isinstance(columns, Spans):
        words = np.ascontiguousarray(raw(columns.raw_ids[0], 16)).view(">u8").reshape(-1, 2).astype(np.uint64)
        return words[:, 0], words[:, 1]
    high, low = hex_ids(columns.trace_id.fill_null("0" * 32), 32)
    return high.byteswap(), low.byteswap()


def randomness(columns: Spans | Logs, low: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Its last seven bytes, unless the trace state tells other ones."""
    found = low & _LOW_56
    if isinstance(columns, Spans) and columns.trace_state.null_count < len(columns):
        told = pc.struct_field(pc.extract_regex(columns.trace_state, _EXPLICIT), "rv")
        for row in np.flatnonzero(np.asarray(told.is_valid())).tolist():
            found[row] = int(told[row].as_py(), 16)
    return found
