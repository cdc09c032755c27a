"""Somebody's command as a child: its streams, its signals and its exit code are its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from types import FrameType, TracebackType
from typing import Any, Self

from taximeter_cli.options import Mistake

__all__ = ["Command"]

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126  # as a shell has it
_OF_SIGNALS = 128
_PATIENCE_S = 10.0
_FROM_TERMINALS = ("SIGINT", "SIGQUIT")
_FROM_PROCESSES = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM")


class Command:
    """A command that runs. While it does, signals to us are meant for it."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        self._words = list(words)
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        """Start it. Mistake, with a shell's exit code, if it cannot be."""
        for name in (*_FROM_TERMINALS, *_FROM_PROCESSES):
            if number := getattr(signal, name, None):  # Windows has two of them
                self._before[number] = signal.signal(number, self._pass_on)
        try:
            self._process = subprocess.Popen(self._words, env=self._environment)
        except OSError as error:
            self._give_signals_back()
            missing = isinstance(error, FileNotFoundError)
            code = _NOT_FOUND if missing else _NOT_EXECUTABLE
            said = "command not found" if missing else error.strerror
            raise Mistake(f"taximeter: {self._words[0]}: {said}", code) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.wait()
        self._give_signals_back()

    def wait(self) -> int:
        """Its exit code, as a shell would tell it: 128 and the signal's number if it was killed."""
        assert self._process
        code = self._process.wait()
        return code if code >= 0 else _OF_SIGNALS - code

    def stop(self) -> None:
        """Have it end: in its own way, or else in ours."""
        assert self._process
        if self._process.poll() is None:
            self._process.terminate()
            killer = threading.Timer(_PATIENCE_S, self._process.kill)
            killer.daemon = True
            killer.start()

    def _pass_on(self, number: int, _: FrameType | None) -> None:
        to_all = signal.Signals(number).name in _FROM_TERMINALS and _in_foreground()
        if not to_all and self._process and self._process.poll() is None:
            self._process.send_signal(number)

    def _give_signals_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _in_foreground() -> bool:
    """Whether a terminal's Ctrl-C has reached the command already, which is in one group with us."""
    if sys.platform == "win32":
        return True
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY)  # whatever stdin is
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
