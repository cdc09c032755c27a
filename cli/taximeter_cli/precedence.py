"""Whose defaults hold when `opentelemetry-distro` is installed beside Taximeter.

`opentelemetry-instrument` takes whichever distribution it finds first. The vanilla one would then choose OTLP over
gRPC, whose exporter is not there, and no telemetry at all would come of it. So where nobody has said which distribution
to use, and the vanilla one is the only other, Taximeter's is used. Any third one is a choice, and is respected.

`opentelemetry-instrument` imports this module before it starts the program, because it is an entry point in the group
`opentelemetry_environment_variables`; the work is done by being imported.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from importlib.metadata import entry_points

__all__ = ["prefer_taximeter"]

_VANILLA = "opentelemetry.distro:"


def prefer_taximeter(environment: MutableMapping[str, str]) -> None:
    """Name Taximeter's distribution and configurator, unless somebody named one or installed a third."""
    for variable, group in (
        ("OTEL_PYTHON_DISTRO", "opentelemetry_distro"),
        ("OTEL_PYTHON_CONFIGURATOR", "opentelemetry_configurator"),
    ):
        others = [found.value for found in entry_points(group=group) if not found.value.startswith("taximeter.")]
        if others and all(value.startswith(_VANILLA) for value in others):
            environment.setdefault(variable, "taximeter")


prefer_taximeter(os.environ)
