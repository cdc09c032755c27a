"""A worker process: its configuration comes in on stdin, and so does the word to reload; at its end the worker stops.

That way it ends when its supervisor does, however that came about, on every operating system.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import logging
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

from taximeter_collector.configuration import Config
from taximeter_collector.telemetry.logs import configure_logs

__all__ = [
    "CANNOT_START",
    "RELOAD",
    "WORKERS",
    "CannotStart",
    "Control",
    "Order",
    "Work",
    "main",
    "module_of",
    "work_until_stopped",
]

CANNOT_START = 78  # EX_CONFIG: trying again without a change is of no use
RELOAD = b"r"
WORKERS = {
    "receiver": "taximeter_collector.receive.process",
    "lander": "taximeter_collector.land.process",
    "keeper": "taximeter_collector.lake.keeper",
    "telemetry": "taximeter_collector.telemetry.process",
}
_FORWARDERS = "forward-"  # and the name of the destination

_log = logging.getLogger("taximeter.supervise")


def module_of(worker: str) -> str:
    """Where a worker's `run` is.

    >>> module_of("forward-phoenix")
    'taximeter_collector.forward.process'
    """
    return "taximeter_collector.forward.process" if worker.startswith(_FORWARDERS) else WORKERS[worker]


class CannotStart(Exception):
    """What a person has to change first."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is told at its start; `previous` is what it said of itself when it was ready the last time."""

    config: Config
    previous: dict[str, Any]

    def encode(self) -> bytes:
        """For the worker's stdin."""
        data = pickle.dumps(self)
        return len(data).to_bytes(4, "big") + data

    @staticmethod
    def receive(stream: IO[bytes]) -> Order:
        """From our stdin. EOFError if the supervisor has gone."""
        order = pickle.loads(_exactly(stream, int.from_bytes(_exactly(stream, 4), "big")))
        assert isinstance(order, Order)
        return order


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = stream.read(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


@dataclass(slots=True)
class Control:
    """How a worker and its supervisor talk."""

    stream: IO[bytes]
    previous: dict[str, Any]
    name: str = ""
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    on_reload: Callable[[], object] = lambda: None
    on_ready: Callable[[], object] = lambda: None

    def ready(self, **facts: Any) -> None:
        """Tell the supervisor that the work has begun."""
        self.on_ready()
        print(json.dumps(facts), flush=True)  # noqa: T201 - stdout is the way to the supervisor

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Follow the supervisor's word until there is no supervisor any more."""

        def follow() -> None:
            while word := self.stream.read(1):
                if word == RELOAD:
                    loop.call_soon_threadsafe(lambda: self.on_reload())
            loop.call_soon_threadsafe(self.stopped.set)

        threading.Thread(target=follow, name="supervisor", daemon=True).start()


class Work(Protocol):
    """What blocks, and so has a thread of its own."""

    def run(self) -> None:
        """Until told to stop."""

    def stop(self) -> None:
        """Have `run` come to an end."""

    def reload(self) -> None:
        """Read again what may have changed."""


async def work_until_stopped(work: Work, control: Control) -> None:
    """Say that it begins, and do it until told to stop."""
    control.on_reload = work.reload
    control.ready()
    working = asyncio.create_task(asyncio.to_thread(work.run))
    stopping = asyncio.create_task(control.stopped.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    work.stop()
    stopping.cancel()
    await working


async def _run(name: str, order: Order, stream: IO[bytes]) -> int:
    loop = asyncio.get_running_loop()
    # What start-up made stays, a book of prices among it; garbage collections need not look at it again and again.
    control = Control(stream, order.previous, name, on_ready=gc.freeze)
    control.listen(loop)
    if sys.platform != "win32":
        loop.add_signal_handler(signal.SIGTERM, control.stopped.set)
    try:
        await importlib.import_module(module_of(name)).run(order.config, control)
    except CannotStart as error:
        print(json.dumps({"error": str(error)}), flush=True)  # noqa: T201
        return CANNOT_START
    return 0


def main() -> int:
    """Run the worker that the command line names."""
    name = sys.argv[1]
    # Unbuffered: a thread that waits in a buffered read has a lock, over which the interpreter would abort at its end.
    stream = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115 - for as long as we live
    try:
        order = Order.receive(stream)
    except EOFError:
        return 0
    if sys.platform == "win32":  # where the supervisor cannot keep it from us
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    configure_logs(order.config.log, name)
    return asyncio.run(_run(name, order, stream))
