"""What the rows of several tables have in common."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.decode.records import Origin, Sources, by_number, said
from taximeter_collector.lake.schema import LakeTable
from taximeter_collector.land.clock import Times
from taximeter_collector.normalise.understanding import Understood

__all__ = [
    "canonical_columns",
    "counted",
    "named",
    "origin_columns",
    "said",
    "service_columns",
    "source_columns",
    "table_of",
    "whence",
]


def origin_columns(origin: Origin, journal_id: str) -> dict[str, pa.Array]:
    """Which record of the journal a row is."""
    return {
        "received_unix_nano": pa.array(origin.received_unix_nano),
        "journal_id": named(np.zeros(len(origin.position), dtype=np.int32), [journal_id]),
        "journal_position": pa.array(origin.position),
        "journal_item": pa.array(origin.item),
    }


def whence(name: str, times: Times, origin: Origin, journal_id: str) -> dict[str, pa.Array]:
    """The columns with which every table begins."""
    return {**times.columns(name), **origin_columns(origin, journal_id)}


def service_columns(sources: Sources) -> dict[str, pa.Array]:
    """Who sent it."""
    return {
        "service_name": sources.from_resource("service.name"),
        "service_version": sources.from_resource("service.version"),
        "environment": sources.from_resource("deployment.environment.name", "deployment.environment"),
    }


def source_columns(sources: Sources) -> dict[str, pa.Array]:
    """Who sent it, by which library, and all that is told of the sender."""
    return {
        **service_columns(sources),
        "scope_name": sources.from_scope(sources.scope_name),
        "scope_version": sources.from_scope(sources.scope_version),
        "schema_url": sources.from_scope(sources.schema_url),
        "resource_attributes": sources.resource_maps(),
    }


def canonical_columns(understood: Understood) -> dict[str, pa.Array]:
    """What is understood of any record, call or not."""
    names = ("operation", "conversation_id", "user_id", "agent_name", "tool_name")
    return {"dialect": understood.dialect_name, **{name: understood.column(name) for name in names}}


def named(codes: npt.NDArray[np.int32], names: list[str | None]) -> pa.DictionaryArray:
    """Texts by their number."""
    return by_number(codes, pa.array(names, pa.string()))


def table_of(table: LakeTable, columns: dict[str, pa.Array], rows: int) -> pa.Table:
    """The table's columns in their order; NULL where there is none. Texts may be dictionaries.

    ValueError where a row lacks what every row of the table has.
    """
    arrays, fields = [], []
    for column in table.columns:
        array = columns.get(column.name)
        if array is None:
            array = pa.nulls(rows, column.type)
        elif not _is_as_wanted(array.type, column.type):
            array = array.cast(column.type)
        if column.always and array.null_count:
            raise ValueError(f"{array.null_count} records without a {column.name}")
        arrays.append(array)
        fields.append(pa.field(column.name, array.type, not column.always))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _is_as_wanted(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Texts may be numbers of texts, in maps too."""
    return bool(
        found == wanted or pa.types.is_dictionary(found) or (pa.types.is_map(found) and pa.types.is_map(wanted))
    )


def counted(column: pa.Array) -> pa.Array:
    """How many a sender dropped; NULL for none, which is what nearly everybody says."""
    return pc.if_else(pc.equal(column, 0), pa.scalar(None, column.type), column).cast(pa.int32(), safe=False)
