"""What happens to requests between the journal and a transport, for one destination.

    treatment = Treatment(config, redact, book)            # once
    outgoing = treatment.take(records, time.monotonic())   # what may go now, in order
    outgoing = treatment.due(time.monotonic())             # traces that have been waited for long enough
    outgoing = treatment.close()                           # at the end: all that is still held back
    treatment.held_from                                    # the cursor must not pass this position

Records are selected, redacted, priced and cut to requests of the size that the backend takes. What is not changed is
passed on byte for byte; with nothing to be done, the journal's own payload is what goes.
"""

from typing import TYPE_CHECKING, Any

from taximeter_collector.forward.treatment.config import TreatmentConfig

if TYPE_CHECKING:
    from taximeter_collector.forward.treatment.outgoing import Outgoing, SetAside
    from taximeter_collector.forward.treatment.treatment import Treatment, TreatmentError

__all__ = ["Outgoing", "SetAside", "Treatment", "TreatmentConfig", "TreatmentError"]

_MODULES = {"Outgoing": "outgoing", "SetAside": "outgoing", "Treatment": "treatment", "TreatmentError": "treatment"}


def __getattr__(name: str) -> Any:
    """Load Arrow with the first use: every process has the settings."""
    if name in _MODULES:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(name)
