"""Settings as they are declared: a notation, a default, a sentence; and how one is read from text or TOML."""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Callable
from dataclasses import Field, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

__all__ = [
    "Address",
    "Kind",
    "Setting",
    "address",
    "choice",
    "count",
    "duration",
    "file",
    "flag",
    "folder",
    "names",
    "of",
    "secrets",
    "setting",
    "size",
    "text",
]


@dataclass(frozen=True, slots=True)
class Kind:
    """A notation: `read` takes text (or what TOML has for it) to a value and back it goes with `write`."""

    name: str
    read: Callable[[Any], Any]
    write: Callable[[Any], Any] = lambda value: value


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known of one setting."""

    kind: Kind
    default: Any
    sentence: str
    at_least: float | None = None
    at_most: float | None = None
    secret: bool = False

    def read(self, value: Any) -> Any:
        """The value meant. ValueError, as a phrase that follows 'expected', for what cannot be meant."""
        result = self.kind.read(value)
        if self.at_least is not None and result < self.at_least:
            raise ValueError(f"at least {self.kind.write(type(result)(self.at_least))}")
        if self.at_most is not None and result > self.at_most:
            raise ValueError(f"at most {self.kind.write(type(result)(self.at_most))}")
        return result


def setting(kind: Kind, default: Any, sentence: str, **more: Any) -> Any:
    """Declare a field of a `Config` as a setting."""
    declared = Setting(kind, default, sentence, **more)
    return field(
        default_factory=lambda: declared.read(default), metadata={"setting": declared}, repr=not declared.secret
    )


def of(declared: Field[Any]) -> Setting:
    """The setting that a field was declared as."""
    found = declared.metadata["setting"]
    assert isinstance(found, Setting)
    return found


@dataclass(frozen=True, slots=True)
class Address:
    """A place to listen.

    >>> str(Address("::1", 4318))
    '[::1]:4318'
    """

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


_SIZES = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
    "tib": 1 << 40,
}
_DURATIONS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NUMBER = re.compile(r"\s*(\d{1,18}(?:\.\d{1,40})?)\s*([a-zA-Z]*)\s*", re.ASCII)


def _read_size(value: Any) -> int:
    match = _NUMBER.fullmatch(str(value))
    if isinstance(value, bool) or not match or match[2].lower() not in _SIZES:
        raise ValueError("a size such as '64MiB'")
    return int(Decimal(match[1]) * _SIZES[match[2].lower()])


def _write_size(value: int) -> str:
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if value and value % _SIZES[unit.lower()] == 0:
            return f"{value // _SIZES[unit.lower()]}{unit}"
    return f"{value}B"


def _read_duration(value: Any) -> float:
    match = _NUMBER.fullmatch(str(value))
    if isinstance(value, bool) or not match or match[2] not in _DURATIONS:
        raise ValueError("a duration with its unit, such as '30s' or '7d'")
    return float(match[1]) * _DURATIONS[match[2]]


def _write_duration(value: float) -> str:
    for unit in ("d", "h", "m"):
        if value and value % _DURATIONS[unit] == 0:
            return f"{value / _DURATIONS[unit]:.0f}{unit}"
    return f"{Decimal(repr(value)).normalize():f}s"  # exact, and never with an exponent


def _read_count(value: Any) -> int:
    if isinstance(value, bool) or not str(value).strip().isdecimal():
        raise ValueError("a whole number")
    return int(value)


def _read_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("text")
    return value.strip()


def _read_flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).strip().lower() in ("1", "true", "yes", "on"):
        return True
    if str(value).strip().lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError("true or false")


_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.%]+)\]|(?P<host>[^:\[\]]*)):(?P<port>\d{1,5})")


def _read_address(value: Any) -> Address | None:
    if value is False or str(value).strip().lower() == "off":
        return None
    match = _ADDRESS.fullmatch(str(value).strip())
    if not match or int(match["port"]) > 65535:
        raise ValueError("HOST:PORT such as '127.0.0.1:4318', or 'off'")
    return Address(match["six"] or match["host"] or "0.0.0.0", int(match["port"]))


def _items(text: str) -> Any:
    """With commas between, or as TOML has a list."""
    if text.strip().startswith("["):
        try:
            return tomllib.loads(f"list = {text}")["list"]
        except tomllib.TOMLDecodeError:
            raise ValueError('a list: a,b or ["a", "b"]') from None
    return text.split(",")


def _read_names(value: Any) -> tuple[str, ...]:
    items = _items(value) if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ValueError("a list of texts")
    return tuple(item.strip() for item in items if item.strip())


def _read_secrets(value: Any) -> tuple[tuple[str, str], ...]:
    pairs = [tuple(part.strip() for part in item.split("=", 1)) for item in str(value).split(",") if item.strip()]
    if any(len(pair) != 2 or not all(pair) for pair in pairs) or len({pair[0] for pair in pairs}) < len(pairs):
        raise ValueError("NAME=TOKEN,NAME=TOKEN with a different name for each")
    return tuple((pair[0], pair[1]) for pair in pairs)


size = Kind("size", _read_size, _write_size)
duration = Kind("duration", _read_duration, _write_duration)
text = Kind("text", _read_text)
flag = Kind("flag", _read_flag)
address = Kind("address", _read_address, lambda value: "off" if value is None else str(value))
count = Kind("count", _read_count)
file = Kind(
    "path", lambda value: Path(_read_text(value)).expanduser() if value else None, lambda value: str(value or "")
)
folder = Kind("path", lambda value: Path(_read_text(value)).expanduser(), str)
names = Kind("list", _read_names, list)
secrets = Kind("secrets", _read_secrets, lambda value: ",".join(f"{name}=***" for name, _ in value))


def choice(*values: str) -> Kind:
    """One of these words."""

    def read(value: Any) -> str:
        if value not in values:
            raise ValueError(" or ".join(repr(known) for known in values))
        return str(value)

    return Kind("choice", read)
