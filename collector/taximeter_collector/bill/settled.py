"""What goes in with the calls, and what comes out: the links between spans, and who is billed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from taximeter_collector.bill.fingerprints import Keys, binary_ids, span_keys
from taximeter_collector.lake.corrections import Superseded

__all__ = ["Settled", "SpanLinks", "Superseded"]


@dataclass(frozen=True, slots=True)
class SpanLinks:
    """Each span of a commit, call or not, and the span around it: by fingerprints, 0 where there is none."""

    span: Keys
    parent: Keys

    @classmethod
    def of(cls, trace_id: pa.BinaryArray, span_id: pa.BinaryArray, parent_span_id: pa.BinaryArray) -> SpanLinks:
        """From the ids as they are sent: 16, 8 and 8 bytes; what has another size is no id."""
        trace, own, around = (
            binary_ids(ids, size) for ids, size in ((trace_id, 16), (span_id, 8), (parent_span_id, 8))
        )
        parent = np.where(around[0] == own[0], np.uint64(0), around[0])
        return cls(span_keys(trace, own[0]), span_keys(trace, parent))

    @classmethod
    def join(cls, several: Sequence[SpanLinks]) -> SpanLinks:
        """Those of several batches as one."""
        if len(several) == 1:
            return several[0]
        nothing = [np.zeros(0, np.uint64)]
        return cls(
            np.concatenate([each.span for each in several] or nothing),
            np.concatenate([each.parent for each in several] or nothing),
        )


@dataclass(slots=True)
class Settled:
    """For each row of a commit, and for rows of earlier ones."""

    billable: pa.BooleanArray
    because: pa.DictionaryArray
    """`not_billable_because`: texts, NULL where it is billable."""
    billed_as: pa.StringArray
    """`journal_id/journal_position.journal_item` of the row that counts instead; NULL if none does."""
    view_rank: pa.Int32Array
    """The column of that name, which a register that is rebuilt needs."""
    superseded: list[Superseded]
