"""What a forwarder leaves for those who look in from outside."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["read_state", "state_file"]


def state_file(data: Path, destination: str) -> Path:
    """The file of a destination."""
    return data / "forward" / f"{destination}.json"


def read_state(data: Path, destination: str) -> dict[str, Any]:
    """What is in it; nothing if there is nothing that can be read."""
    with suppress(OSError, ValueError):
        found = json.loads(state_file(data, destination).read_bytes())
        return found if isinstance(found, dict) else {}
    return {}
