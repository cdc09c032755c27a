"""The receiver as a process of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from typing import Any

from taximeter_collector.configuration import Config
from taximeter_collector.journal import JournalError
from taximeter_collector.receive.access import AccessError
from taximeter_collector.receive.receiver import Receiver, StartError
from taximeter_collector.settings import Address
from taximeter_collector.supervise.worker import CannotStart, Control

__all__ = ["run"]


async def run(config: Config, control: Control) -> None:
    """Receive until told to stop."""
    _raise_descriptor_limit()
    receive = dataclasses.replace(config.receive, **_ports_of_last_time(control.previous))
    receiver = Receiver(receive, config.journal, config.run_folder)
    try:
        listening = await receiver.start()
    except (StartError, AccessError, JournalError, OSError) as error:
        raise CannotStart(str(error)) from error
    control.on_reload = receiver.reload
    control.ready(**{name: place for name, place in dataclasses.asdict(listening).items() if place})
    await control.stopped.wait()
    await receiver.stop()


def _ports_of_last_time(previous: dict[str, Any]) -> dict[str, Any]:
    """A port that was chosen once stays, whatever becomes of the process."""
    return {name: Address(**place) for name, place in previous.items()}


def _raise_descriptor_limit() -> None:
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 1 << 16)), hard))
