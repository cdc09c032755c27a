"""What must not be shown: secrets, and in a bundle also whose machine it is."""

from __future__ import annotations

import getpass
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from taximeter_cli.doctoring.subject import Subject

__all__ = ["MASK", "Masking"]

MASK = "***"
_SHORTEST = 4  # what is shorter is no secret, and stands in many a word
_SECRET_NAME = re.compile(r"key|token|secret|passw|passphrase|credential|auth|headers|cookie|dsn|_pat$", re.IGNORECASE)
_IN_URLS = re.compile(r"(?<=://)[^\s/@?#\"'<>]+@")
_QUERY = re.compile(r"(?P<begin>\w://[^\s?\"'<>]*\?)[^\s\"'<>]+")
_NAMED = re.compile(
    r"(?i)(?P<name>[\w-]*(?:api[_-]?key|token|secret|password|authorization)[\w-]*(?<!_file)[\"']?\s*[=:]\s*[\"']?)"
    r"(?!\*\*\*|[\d.]+\b)(?:(?:bearer|basic)[\s%20]+)?[^\s\"',;&}]{4,}"
)
_PATTERNS = ("api-key", "authorization", "jwt", "private-key", "url-password")


class Masking:
    """Takes out of texts what is secret; `paths`: and the names of users in paths, too."""

    def __init__(self, subject: Subject, *, paths: bool = False) -> None:
        self._secrets = sorted({*_secrets(subject)}, key=len, reverse=True)
        self._paths = paths

    def text(self, text: str) -> str:
        """The text without them."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        text = _QUERY.sub(rf"\g<begin>{MASK}", _IN_URLS.sub(f"{MASK}@", text))
        text = _NAMED.sub(rf"\g<name>{MASK}", self._patterns.text(text))
        return self._without_names(text) if self._paths else text

    def value(self, value: Any) -> Any:
        """What JSON can say, with all texts in it, keys too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(one) for one in value]
        return value

    @cached_property
    def _patterns(self) -> Any:
        from taximeter_collector.redact import Redaction
        from taximeter_collector.redact.config import RedactConfig

        return Redaction.of(RedactConfig(patterns=_PATTERNS))

    def _without_names(self, text: str) -> str:
        home = Path.home()
        text = text.replace(str(home), "~") if home != Path(home.anchor) else text
        text = re.sub(r"(/home/|/Users/|\\Users\\)[^/\\\s\"']+", r"\1USER", text)
        with suppress(OSError, KeyError, ImportError):
            name = getpass.getuser()
            text = re.sub(rf"(?<=[/\\]){re.escape(name)}(?=[/\\]|\b)", "USER", text) if name != "root" else text
        return text


def _secrets(subject: Subject) -> Iterator[str]:
    """Values that are secret, as they are and as they may be written."""
    for secret in (*_of_environment(subject.environment), *_of_settings(subject)):
        for written in (secret, quote(secret, safe=""), unquote(secret), json.dumps(secret)[1:-1]):
            if len(written) >= _SHORTEST:
                yield written


def _of_environment(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        if _SECRET_NAME.search(name):
            yield value.strip()
            # NAME=VALUE,NAME=VALUE: the values, and without the word that says what kind of credentials they are
            for part in re.split(r"[,\n]", value) if "=" in value else ():
                said = part.partition("=")[2].strip()
                yield from (said, unquote(said).removeprefix("Bearer ").removeprefix("Basic "))
        if password := re.search(r"://[^\s/@]*?:([^\s/@]+)@", value):
            yield password[1]


def _of_settings(subject: Subject) -> Iterator[str]:
    """Of settings that are secret, and in the files that settings name for secrets."""
    if subject.configuration is None:
        return
    config = subject.configuration.config
    yield from (token for _, token in config.receive.tokens)
    files = [config.receive.token_file]
    for destination in config.forward.values():
        yield destination.key
        yield from (header.partition("=")[2].strip() for header in destination.secret_headers)
        files += [destination.key_file, destination.headers_file]
    for file in filter(None, files):
        with suppress(OSError, UnicodeDecodeError):
            for line in file.read_text("utf-8").splitlines():
                yield line.strip()
                yield from re.split(r"[\s:=]+", line.strip())[1:]
