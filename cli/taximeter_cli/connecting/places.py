"""Where things are: the collector that is meant, and a tool's own file."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from taximeter_cli.connecting.tool import SettingsFile
from taximeter_cli.options import Mistake
from taximeter_cli.running.lease import OF_RUNS
from taximeter_cli.running.standing import Left, left_by

if TYPE_CHECKING:
    from taximeter_collector.configuration import Config

__all__ = ["Place", "file_of", "place_of"]

_SIGNALS = ("traces", "metrics", "logs")


@dataclass(frozen=True, slots=True)
class Place:
    """A collector as senders see it."""

    http: str
    whence: str
    """Who says that it is there: `--endpoint`, a collector that runs, or the settings."""
    token: str = ""
    runs: bool = False
    """Whether a collector runs on the data folder that is meant."""
    wants_token: bool = False

    @property
    def words(self) -> dict[str, str]:
        """What stands for it in texts."""
        signals = {signal: f"{self.http}/v1/{signal}" for signal in _SIGNALS}
        return {"http": self.http, "host": urlsplit(self.http).netloc, "token": self.token, **signals}

    def filled(self, value: Any) -> Any:
        """A text, or texts in dictionaries, with this collector in it."""
        if isinstance(value, str):
            return re.sub(r"\{(\w+)\}", lambda found: self.words.get(found[1], found[0]), value)
        if isinstance(value, Mapping):
            return {key: self.filled(one) for key, one in value.items()}
        return value


def place_of(config: Config, endpoint: str | None, token: str = "") -> Place:
    """The collector that is named; else the one that runs on the data folder; else the one that the settings mean."""
    left = _running(config)
    runs = left is not None
    if endpoint:
        return Place(_checked(endpoint), "--endpoint", token, runs)
    receive = config.receive
    asks = bool(receive.tokens or receive.token_file)
    if left and left.http:
        return Place(left.http, "the collector that runs", token, runs=True)
    scheme = "https" if receive.tls_certificate else "http"
    return Place(f"{scheme}://{_reachable(config)}", "the settings", token, runs, asks)


def _running(config: Config) -> Left | None:
    """What a collector that runs has left, unless it is one of `taximeter run`, which ends soon."""
    from taximeter_collector.forward.overview import is_running

    if not is_running(config) or (config.run_folder / OF_RUNS).exists():
        return None
    return left_by(config.run_folder)


def _reachable(config: Config) -> str:
    """Where this machine reaches a collector that is set to listen so."""
    address = config.receive.http
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(address.host, address.host) if address else "127.0.0.1"
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{host}:{(address.port if address else 0) or 4318}"


def _checked(endpoint: str) -> str:
    place = urlsplit(endpoint)
    if place.scheme not in ("http", "https") or not place.netloc or place.query or place.fragment:
        raise Mistake(
            f"taximeter: --endpoint {endpoint}: expected the address of OTLP/HTTP, such as http://localhost:4318"
        )
    bare = endpoint.rstrip("/")
    for signal in _SIGNALS:
        bare = bare.removesuffix(f"/v1/{signal}")
    return bare


def file_of(file: SettingsFile, environment: Mapping[str, str], platform: str = sys.platform) -> Path:
    """A tool's own file of this user, on this platform."""
    named = file.variable and environment.get(file.variable)
    if named:
        return Path(named).expanduser() / file.below / file.name
    folder = file.by_platform.get(platform, file.folder)
    home = environment.get("USERPROFILE" if platform == "win32" else "HOME") or str(Path.home())
    known = {
        "APPDATA": environment.get("APPDATA") or str(Path(home, "AppData", "Roaming")),
        "XDG_CONFIG_HOME": environment.get("XDG_CONFIG_HOME") or str(Path(home, ".config")),
    }
    for name, path in known.items():
        folder = folder.replace(f"${name}", path)
    return Path(home + folder[1:] if folder.startswith("~") else folder) / file.name
