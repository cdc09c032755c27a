"""When something was: what the sender's clock said, unless that is absurd."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]

from taximeter_collector.lake.schema import TIME

__all__ = ["Times", "settle"]

_EARLIEST_NS = 1_420_070_400 * 10**9  # 2015-01-01
_DAY_NS = 86_400 * 10**9
_CLAIMED = pa.decimal128(20, 0)


@dataclass(slots=True)
class Times:
    """Times that make sense, for each row."""

    unix_nano: npt.NDArray[np.int64]
    absurd: npt.NDArray[np.bool_]
    claimed: pa.Array  # what was said where that was absurd

    @property
    def date(self) -> pa.Array:
        """The UTC day."""
        return pa.array((self.unix_nano // _DAY_NS).astype(np.int32)).view(pa.date32())

    @property
    def timestamp(self) -> pa.Array:
        """In microseconds."""
        return pa.array(self.unix_nano // 1000).view(TIME)

    def columns(self, name: str) -> dict[str, pa.Array]:
        """As every table begins."""
        return {
            "date": self.date,
            name: self.timestamp,
            "start_unix_nano" if name == "start_time" else "time_unix_nano": pa.array(self.unix_nano),
            "claimed_unix_nano": self.claimed,
        }


def settle(
    told: npt.NDArray[np.uint64], received: npt.NDArray[np.int64], *, untold: npt.NDArray[np.int64] | None = None
) -> Times:
    """Before 2015, or more than a day after it was received: then it was when it was received.

    0 is no claim: nobody said, and `untold` is taken, or else when it was received.
    """
    silent = told == 0
    plain = np.where(silent, received if untold is None else untold, told.astype(np.int64))
    absurd = (told > np.uint64(2**63 - 1)) | (plain < _EARLIEST_NS) | (plain > received + _DAY_NS)
    if not absurd.any():
        return Times(plain, absurd, pa.nulls(len(told), _CLAIMED))
    absurd &= ~silent
    sensible = np.where(absurd | (plain < _EARLIEST_NS), received, plain)
    return Times(sensible, absurd, _claimed(told, absurd))


def _claimed(told: npt.NDArray[np.uint64], absurd: npt.NDArray[np.bool_]) -> pa.Array:
    wide = np.zeros((len(told), 2), dtype="<u8")  # 128 bits
    wide[:, 0] = told
    validity = pa.py_buffer(np.packbits(absurd, bitorder="little").tobytes())
    return pa.Array.from_buffers(_CLAIMED, len(told), [validity, pa.py_buffer(wide.tobytes())])
