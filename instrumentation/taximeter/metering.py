"""Metering, switched on: what the taps ask whether a request is of interest, and for a meter if it is.

This module is all that is loaded while nothing is called. The engine, with the dialects and the official library behind
it, comes with the first call, or earlier if the app imports an SDK (see `taps`).
"""

from __future__ import annotations

from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any

from opentelemetry import context
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from taximeter import faults
from taximeter.settings import Settings

if TYPE_CHECKING:
    from taximeter.emit import Emitter
    from taximeter.meter import Meter

__all__ = ["METERED", "Metering"]

# Set in the context while a request is being sent: httpx over aiohttp, requests over urllib3 are metered once.
METERED = context.create_key("taximeter-metered")


class Metering:
    """One for each time that metering is switched on, so that settings cannot change under a call."""

    def __init__(self, settings: Settings, **providers: Any) -> None:
        self.settings = settings
        self.active = True
        self._providers = providers
        self._engine: ModuleType | None = None

    @property
    def logger_provider(self) -> Any:
        """The one that was given; None means the global one."""
        return self._providers.get("logger_provider")

    @cached_property
    def emitter(self) -> Emitter:
        from taximeter.emit import Emitter

        return Emitter(self.settings, **self._providers)

    def load(self) -> Any:
        """Bring in what the first call needs."""
        from taximeter import engine

        self._engine = engine
        return engine

    def stop(self) -> None:
        """Take no more calls; those under way are finished."""
        self.active = False

    def wants(self, method: str, path: str) -> bool:
        """Whether a request is worth a closer look. This is all that the app's other requests cost."""
        try:
            engine = self._engine or self.load()
            if not self.active or not engine.is_endpoint(method, path):
                return False
            within = context.get_current()
            return not within or (METERED not in within and is_instrumentation_enabled())
        except Exception as error:
            faults.count("metering.wants", error)
            return False

    def start(self, **request: Any) -> Meter | None:
        """A meter for this request (the fields of a `WireRequest`), if it asks a model something."""
        try:
            engine = self._engine or self.load()
            meter: Meter | None = engine.start(self.emitter, self.settings, request)
            return meter
        except Exception as error:
            faults.count("metering.start", error)
            return None
