"""All settings: from `taximeter.toml`, over it the environment, over it the command line; checked as a whole."""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from taximeter_collector.forward.config import Destination
from taximeter_collector.forward.sections import contradictions as destination_contradictions
from taximeter_collector.forward.sections import (
    destination_keys,
    known_names,
    name_problems,
    of_presets,
    of_variable,
    section_name,
)
from taximeter_collector.journal.config import JournalConfig
from taximeter_collector.journal.format import most_bytes
from taximeter_collector.lake.config import LakeConfig
from taximeter_collector.land.config import LandConfig
from taximeter_collector.receive.config import ReceiveConfig
from taximeter_collector.redact.config import RedactConfig
from taximeter_collector.settings import Setting, folder, of, setting
from taximeter_collector.telemetry.config import TelemetryConfig
from taximeter_collector.telemetry.logs import LogConfig

__all__ = ["Config", "ConfigError", "Configuration", "environment_name", "keys", "load"]

FILE_NAME = "taximeter.toml"


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting of the collector."""

    data: Path = setting(
        folder,
        platformdirs.user_data_dir("taximeter", appauthor=False),
        "The data folder: journal, lake, and what else is kept.",
    )
    receive: ReceiveConfig = field(default_factory=ReceiveConfig)
    journal: JournalConfig = field(default_factory=JournalConfig)
    lake: LakeConfig = field(default_factory=LakeConfig)
    land: LandConfig = field(default_factory=LandConfig)
    redact: RedactConfig = field(default_factory=RedactConfig)
    forward: Mapping[str, Destination] = field(default_factory=dict)
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)
    log: LogConfig = field(default_factory=LogConfig)

    @property
    def run_folder(self) -> Path:
        """What processes leave for each other while they run."""
        return self.data / "run"


class ConfigError(Exception):
    """Settings that cannot be used: all of them, each with its key, where it was found, and the reason."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings and where each came from, by key; what is not in `origins` is as it comes."""

    config: Config
    origins: Mapping[str, str]
    given: Config  # the same, with folders as they were written and not yet below `data`


@dataclass(frozen=True, slots=True)
class Key:
    """The name of a setting, and how it is found in `Config`."""

    name: str
    section: str
    field: str
    setting: Setting

    def value(self, config: Config) -> Any:
        """What it is set to."""
        if self.section.startswith("forward."):
            return getattr(config.forward[self.section.removeprefix("forward.")], self.field)
        return getattr(getattr(config, self.section) if self.section else config, self.field)


def keys(destinations: Iterable[str] = ()) -> dict[str, Key]:
    """All settings by name, in the order in which they are declared; those of `[forward.NAME]` for each name."""
    return {key.name: key for key in _keys(destinations)}


def _keys(destinations: Iterable[str]) -> Iterator[Key]:
    for top in dataclasses.fields(Config):
        if "setting" in top.metadata:
            yield Key(top.name, "", top.name, of(top))
        elif top.name == "forward":
            for name in destinations:
                for ending, (inner_name, declared) in destination_keys().items():
                    yield Key(f"{section_name(name)}.{ending}", section_name(name), inner_name, declared)
        else:
            assert isinstance(top.default_factory, type)
            for inner in dataclasses.fields(top.default_factory):
                declared = of(inner)
                name = inner.name.removesuffix("_s") if declared.kind.name == "duration" else inner.name
                yield Key(f"{top.name}.{name}", top.name, inner.name, declared)


_PREFIX = "TAXIMETER_"


def environment_name(key: str) -> str:
    """The variable for a setting.

    >>> environment_name("receive.http")
    'TAXIMETER_RECEIVE_HTTP'
    """
    return _PREFIX + key.upper().replace(".", "_").replace("-", "_")


_FILE_VARIABLE = f"{_PREFIX}CONFIG"
# What Kubernetes puts into every container beside a Service named taximeter-something, as NAME=VALUE.
_OF_KUBERNETES = re.compile(
    r"TAXIMETER_(.*_)?"
    r"(SERVICE_HOST=.*|SERVICE_PORT(_.*)?=\d+|PORT(_\d+_(TCP|UDP|SCTP))?=(tcp|udp|sctp)://.*"
    r"|PORT_\d+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR)=.*)"
)


@dataclass(frozen=True, slots=True)
class _Given:
    key: str
    value: Any
    origin: str


def load(
    flags: Mapping[str, str],
    environment: Mapping[str, str] = os.environ,
    file: Path | None = None,
    others: Iterable[str] = (),
) -> Configuration:
    """The settings that hold. ConfigError with everything that is wrong.

    `flags` are by key, as text. `others` are variables of our prefix that belong to someone else.
    """
    given: list[_Given] = []
    problems: list[str] = []
    path = _file(file, environment)
    if path:
        given += _of_file(path, problems)
    of_flags = [_Given(key, value, "command line") for key, value in flags.items()]
    destinations = known_names(one.key for one in [*given, *of_flags])
    given += _of_environment(environment, set(others), destinations, problems)
    given += of_flags
    destinations = known_names(one.key for one in given)
    problems += name_problems(destinations)
    given = [_Given(*one) for one in of_presets((one.key, one.value) for one in given)] + given
    known = keys(destinations)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for one in given:
        key = known.get(one.key)
        if key is None:
            if one.value != {} or one.key not in {section_name(name) for name in destinations}:
                problems.append(f"{one.key} ({one.origin}): unknown key{_suggestion(one.key, known)}")
        elif key.setting.secret and one.origin != "environment":
            problems.append(f"{one.key} ({one.origin}): a secret; set {environment_name(one.key)} instead")
        else:
            _read(key, one, values, origins, problems)
    if problems:
        raise ConfigError(problems)
    built = _build(known, values, destinations)
    config = _under_data(built)
    if problems := [*_contradictions(config), *destination_contradictions(config.forward)]:
        raise ConfigError(problems)
    return Configuration(config, origins, built)


def _read(key: Key, one: _Given, values: dict[str, Any], origins: dict[str, str], problems: list[str]) -> None:
    try:
        values[key.name] = key.setting.read(one.value)
        origins[key.name] = one.origin
    except (ValueError, TypeError) as error:
        shown = "***" if key.setting.secret else repr(one.value)
        problems.append(f"{one.key} = {shown} ({one.origin}): expected {error}")


def _file(file: Path | None, environment: Mapping[str, str]) -> Path | None:
    """The file to read: the one that is named, or the first that exists where one is looked for."""
    if file:
        return file
    if named := environment.get(_FILE_VARIABLE):
        return Path(named).expanduser()
    places = (Path(FILE_NAME), Path(platformdirs.user_config_dir("taximeter", appauthor=False)) / FILE_NAME)
    return next((place for place in places if place.is_file()), None)


def _of_file(path: Path, problems: list[str]) -> list[_Given]:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        problems.append(f"{path}: cannot be read: {error.strerror}")
        return []
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{path}: is not TOML: {error}")
        return []
    return [_Given(key, value, str(path)) for key, value in _flat(document)]


def _flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if isinstance(value, dict) and (value or prefix + name in _sections()):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _sections() -> set[str]:
    return {key.section for key in _keys(())}


def _of_environment(
    environment: Mapping[str, str], others: set[str], destinations: Iterable[str], problems: list[str]
) -> list[_Given]:
    by_variable = {environment_name(key): key for key in keys(destinations)}
    given = []
    for variable, value in environment.items():
        if variable in by_variable:
            given.append(_Given(by_variable[variable], value, "environment"))
        elif (
            variable.startswith(_PREFIX)
            and variable != _FILE_VARIABLE
            and variable not in others
            and not _OF_KUBERNETES.fullmatch(f"{variable}={value}")
        ):
            if key := of_variable(variable.removeprefix(_PREFIX)):  # a destination that is named nowhere else
                given.append(_Given(key, value, "environment"))
                continue
            problems.append(f"{variable} (environment): unknown variable{_suggestion(variable, by_variable, _PREFIX)}")
    return given


def _suggestion(name: str, known: Iterable[str], prefix: str = "") -> str:
    """What may have been meant. A prefix that all have in common says nothing of that."""
    close = difflib.get_close_matches(name.removeprefix(prefix), [one.removeprefix(prefix) for one in known], 1, 0.6)
    return f"; did you mean {prefix}{close[0]}?" if close else ""


def _build(known: Mapping[str, Key], values: Mapping[str, Any], destinations: Iterable[str]) -> Config:
    sections: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        sections.setdefault(known[name].section, {})[known[name].field] = value
    top = sections.pop("", {})
    forward = {name: Destination(**sections.pop(section_name(name), {})) for name in destinations}
    plain = Config()
    built = {name: dataclasses.replace(getattr(plain, name), **fields) for name, fields in sections.items()}
    return dataclasses.replace(plain, **top, **built, forward=forward)


def _under_data(config: Config) -> Config:
    data = config.data.absolute()
    return dataclasses.replace(
        config,
        data=data,
        journal=dataclasses.replace(config.journal, dir=data / config.journal.dir),
        lake=dataclasses.replace(config.lake, dir=data / config.lake.dir),
    )


_ENDPOINT = re.compile(r"https?://[^/\s]+")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\*\.)?[^*?/\s]+(:\*)?")


def _contradictions(config: Config) -> Iterator[str]:
    """Settings that are right one by one, and wrong together."""
    receive = config.receive
    if not receive.http and not receive.grpc:
        yield "receive.http, receive.grpc: both are off, so nothing could be received"
    authenticated = receive.tokens or receive.token_file or receive.tls_client_ca
    for key, place in (("receive.http", receive.http), ("receive.grpc", receive.grpc)):
        if place and not place.is_loopback and not authenticated and not receive.allow_unauthenticated:
            yield (
                f"{key} = '{place}': other machines could send without being asked who they are. "
                "Set receive.token_file "
                "or receive.tls_client_ca; or receive.allow_unauthenticated = true if the network is closed"
            )
    if receive.tls_certificate and not receive.tls_key:
        yield "receive.tls_certificate: needs receive.tls_key, too"
    if not receive.tls_certificate and (receive.tls_key or receive.tls_client_ca):
        yield "receive.tls_key, receive.tls_client_ca: need receive.tls_certificate, too"
    for origin in receive.cors_origins:
        if not _ORIGIN.fullmatch(origin):
            yield (
                f"receive.cors_origins: {origin!r} is no origin, or would let every page on the web send; "
                "expected such as 'https://app.example.com' or 'https://*.example.com'"
            )
    if receive.memory < max(receive.max_request, receive.max_json_request):
        yield "receive.memory: must be at least receive.max_request and receive.max_json_request"
    if config.journal.max_size < config.journal.segment_size * 2:
        yield "journal.max_size: must be at least twice journal.segment_size"
    if config.journal.max_size < most_bytes(receive.max_request):
        yield "journal.max_size: must be a third more than receive.max_request, or the largest request would never fit"
    if config.telemetry.otlp_endpoint and not _ENDPOINT.match(config.telemetry.otlp_endpoint):
        yield (
            f"telemetry.otlp_endpoint = {config.telemetry.otlp_endpoint!r}: "
            "expected a URL such as 'http://localhost:4318'"
        )
    if not config.telemetry.otlp_endpoint and config.telemetry.otlp_headers:
        yield "telemetry.otlp_headers: needs telemetry.otlp_endpoint"
