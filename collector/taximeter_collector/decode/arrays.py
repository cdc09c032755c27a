"""Arrow arrays over numpy's memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]

__all__ = ["masked"]


def masked(values: npt.NDArray[Any], valid: npt.NDArray[np.bool_]) -> pa.Array:
    """Numbers, some of which are NULL. `pa.array(values, mask=...)` would copy them.

    >>> masked(np.array([1, 2, 3]), np.array([True, False, True])).to_pylist()
    [1, None, 3]
    """
    bits = pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [bits, pa.py_buffer(values)])
