"""The open lake: Delta tables of Parquet files, into which each row lands exactly once.

>>> import tempfile
>>> from pathlib import Path
>>> from taximeter_collector.lake import Lake, LakeConfig
>>> lake = Lake.open(LakeConfig(dir=Path(tempfile.mkdtemp()) / "lake"), "a-journal")
>>> lake.commit(41)
>>> lake.close()
>>> lake.positions["calls"]
41
"""

from typing import TYPE_CHECKING, Any

from taximeter_collector.lake.config import LakeConfig
from taximeter_collector.lake.errors import LakeError, LakeUnavailable, NewerSchema

if TYPE_CHECKING:
    from taximeter_collector.lake.corrections import Superseded
    from taximeter_collector.lake.lake import Lake

__all__ = ["Lake", "LakeConfig", "LakeError", "LakeUnavailable", "NewerSchema", "Superseded"]


def __getattr__(name: str) -> Any:
    """Load the libraries with the first use: every process has the settings, and most have no lake."""
    if name == "Lake":
        from taximeter_collector.lake.lake import Lake

        return Lake
    if name == "Superseded":
        from taximeter_collector.lake.corrections import Superseded

        return Superseded
    raise AttributeError(name)
