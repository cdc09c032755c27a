"""Attributes of many owners, flat: whose, which key, which value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]

from taximeter_collector.decode.arrays import masked
from taximeter_collector.decode.pairs import read_pairs
from taximeter_collector.decode.values import Values
from taximeter_collector.decode.views import repeated

__all__ = ["Attributes", "Index"]

Index: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

_SAMPLE, _MOST_DISTINCT = 4096, 0.5


@dataclass(slots=True)
class Attributes:
    """All attributes of `owners` things; those of one thing are side by side, in the order in which they were sent."""

    owners: int
    offsets: npt.NDArray[np.int32]  # owners + 1
    keys: list[str]
    codes: npt.NDArray[np.int32]  # which of the keys, for each attribute
    values: Values
    which: npt.NDArray[np.int32]  # which of the values, likewise; some may be nobody's any more
    _owner: npt.NDArray[np.int32] | None = field(default=None, init=False)
    _places: dict[str, Index] | None = field(default=None, init=False)
    _sorted: tuple[Index, Index] | None = field(default=None, init=False)
    _text: pa.StringArray | None = field(default=None, init=False)

    @classmethod
    def of(cls, lists: pa.ListArray) -> Attributes:
        """From a column of `repeated KeyValue`, encoded. Most are in many spans: what is the same is read once."""
        offsets = lists.offsets.to_numpy()
        flat = lists.values if not offsets[0] else lists.flatten()
        offsets = offsets - offsets[0] if offsets[0] else offsets
        flat = flat.slice(0, int(offsets[-1])) if len(flat) != offsets[-1] else flat
        distinct, which = _distinct(flat)
        pairs = read_pairs(distinct)
        keys = pairs.keys.dictionary_encode()
        return cls(
            owners=len(lists),
            offsets=offsets,
            keys=keys.dictionary.to_pylist(),
            codes=keys.indices.to_numpy()[which],
            values=pairs.values,
            which=which,
        )

    @property
    def text(self) -> pa.StringArray:
        """The value of each as it is shown: text as it is, anything else as JSON."""
        if self._text is None:
            self._text = repeated(self.values.text, self.which)
        return self._text

    @property
    def ints(self) -> pa.Int64Array:
        """The value of each where it was sent as an integer."""
        return self.values.ints.take(pa.array(self.which))

    @property
    def doubles(self) -> pa.DoubleArray:
        """The value of each where it was sent as a double."""
        return self.values.doubles.take(pa.array(self.which))

    @property
    def structured(self) -> Mask | None:
        """Whether each was sent as a list or as pairs; None if none was."""
        if self.values.structured is None:
            return None
        found = self.values.structured[self.which]
        return found if found.any() else None

    @property
    def owner(self) -> npt.NDArray[np.int32]:
        """Whose each one is."""
        if self._owner is None:
            self._owner = np.repeat(np.arange(self.owners, dtype=np.int32), np.diff(self.offsets))
        return self._owner

    @property
    def places(self) -> dict[str, Index]:
        """Where the attributes with a key are, for each key."""
        if self._places is None:
            order, ends = self._by_key()
            bounds = [0, *ends.tolist()]
            self._places = {key: order[bounds[at] : bounds[at + 1]] for at, key in enumerate(self.keys)}
        return self._places

    def _by_key(self) -> tuple[Index, Index]:
        """All attributes in the order of their keys, and where those of each key end."""
        if self._sorted is None:
            small = np.uint8 if len(self.keys) < 1 << 8 else np.uint16 if len(self.keys) < 1 << 16 else np.int32
            order = np.argsort(self.codes.astype(small), kind="stable")  # a radix sort, for the small ones
            self._sorted = order, np.cumsum(np.bincount(self.codes, minlength=len(self.keys)))
        return self._sorted

    def first(self, key: str) -> Index | None:
        """For each owner, where its attribute with this key is, or -1; None if nobody has it."""
        places = self.places.get(key)
        if places is None:
            return None
        found = np.full(self.owners, -1, dtype=np.int64)
        found[self.owner[places][::-1]] = places[::-1]
        return found

    def texts(self, key: str) -> pa.StringArray | None:
        """For each owner, its value; None if nobody has one."""
        found = self.numbers(key)
        return None if found is None else self.values.text.take(found)

    def numbers(self, key: str) -> pa.Int32Array | None:
        """For each owner, which of the values it has, or NULL; None if nobody has one."""
        found = self.first(key)
        return None if found is None else masked(self.which[found], found >= 0)

    def take(self, owners: Index) -> Attributes:
        """Those of some owners."""
        lengths = np.diff(self.offsets)[owners]
        offsets = np.zeros(len(owners) + 1, dtype=np.int32)
        np.cumsum(lengths, out=offsets[1:])
        places = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][owners] - offsets[:-1], lengths)
        return self._some(len(owners), offsets, places)

    def without(self, dropped: Mask) -> Attributes:
        """The same without some attributes, by a mask over all of them."""
        kept = ~dropped
        offsets = np.zeros(self.owners + 1, dtype=np.int32)
        np.cumsum(_sums(kept, self.offsets), out=offsets[1:])
        return self._some(self.owners, offsets, kept)

    def _some(self, owners: int, offsets: npt.NDArray[np.int32], places: Index | Mask) -> Attributes:
        return Attributes(owners, offsets, self.keys, self.codes[places], self.values, self.which[places])

    def maps(self, *, repeating: bool = False) -> pa.MapArray:
        """For each owner, its attributes. Of a key that was sent twice, the value that was sent first.

        Keys are numbers of texts; `repeating` values are, too. Parquet files are written faster so.
        """
        again = self._again()
        if again is not None:
            dropped = np.zeros(len(self.codes), dtype=np.bool_)
            dropped[again] = True
            return self.without(dropped).maps(repeating=repeating)
        keys = pa.DictionaryArray.from_arrays(pa.array(self.codes), pa.array(self.keys, pa.string()))
        values = self.text.dictionary_encode() if repeating else self.text
        return pa.MapArray.from_arrays(pa.array(self.offsets), keys, values)

    def _again(self) -> Index | None:
        """Attributes whose owner has their key already; None where there are none."""
        if not len(self.codes):
            return None
        order, ends = self._by_key()
        owners = self.owner[order]
        same = owners[1:] == owners[:-1]
        same[ends[(ends > 0) & (ends < len(owners))] - 1] = False  # the first with another key
        return order[1:][same] if same.any() else None

    def with_texts(self, places: Index, texts: pa.StringArray, *, structured: bool = True) -> Attributes:
        """The same with other texts in these places; what had been a number there is none any more.

        With `structured`, what was sent as a list or as pairs still counts as that.
        """
        which = self.which.copy()
        which[places] = len(self.values.text) + np.arange(len(places))
        still = self.structured[places] if structured and self.structured is not None else None
        return replace(self, values=self.values.and_then(Values.of_texts(texts, still)), which=which)


def _distinct(pairs: pa.BinaryArray) -> tuple[pa.BinaryArray, npt.NDArray[np.int32]]:
    """What is the same once, and for each pair which it is. If few are the same, looking for them is not worth it."""
    sample = pairs.slice(0, _SAMPLE)
    if len(sample.unique()) > _MOST_DISTINCT * len(sample):
        return pairs, np.arange(len(pairs), dtype=np.int32)
    encoded = pairs.dictionary_encode()
    return encoded.dictionary, encoded.indices.to_numpy()


def _sums(keep: Mask, offsets: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """How many are kept of each owner."""
    running = np.zeros(len(keep) + 1, dtype=np.int64)
    np.cumsum(keep, out=running[1:])
    return np.diff(running[offsets])
