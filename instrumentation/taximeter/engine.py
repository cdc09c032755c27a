"""What a call sets in motion: a dialect is found, a span begun, a meter handed to the tap."""

from __future__ import annotations

from typing import Any

from taximeter import faults
from taximeter.dialect import WireRequest, find, is_endpoint
from taximeter.emit import Emitter
from taximeter.meter import Meter
from taximeter.settings import Settings

__all__ = ["is_endpoint", "start"]


def start(emitter: Emitter, settings: Settings, fields: dict[str, Any]) -> Meter | None:
    """A meter for a request that a dialect knows."""
    request = WireRequest(**fields, prose=emitter.captures)
    try:
        found = find(request)
    except Exception as error:
        if not request.prose:
            raise
        faults.count("engine.content", error)  # content that we do not understand must not cost the call
        request.prose = False
        found = find(request)
    if found is None:
        return None
    dialect, call = found
    return Meter(dialect, call, emitter.begin(dialect, call, request), request, settings)
