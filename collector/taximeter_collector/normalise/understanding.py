"""A batch of records in any dialects to one set of canonical columns."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.decode.arrays import masked
from taximeter_collector.decode.attributes import Attributes, Index
from taximeter_collector.decode.records import Sources
from taximeter_collector.decode.spans import Events
from taximeter_collector.normalise.catalogue import CONTENT_KINDS, Catalogue, Patterns, catalogue
from taximeter_collector.normalise.dialect import Dialect
from taximeter_collector.normalise.events import with_events
from taximeter_collector.normalise.providers import CALLS, operation_named, provider_named
from taximeter_collector.normalise.reading import read_fields
from taximeter_collector.normalise.tokens import make_inclusive
from taximeter_collector.normalise.view import Mask, View, plain

__all__ = ["Understood", "understand"]

_NONE = -1
_USAGE = ("input_tokens", "output_tokens", "characters", "audio_input_ms", "images", "pages", "rerank_searches")


@dataclass(slots=True)
class Understood:
    """What the records of a batch say, in the words of the conventions. A column that is missing is NULL throughout."""

    size: int
    dialect: npt.NDArray[np.int16]  # its number in the catalogue, -1 for what is not about GenAI
    columns: dict[str, pa.Array] = field(default_factory=dict)
    is_call: Mask = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    is_aggregate: Mask = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))

    def column(self, name: str, type_: pa.DataType | None = None) -> pa.Array:
        """A column, or its NULLs."""
        found = self.columns.get(name)
        return pa.nulls(self.size, type_ or pa.string()) if found is None else found

    @property
    def dialect_name(self) -> pa.DictionaryArray:
        """The dialects' names; NULL for what is not about GenAI."""
        names = pa.array([dialect.name for dialect in catalogue().dialects])
        return pa.DictionaryArray.from_arrays(masked(self.dialect, self.dialect != _NONE), names)

    @property
    def rank(self) -> npt.NDArray[np.int32]:
        """How good each view of a call is."""
        ranks = np.array([*(dialect.rank for dialect in catalogue().dialects), 0], dtype=np.int32)
        return ranks[self.dialect]

    def content_of(self, attributes: Attributes, dialect: npt.NDArray[np.int16] | None = None) -> npt.NDArray[np.uint8]:
        """For each attribute, which of CONTENT_KINDS it is; 0 for what is no content."""
        return _by_dialect(catalogue().content, attributes, self.dialect if dialect is None else dialect)

    def body_of(self, names: pa.Array) -> npt.NDArray[np.uint8]:
        """For each log record, which of CONTENT_KINDS its body is."""
        kinds = np.zeros(self.size, dtype=np.uint8)
        encoded = names.dictionary_encode()
        codes = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)
        for number in np.unique(self.dialect[self.dialect != _NONE]).tolist():
            table = [_kind(catalogue().bodies[number].best(name or "")) for name in encoded.dictionary.to_pylist()]
            if any(table):
                rows = (self.dialect == number) & np.asarray(names.is_valid())
                kinds[rows] = np.array(table, dtype=np.uint8)[codes[rows]]
        return kinds

    def tags(self, attributes: Attributes) -> pa.MapArray:
        """The user's own tags, of each record."""
        names = [self._tag_names(attributes, number) for number in range(len(catalogue().dialects))]
        keys = sorted({name for of_dialect in names for name in of_dialect.values()})
        number_of = {name: number for number, name in enumerate(keys)}
        table = np.full((len(names) + 1, max(len(attributes.keys), 1)), -1, dtype=np.int32)
        for number, of_dialect in enumerate(names):
            for code, name in of_dialect.items():
                table[number, code] = number_of[name]
        tag = table[self.dialect[attributes.owner], attributes.codes] if keys else None
        found = np.flatnonzero(tag >= 0) if tag is not None else np.zeros(0, dtype=np.int64)
        counts = np.bincount(attributes.owner[found], minlength=self.size)
        chosen = np.zeros(0, dtype=np.int32) if tag is None else tag[found]
        tagged = Attributes(
            self.size,
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
            keys,
            chosen,
            attributes.values,
            attributes.which[found],
        )
        return tagged.maps(repeating=True)

    def _tag_names(self, attributes: Attributes, number: int) -> dict[int, str]:
        if not (self.dialect == number).any():
            return {}
        found = {}
        for code, key in enumerate(attributes.keys):
            pattern = catalogue().tags[number].best(key)
            if isinstance(pattern, str) and pattern:
                found[code] = key[len(pattern) - 1 :] if pattern.endswith("*") else key
        return found


def _kind(meaning: object) -> int:
    return CONTENT_KINDS.index(meaning) if isinstance(meaning, str) else 0


def _by_dialect(
    tables: list[Patterns], attributes: Attributes, dialect: npt.NDArray[np.int16]
) -> npt.NDArray[np.uint8]:
    present = np.unique(dialect[dialect != _NONE]).tolist()
    table = np.zeros((len(tables) + 1, max(len(attributes.keys), 1)), dtype=np.uint8)
    for number in present:
        table[number, : len(attributes.keys)] = [_kind(tables[number].best(key)) for key in attributes.keys]
    if not table.any():
        return np.zeros(len(attributes.codes), dtype=np.uint8)
    if len(present) == 1 and (dialect != _NONE).all():
        kinds: npt.NDArray[np.uint8] = table[present[0]][attributes.codes]
    else:
        kinds = table[dialect[attributes.owner], attributes.codes]
    return kinds


def understand(
    signal: str,
    names: pa.Array,
    attributes: Attributes,
    sources: Sources,
    failed: Mask,
    *,
    events: Events | None = None,
    in_span: Mask | None = None,
) -> Understood:
    """Find out in which dialect each record is, and read it.

    `names` are those of the spans or events; `failed` is where the signal's own way of saying so tells of an error.
    `events` are those of the spans; `in_span` is where a log record was written within one.
    """
    known = catalogue()
    result = Understood(len(names), _recognised(known, names, attributes, sources))
    result.is_call = np.zeros(result.size, dtype=np.bool_)
    result.is_aggregate = np.zeros(result.size, dtype=np.bool_)
    groups: list[tuple[Index, dict[str, pa.Array]]] = []
    for number in np.unique(result.dialect).tolist():
        if number == _NONE:
            continue
        rows = np.flatnonzero(result.dialect == number)
        whole = len(rows) == result.size
        own = attributes if whole else attributes.take(rows)
        if events is not None and len(events.name):
            own = with_events(own, events, rows, known.dialects[number].events, failed[rows])
        view = View(signal, len(rows), names if whole else names.take(pa.array(rows)), own)
        view.scope_name = sources.scope_name.take(pa.array(sources.of_row[rows]))
        view.failed = failed[rows]
        if in_span is not None:
            view.in_span = in_span[rows]
        _read(known, number, view)
        result.is_call[rows], result.is_aggregate[rows] = _calls(view)
        groups.append((rows, view.columns))
    result.columns = _assembled(result.size, groups)
    return result


def _recognised(known: Catalogue, names: pa.Array, attributes: Attributes, sources: Sources) -> npt.NDArray[np.int16]:
    """The dialect of each record: the one of highest precedence of all that its marks speak for."""
    dialect = np.full(len(names), _NONE, dtype=np.int16)
    scopes = np.array([_best(known.by_scope, name) for name in sources.scope_name.to_pylist()], dtype=np.int16)
    if len(scopes):
        np.maximum(dialect, scopes[sources.of_row], out=dialect)
    encoded = names.dictionary_encode()
    by_name = np.array([*(_best(known.by_name, name) for name in encoded.dictionary.to_pylist()), _NONE], np.int16)
    if (by_name != _NONE).any():
        codes = encoded.indices.fill_null(len(by_name) - 1).to_numpy(zero_copy_only=False)
        np.maximum(dialect, by_name[codes], out=dialect)
    by_key = sorted(((_best(known.by_key, key), key) for key in attributes.keys), reverse=True)
    for number, key in by_key:
        if number == _NONE or (len(dialect) and dialect.min() >= number):
            break  # all that are left are weaker
        owners = attributes.owner[attributes.places[key]]
        dialect[owners] = np.maximum(dialect[owners], np.int16(number))
    return dialect


def _best(marks: Patterns, name: str | None) -> int:
    """Their numbers go up with precedence."""
    found = [number for number in marks.all(name) if isinstance(number, int)] if name else []
    return max(found, default=_NONE)


def _read(known: Catalogue, number: int, view: View) -> None:
    dialect = known.dialects[number]
    view.columns = read_fields(known.sources[number], view.attributes)
    _name_operations(known, number, view)
    view.translate("provider", lambda text: dialect.providers.get(text) or provider_named(text))
    view.translate("finish_reason", _reasons)
    for name, text in dialect.constants.items():
        view.set(name, text, ~view.told(name))
    if dialect.adjust:
        dialect.adjust(view)
    make_inclusive(dialect, view)
    _judge(known, number, view)


def _name_operations(known: Catalogue, number: int, view: View) -> None:
    """What the attributes say, but a name that is said not to be about a model has the word."""
    dialect = known.dialects[number]
    view.translate("operation", lambda text: _operation(dialect, text))
    encoded = view.names.dictionary_encode()
    by_name = [known.operations[number].best(name or "") for name in encoded.dictionary.to_pylist()]
    if any(meaning is not None for meaning in by_name):
        told = pa.array(by_name, pa.string()).take(encoded.indices)
        silenced = np.asarray(pc.equal(told, "").fill_null(False))
        view.set("operation", told, silenced | (~view.told("operation") & np.asarray(told.is_valid())))


def _operation(dialect: Dialect, text: str) -> str:
    found = dialect.operations.get(text)
    return operation_named(text) if found is None else found


def _reasons(text: str) -> str:
    """A list of them, or one.

    >>> _reasons('["stop", "length"]'), _reasons("stop")
    ('stop,length', 'stop')
    """
    if text.startswith("["):
        try:
            return ",".join(str(reason) for reason in json.loads(text) if reason is not None)
        except ValueError:
            return text
    return text


def _judge(known: Catalogue, number: int, view: View) -> None:
    """What the dialect says of its records as a matter of course."""
    table = known.verdicts[number]
    for texts in (view.texts("operation"), view.names):
        encoded = texts.dictionary_encode()
        verdicts = [table.best(text or "") for text in encoded.dictionary.to_pylist()]
        if any(verdicts):
            found = pa.array(verdicts, pa.string()).take(encoded.indices)
            before = pa.nulls(view.size, pa.string()) if view.verdict is None else view.verdict
            view.verdict = pc.coalesce(before, found)
    if view.verdict is not None:
        view.columns["verdict"] = view.verdict


def _calls(view: View) -> tuple[Mask, Mask]:
    """Which records are about a call: what asks a model, and whatever tells of usage."""
    asks = view.where("operation", *CALLS)
    uses = np.zeros(view.size, dtype=np.bool_)
    for name in _USAGE:
        uses |= view.told(name)
    silenced = view.where("operation", "")
    view.set("operation", None, silenced)
    return (asks | uses) & ~silenced, ~asks


def _assembled(size: int, groups: list[tuple[Index, dict[str, pa.Array]]]) -> dict[str, pa.Array]:
    """The columns of all groups in the order of the records."""
    if len(groups) == 1 and len(groups[0][0]) == size:
        return groups[0][1]
    order = np.concatenate([rows for rows, _ in groups]) if groups else np.zeros(0, dtype=np.int64)
    place = np.full(size, -1, dtype=np.int64)
    place[order] = np.arange(len(order))
    wanted = masked(place, place >= 0)
    found = {}
    for name in sorted({name for _, columns in groups for name in columns}):
        plainly = [plain(columns[name]) if name in columns else None for _, columns in groups]
        type_ = next(column.type for column in plainly if column is not None)
        parts = [
            pa.nulls(len(rows), type_) if column is None else column.cast(type_)
            for (rows, _), column in zip(groups, plainly, strict=True)
        ]
        found[name] = pa.concat_arrays(parts).take(wanted)
    return found
