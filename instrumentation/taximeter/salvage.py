"""What can be read of a JSON body of which only a piece is left."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["salvage"]

_SCALARS = re.compile(rb'"(id|model|responseId|modelVersion|generation_id|response_id)"\s*:\s*"([^"\\]{1,200})"')
_OBJECTS = re.compile(rb'"(usage|usageMetadata|meta)"\s*:\s*(?=\{)')


def salvage(piece: bytes) -> dict[str, Any]:
    """The ids and the usage in a piece of a response, by the names that providers give them.

    >>> salvage(b'... 0.5]}], "model": "text-embedding-3-small", "usage": {"prompt_tokens": 8}}')
    {'model': 'text-embedding-3-small', 'usage': {'prompt_tokens': 8}}
    """
    found: dict[str, Any] = {}
    for name, value in _SCALARS.findall(piece):
        found.setdefault(name.decode(), value.decode("utf-8", "replace"))
    decoder = json.JSONDecoder()
    for match in _OBJECTS.finditer(piece):
        try:
            found[match[1].decode()] = decoder.raw_decode(piece[match.end() :].decode("utf-8", "replace"))[0]
        except (ValueError, RecursionError):
            continue
    return found
