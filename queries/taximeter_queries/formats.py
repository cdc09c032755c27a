"""Answers for machines: exact, complete, and the same each time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from typing import IO, Any

from taximeter_queries.answer import Answer
from taximeter_queries.text import as_json, as_text, exact

__all__ = ["MachineFormat", "write"]

_ROWS_AT_ONCE = 1000


class MachineFormat(StrEnum):
    """How an answer can be written for a program. Not rounded, not cut, NULL where nothing is known."""

    json = "json"
    jsonl = "jsonl"
    csv = "csv"
    parquet = "parquet"


def write(answer: Answer, form: MachineFormat, file: IO[bytes]) -> None:
    """Write an answer.

    JSON is an array of objects whose keys are the names of the columns, a line each; JSON Lines is the same without the
    array; CSV is as RFC 4180 has it, with a line of names, NULL as nothing and an empty text as `""`. Numbers have all
    their digits, times are ISO 8601 with their offset. Parquet has types: money is DECIMAL(38, 12).
    """
    if form is MachineFormat.parquet:
        _write_parquet(answer, file)
        return
    lines = {MachineFormat.json: _json, MachineFormat.jsonl: _objects, MachineFormat.csv: _csv}[form](answer)
    waiting: list[str] = []
    for line in lines:
        waiting.append(line)
        if len(waiting) == _ROWS_AT_ONCE:
            file.write("".join(waiting).encode())
            waiting.clear()
    file.write("".join(waiting).encode())


def _json(answer: Answer) -> Iterator[str]:
    before = "["
    for line in _objects(answer):
        yield f"{before}\n{line.removesuffix(chr(10))}"
        before = ","
    yield "[]\n" if before == "[" else "\n]\n"


def _objects(answer: Answer) -> Iterator[str]:
    keys = [f"{json.dumps(name, ensure_ascii=False)}: " for name in answer.names]
    for row in answer.rows:
        yield f"{{{', '.join(key + as_json(value) for key, value in zip(keys, row, strict=True))}}}\n"


def _csv(answer: Answer) -> Iterator[str]:
    yield ",".join(_quoted(name) for name in answer.names) + "\r\n"
    for row in answer.rows:
        yield ",".join(map(_as_csv, row)) + "\r\n"


def _as_csv(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (bool, dict, list, tuple)):
        return _quoted(as_json(value))
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, (int, Decimal)):
        return exact(value) if isinstance(value, Decimal) and value.is_finite() else str(value)
    return _quoted(as_text(value))


def _quoted(text: str) -> str:
    needs = not text or any(one in text for one in ',"\r\n') or text != text.strip()
    return '"' + text.replace('"', '""') + '"' if needs else text


def _write_parquet(answer: Answer, file: IO[bytes]) -> None:
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    pq.write_table(answer.table(), file, compression="zstd")
