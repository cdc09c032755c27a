"""The supervisor: starts workers, starts again what dies, and stops all of them. It does no work of its own."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from taximeter_collector.configuration import Config
from taximeter_collector.journal.files import LockTaken, lock
from taximeter_collector.supervise.worker import CANNOT_START, RELOAD, Order
from taximeter_collector.telemetry.exposition import publish
from taximeter_collector.telemetry.metrics import PROCESS_RESTARTS, Registry

__all__ = ["PLACES", "Supervisor"]

PLACES = "places"
"""In the run folder: where a collector listens, for as long as it does."""

_log = logging.getLogger("taximeter.supervise")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 30.0
_LIVED_S = 60.0  # a worker that lived this long may be started again at once
_PUBLISH_S = 5.0
# glibc would give the memory of each large request back to the system and fetch it anew for the next, which costs a
# twentieth of the rate (`MALLOC_TRIM_THRESHOLD_=131072 python bench/collector.py`), and keep an arena for each of the
# threads of gRPC, in which large messages leave their memory behind. Other systems do not know these variables. Arrow
# has an allocator of its own, and two that each keep what is free take 100 MB more (`python bench/lander.py`).
_ALLOCATION = {
    "MALLOC_TRIM_THRESHOLD_": str(32 << 20),
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),  # more than this is ignored
    "MALLOC_ARENA_MAX": "2",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
_LOCK_TRIES, _LOCK_PAUSE_S = 5, 0.05
_KILL_AFTER_S = 10.0  # beyond the time that draining may take


@dataclass(slots=True)
class _Worker:
    name: str
    process: asyncio.subprocess.Process | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    was_ready: bool = False
    error: str = ""


class Supervisor:
    """Keeps workers running. `ready` is called once, when all have begun, with what each said of itself."""

    def __init__(self, config: Config, workers: list[str], ready: Callable[[dict[str, dict[str, Any]]], None]) -> None:
        self._config = config
        self._workers = [_Worker(name) for name in workers]
        self._ready = ready
        self._told = False
        self._stopping = asyncio.Event()
        self._registry = Registry()
        self._places = config.run_folder / PLACES

    async def run(self) -> str:
        """Until SIGTERM or SIGINT. The reason, if it was none of these but a worker that cannot start."""
        self._follow_signals()
        try:
            held = self._take_run_folder()
        except OSError as error:
            return str(error)
        with held:
            try:
                return await self._run()
            finally:
                self._places.unlink(missing_ok=True)  # nobody may take it for what listens there later
                self._follow_no_more()

    async def _run(self) -> str:
        tasks = [asyncio.create_task(self._keep(worker)) for worker in self._workers]
        for task in tasks:
            task.add_done_callback(lambda _: self.stop())  # a worker that nobody keeps would die unnoticed
        publishing = asyncio.create_task(self._publish())
        await self._stopping.wait()
        await self._stop_all()
        publishing.cancel()
        for worker, ended in zip(self._workers, await asyncio.gather(*tasks, return_exceptions=True), strict=True):
            if isinstance(ended, Exception):
                worker.error = worker.error or f"the {worker.name} could not be kept running: {ended!r}"
        return next((worker.error for worker in self._workers if worker.error), "")

    def stop(self) -> None:
        """Begin to end."""
        self._stopping.set()

    def reload(self) -> None:
        """Have the workers read tokens and certificates again."""
        for worker in self._workers:
            _tell(worker, RELOAD)

    def _take_run_folder(self) -> IO[bytes]:
        """Make the folder ours for as long as the file is open, and empty it."""
        folder = self._config.run_folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(f"cannot use the data folder {self._config.data}: {error.strerror}") from error
        try:
            held = _lock(folder / "lock")
        except LockTaken as error:
            raise LockTaken(
                f"another collector uses the data folder {self._config.data}: stop it, or give this one another --data"
            ) from error
        for file in (*folder.glob("*.json"), self._places):
            file.unlink(missing_ok=True)  # of processes that are no more
        return held

    def _follow_signals(self) -> None:
        loop = asyncio.get_running_loop()
        if sys.platform == "win32":
            signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(self.stop))
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self.reload)

    def _follow_no_more(self) -> None:
        """Everything has ended, and what comes now must not end the interpreter by force while it tidies up."""
        if sys.platform == "win32":
            return
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)  # for a moment, each has the effect that it has by default
        for number in numbers:
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)

    async def _keep(self, worker: _Worker) -> None:
        """Run one worker for as long as we run."""
        pause = _FIRST_PAUSE_S
        while not self._stopping.is_set():
            started = time.monotonic()
            code = await self._run_once(worker)
            if self._stopping.is_set():
                return
            if not worker.was_ready and code > 0:  # it ended by itself, and has never worked
                worker.error = worker.error or f"the {worker.name} could not start; what it said is in the log"
                self._stopping.set()
                return
            pause = _FIRST_PAUSE_S if time.monotonic() - started > _LIVED_S else min(pause * 2, _LONGEST_PAUSE_S)
            wait = pause * random.uniform(0.75, 1.25)
            self._registry.add(PROCESS_RESTARTS, 1, worker.name)
            publish(self._registry, self._config.run_folder, "supervisor")
            _log.error(
                "a process died and is started again",
                extra={"worker": worker.name, "reason": worker.error or _ending(code), "in_s": round(wait, 2)},
            )
            worker.error = ""
            try:
                await asyncio.wait_for(self._stopping.wait(), wait)
            except TimeoutError:
                continue

    async def _run_once(self, worker: _Worker) -> int:
        try:
            with _signals_held():
                process = worker.process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-P",  # nothing is imported from the folder that we happen to be started in
                    "-m",
                    "taximeter_collector.supervise",
                    worker.name,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    env=_ALLOCATION | os.environ,
                )
        except OSError as error:  # no process or no memory can be had at this moment
            worker.error = str(error)
            return CANNOT_START
        _tell(worker, Order(self._config, worker.facts).encode())
        if self._stopping.is_set():  # while it was being started, when nobody else could tell it
            _dismiss(process)
        assert process.stdout
        async for line in process.stdout:
            try:
                self._hear(worker, json.loads(line))
            except ValueError:  # a library that prints
                _log.warning("a process printed something", extra={"worker": worker.name, "text": line[:200].decode()})
        return await process.wait()

    def _hear(self, worker: _Worker, facts: dict[str, Any]) -> None:
        if "error" in facts:
            worker.error = facts["error"]
            return
        worker.facts = facts
        worker.was_ready = True
        if not self._told and all(one.was_ready for one in self._workers):
            self._told = True
            self._ready({one.name: one.facts for one in self._workers})

    async def _stop_all(self) -> None:
        """Tell all to end, the first of them first: what it still receives, the others are there to land."""
        processes = [worker.process for worker in self._workers if worker.process]
        draining = [one.drain_timeout_s for one in self._config.forward.values()]
        patience = max(self._config.receive.drain_timeout_s * 2, *draining, 0) + _KILL_AFTER_S
        await _end(processes[:1], patience)
        await _end(processes[1:], patience)

    async def _publish(self) -> None:
        while True:
            publish(self._registry, self._config.run_folder, "supervisor")
            await asyncio.sleep(_PUBLISH_S)


def _lock(file: Path) -> IO[bytes]:
    """Those who only look whether a collector runs hold it for an instant, too."""
    for _ in range(_LOCK_TRIES):
        try:
            return lock(file)
        except LockTaken:
            time.sleep(_LOCK_PAUSE_S)
    return lock(file)


@contextmanager
def _signals_held() -> Iterator[None]:
    """What a terminal sends to all its processes is for us alone: one that is begun meanwhile never gets it."""
    if sys.platform == "win32":
        yield
        return
    of_terminals = {signal.SIGINT, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, of_terminals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, of_terminals)


def _ending(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


async def _end(processes: list[asyncio.subprocess.Process], patience_s: float) -> None:
    """Tell these to end; kill what does not."""
    for process in processes:
        _dismiss(process)
    try:
        await asyncio.wait_for(asyncio.gather(*(process.wait() for process in processes)), patience_s)
    except TimeoutError:
        for process in processes:
            if process.returncode is None:
                _log.error("a process did not end by itself", extra={"pid": process.pid})
                process.kill()


def _dismiss(process: asyncio.subprocess.Process) -> None:
    if process.stdin:
        process.stdin.close()


def _tell(worker: _Worker, message: bytes) -> None:
    process = worker.process
    if process and process.returncode is None and process.stdin and not process.stdin.is_closing():
        process.stdin.write(message)
