"""Where the meter is tapped into the HTTP clients, one module a library.

A tap's module has `install(module, metering)`, which patches the library's module, and gets it undone by the
`Patches` that it is given. A library is patched when the app imports it, so that nothing is imported for nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import update_wrapper
from importlib import import_module
from types import ModuleType
from typing import Any

import wrapt

from taximeter import faults

__all__ = ["Patches", "Taps"]

# The library that the app imports: our module for it.
_TAPS = {
    "httpx": "taximeter.taps.httpx",
    "httpx2": "taximeter.taps.httpx",
    "aiohttp": "taximeter.taps.aiohttp",
    "urllib3": "taximeter.taps.urllib3",  # requests and botocore send through it
    "litellm": "taximeter.rivals.litellm",
    "anthropic": "taximeter.rivals.anthropic",
}
_hooked: set[str] = set()
_active: list[Taps] = []


class Patches:
    """What was patched, so that it can be put back."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def replace(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Put `make(original)` in the place of `owner.name`, once."""
        original = owner.__dict__[name] if name in vars(owner) else getattr(owner, name)
        # A wrapper that somebody put around ours carries our mark on, but is not what it points to; and one of ours
        # that somebody has put back after its time does nothing any more.
        ours, patches = getattr(original, "_taximeter", (None, None))
        if ours is original and patches is not None and patches._undo:
            return
        replacement: Any = update_wrapper(make(original), original)
        replacement._taximeter = (replacement, self)
        setattr(owner, name, replacement)

        def undo() -> None:
            if owner.__dict__.get(name) is replacement:
                setattr(owner, name, original)

        self._undo.append(undo)

    def undo(self) -> None:
        while self._undo:
            self._undo.pop()()


class Taps:
    """All taps, for one time that metering is switched on."""

    def __init__(self, metering: Any) -> None:
        self._metering = metering
        self._patches = Patches()

    def install(self) -> None:
        _active.append(self)
        for library in _TAPS:
            if library in sys.modules:
                self._tap(library, sys.modules[library])
            elif library not in _hooked:
                # A hook stays for good; it asks who is active when the import happens.
                _hooked.add(library)
                wrapt.register_post_import_hook(_imported(library), library)

    def uninstall(self) -> None:
        if self in _active:
            _active.remove(self)
        self._metering.stop()
        self._patches.undo()

    def _tap(self, library: str, module: ModuleType) -> None:
        try:
            import_module(_TAPS[library]).install(module, self._metering, self._patches)
        except Exception as error:  # an unknown version of the library: the app goes on unmetered, and it is counted
            faults.count(f"taps.{library}", error)


def _imported(library: str) -> Callable[[ModuleType], None]:
    def hook(module: ModuleType) -> None:
        for taps in _active:
            taps._tap(library, module)

    return hook
