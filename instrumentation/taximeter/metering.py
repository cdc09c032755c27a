"""Metering, switched on: what the taps ask whether a request is of interest, and for a meter if it is.

This module is all that is loaded while nothing is called; the rest comes with the first call.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from opentelemetry import context
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from taximeter import faults
from taximeter.settings import Settings

if TYPE_CHECKING:
    from taximeter.dialect import WireRequest
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

    @property
    def logger_provider(self) -> Any:
        """The one that was given; None means the global one."""
        return self._providers.get("logger_provider")

    @cached_property
    def emitter(self) -> Emitter:
        from taximeter.emit import Emitter

        return Emitter(self.settings, **self._providers)

    def stop(self) -> None:
        """Take no more calls; those under way are finished."""
        self.active = False

    def wants(self, method: str, path: str) -> bool:
        """Whether a request is worth a closer look. This is all that the app's other requests cost."""
        try:
            from taximeter.dialect import is_endpoint

            return (
                self.active
                and is_endpoint(method, path)
                and context.get_value(METERED) is not True
                and is_instrumentation_enabled()
            )
        except Exception as error:
            faults.count("metering.wants", error)
            return False

    def start(self, request: WireRequest) -> Meter | None:
        """A meter for this request, if it asks a model something."""
        try:
            from taximeter.dialect import find
            from taximeter.meter import Meter

            request.prose = self.emitter.captures
            found = find(request)
            if found is None:
                return None
            dialect, call = found
            return Meter(dialect, call, self.emitter.begin(dialect, call, request), request, self.settings)
        except Exception as error:
            faults.count("metering.start", error)
            return None
