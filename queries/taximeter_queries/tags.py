"""Which tags calls have, in a lake: nobody declares them anywhere."""

from __future__ import annotations

from taximeter_queries.asking import ask_sql
from taximeter_queries.engine import Limits, Progress
from taximeter_queries.lake import Lake
from taximeter_queries.window import Window

__all__ = ["tags"]

_SQL = """
SELECT name, count(*) AS calls
FROM (SELECT unnest(map_keys(tags)) AS name FROM calls WHERE billable) AS told
GROUP BY name
ORDER BY calls DESC, name
"""


def tags(
    lake: Lake, window: Window | None = None, limits: Limits | None = None, progress: Progress | None = None
) -> dict[str, int]:
    """Each tag and how many of the calls that count have it, the most frequent first."""
    return dict(ask_sql(lake, _SQL, window=window, limits=limits, progress=progress).rows)
