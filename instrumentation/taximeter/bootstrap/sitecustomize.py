"""Found by every Python that is started below `taximeter run`: switches metering on before the program begins.

As `opentelemetry-instrument` does it, with three differences: a Python that lacks Taximeter runs as ever, and leaves a
note of it; a `sitecustomize` that was there before is not hidden; and nobody has to be the parent.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib would be loaded for nothing
_NOTES = "TAXIMETER_RUN_NOTES"


def _without_here(paths: list[str]) -> list[str]:
    return [path for path in paths if os.path.abspath(path or os.curdir) != _HERE]  # noqa: PTH100


def _switch_on() -> None:
    try:
        from opentelemetry.instrumentation.auto_instrumentation import initialize
        from taximeter_cli import precedence  # noqa: F401 - its import says whose defaults hold
        from taximeter_cli.running.undelivered import note_what_is_lost
    except ImportError:
        _leave_note()
        return
    if os.environ.get(_NOTES):
        note_what_is_lost(os.environ[_NOTES])
    paths = os.environ.get("PYTHONPATH", "")
    # What is started while libraries are being looked for is not metered, and so cannot start us again without end.
    os.environ["PYTHONPATH"] = os.pathsep.join(_without_here(paths.split(os.pathsep)))
    try:
        initialize()
    finally:
        os.environ["PYTHONPATH"] = paths


def _leave_note() -> None:
    folder = os.environ.get(_NOTES)
    if folder:
        try:
            with open(os.path.join(folder, "not-metered"), "a", encoding="utf-8") as notes:  # noqa: PTH118, PTH123
                notes.write(f"{sys.executable}\n")
        except OSError:
            pass  # a note is not worth a failure of somebody's program


def _run_the_other() -> None:
    """The `sitecustomize` that would have been found without us."""
    spec = PathFinder.find_spec("sitecustomize", _without_here(sys.path))
    if spec and spec.loader:
        spec.loader.exec_module(module_from_spec(spec))


if __name__ == "sitecustomize":  # and not for those who only look at what modules there are
    _run_the_other()
    _switch_on()
