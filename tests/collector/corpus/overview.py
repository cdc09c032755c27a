"""The table of the corpus in docs/normalising.md: `python tests/collector/corpus/overview.py` writes it anew."""

from __future__ import annotations

import json
import re
from pathlib import Path

__all__ = ["table", "written"]

CORPUS = Path(__file__).parent
PAGE = CORPUS.parents[2] / "docs" / "normalising.md"
_PLACE = re.compile(r"(<!-- corpus -->\n).*?(<!-- /corpus -->)", re.DOTALL)


def table() -> str:
    """A row for each dialect: which libraries show it, with how many entries, made how."""
    rows = ["| dialect | shown by | entries | made |", "|---|---|---|---|"]
    for folder in sorted(one for one in CORPUS.iterdir() if one.is_dir() and any(one.glob("*.json"))):
        entries = [json.loads(file.read_text("utf-8")) for file in sorted(folder.glob("*.json"))]
        libraries = sorted({entry["library"].partition(" with ")[0] for entry in entries})
        run = sum(entry["made"] == "run" for entry in entries)
        made = "run" if run == len(entries) else "by hand" if not run else f"{run} run, the others by hand"
        rows.append(f"| `{folder.name}` | {', '.join(libraries)} | {len(entries)} | {made} |")
    return "\n".join(rows) + "\n"


def written() -> str:
    """The page as it should be."""
    return _PLACE.sub(lambda found: found[1] + table() + found[2], PAGE.read_text("utf-8"))


if __name__ == "__main__":
    PAGE.write_text(written(), "utf-8")
