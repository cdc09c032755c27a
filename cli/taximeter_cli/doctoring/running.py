"""The collector that runs on a data folder, if one does: where it listens, and which processes are its own."""

from __future__ import annotations

import socket
import ssl
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from taximeter_collector.configuration import Config
    from taximeter_collector.settings import Address

__all__ = ["Running", "ask", "is_listening", "listener", "running"]

_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Running:
    """What it has left for others."""

    pid: int
    http: str
    """Where it listens for plain HTTP, and asks nobody who they are; "" if nowhere."""

    def is_its_own(self, pid: int) -> bool:
        """Whether a process belongs to it."""
        with suppress(psutil.Error):
            return pid == self.pid or any(one.pid == pid for one in psutil.Process(self.pid).children(recursive=True))
        return False


def running(config: Config) -> Running | None:
    """The one that works on this data folder."""
    from taximeter_collector.forward.overview import is_running

    from taximeter_cli.running.standing import left_by

    if not is_running(config):
        return None
    left = left_by(config.run_folder)
    return Running(left.pid, left.http) if left else Running(0, "")


def ask(url: str) -> tuple[int, str]:
    """Status and text of a page; 0 and the reason if there is no answer."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_PATIENCE_S) as answer:
            return answer.status, answer.read(1 << 20).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read(1 << 12).decode("utf-8", "replace")
    except (OSError, ValueError, ssl.SSLError) as error:
        return 0, str(getattr(error, "reason", error))
    except Exception as error:  # whatever it is that answers, it is not HTTP
        return 0, type(error).__name__


def is_listening(place: Address) -> bool:
    """Whether somebody takes connections there."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(place.host, place.host)
    try:
        socket.create_connection((host, place.port), timeout=_PATIENCE_S).close()
    except OSError:
        return False
    return True


def listener(port: int) -> tuple[int | None, str]:
    """Who listens at a port: pid and name, as far as the system tells us."""
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.Error, OSError):  # macOS tells only root
        return None, ""
    for one in connections:
        if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port and one.pid:
            with suppress(psutil.Error):
                process = psutil.Process(one.pid)
                return one.pid, "taximeter" if "taximeter_collector" in " ".join(process.cmdline()) else process.name()
            return one.pid, ""
    return None, ""
