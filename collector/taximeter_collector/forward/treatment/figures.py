"""What is known of calls that are priced and settled, as arrays: for the attributes that tell of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.bill import Settled
from taximeter_collector.forward.treatment.attributes import Texts

__all__ = ["Figures"]

_PICO = 1e12
_KINDS = {"embeddings": "EMBEDDING", "retrieval": "RETRIEVER", "invoke_agent": "AGENT", "execute_tool": "TOOL"}
_ALL_KINDS = ("LLM", "CHAIN", *_KINDS.values())
_SENT_BEFORE = "sent_before"


@dataclass(slots=True)
class Figures:
    """Columns of the ledger, and those that follow: `prompt_cost_usd`, `total_tokens`, `openinference_kind`."""

    table: pa.Table
    billed: npt.NDArray[np.bool_]
    because: pa.Array
    _valid: dict[str, npt.NDArray[np.bool_]] = field(default_factory=dict)
    _usd: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)

    @classmethod
    def of(cls, table: pa.Table, verdict: Settled, sent_before: npt.NDArray[np.bool_]) -> Figures:
        billed = verdict.billable.to_numpy(zero_copy_only=False)
        because = verdict.because
        before = sent_before & billed
        if before.any():
            because = pc.if_else(pa.array(before), _SENT_BEFORE, because.cast(pa.string())).dictionary_encode()
        return cls(table, billed & ~before, because)

    @property
    def size(self) -> int:
        return len(self.billed)

    def slice(self, at: int, size: int) -> Figures:
        return Figures(self.table.slice(at, size), self.billed[at : at + size], self.because.slice(at, size))

    def _column(self, name: str) -> Any:
        return self.table[name].combine_chunks()

    def valid(self, name: str) -> npt.NDArray[np.bool_]:
        """Where it is known. A sum is known where one of its parts is; the prompt's cost where the output's is, too."""
        if name not in self._valid:
            if name == "prompt_cost_usd":
                found = self.valid("input_cost_usd")
            elif name == "total_tokens":
                found = self.valid("input_tokens") & self.valid("output_tokens")
            else:
                found = self._column(name).is_valid().to_numpy(zero_copy_only=False)
            self._valid[name] = found
        return self._valid[name]

    def usd(self, name: str) -> npt.NDArray[np.float64]:
        """Dollars, the nearest double to what the ledger has; 0 where it is not known."""
        if name not in self._usd:
            if name == "prompt_cost_usd":
                parts = ("input_cost_usd", "cache_read_cost_usd", "cache_write_cost_usd")
                found = sum(np.where(self.valid(part), self._pico(part), 0) for part in parts) / _PICO
            else:
                found = np.where(self.valid(name), self._pico(name), 0) / _PICO
            self._usd[name] = np.asarray(found, np.float64)
        return self._usd[name]

    def _pico(self, name: str) -> npt.NDArray[np.int64]:
        column = self._column(name)
        words = np.frombuffer(column.buffers()[1], "<i8")
        found: npt.NDArray[np.int64] = words[2 * column.offset : 2 * (column.offset + len(column)) : 2]
        return found

    def number(self, name: str) -> npt.NDArray[np.int64]:
        """A count; 0 where it is not known."""
        if name == "total_tokens":
            return self.number("input_tokens") + self.number("output_tokens")
        found: npt.NDArray[np.int64] = self._column(name).fill_null(0).to_numpy(zero_copy_only=False)
        return np.ascontiguousarray(found)

    def text(self, key: str, name: str) -> Texts:
        """Texts by their number."""
        if name == "openinference_kind":
            return self._kinds(key)
        column = self.because if name == "not_billable_because" else self._column(name)
        codes, texts = _encoded(column)
        return Texts.of(key, codes, texts)

    def _kinds(self, key: str) -> Texts:
        """Phoenix gives a cost to every span of the kind LLM, so what is not billed is of another."""
        operations, names = _encoded(self._column("operation"))
        kinds = [_KINDS.get(name, "LLM") for name in names]
        told = np.array([*map(_ALL_KINDS.index, kinds), _ALL_KINDS.index("LLM")], np.int64)[operations]
        twice = ~self.billed & (told == _ALL_KINDS.index("LLM"))
        return Texts.of(key, np.where(twice, _ALL_KINDS.index("CHAIN"), told), _ALL_KINDS)

    def breakdowns(self) -> list[str]:
        """Costs as JSON, by Langfuse's names for kinds of usage."""
        known = self.valid("cost_usd")
        parts = {
            "input": "input_cost_usd",
            "input_cache_read": "cache_read_cost_usd",
            "input_cache_creation": "cache_write_cost_usd",
            "output": "output_cost_usd",
            "total": "cost_usd",
        }
        columns = {key: np.where(self.valid(name), self.usd(name), 0).tolist() for key, name in parts.items()}
        found = []
        for at, (billed, is_known) in enumerate(zip(self.billed.tolist(), known.tolist(), strict=True)):
            if not billed:
                found.append('{"total": 0}')
            elif is_known:
                told = ", ".join(f'"{key}": {values[at]!r}' for key, values in columns.items() if values[at])
                found.append(f"{{{told}}}" if columns["total"][at] else '{"total": 0}')
            else:
                found.append("")
        return found


def _encoded(column: pa.Array) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Texts and which of them each row has, -1 for none."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, [text or "" for text in encoded.dictionary.to_pylist()]
