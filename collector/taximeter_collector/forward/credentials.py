"""What a destination is told of who we are: keys, headers, certificates. Read again on SIGHUP, never shown."""

from __future__ import annotations

import base64
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from taximeter_collector.forward.config import HEADER_NAME, Destination, pairs_of

__all__ = ["Credentials", "CredentialsError", "load"]


class CredentialsError(Exception):
    """A file that cannot be used; the sentence is for a person, and has nothing of its content."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Headers for each request, and what TLS needs, as PEM."""

    headers: dict[str, str] = field(repr=False)
    ca: bytes | None
    certificate: bytes | None
    key: bytes | None = field(repr=False)
    context: ssl.SSLContext | None
    """The same for HTTP."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What is in no header as it is, such as both parts of a key that is sent in base64."""

    def told(self, text: str) -> str:
        """A text for people without our secrets, which a backend may repeat in an error; the beginning of it."""
        sent = [part for name, value in self.headers.items() if name not in _PLAIN for part in _parts(value)]
        for secret in sorted({*sent, *self.secrets}, key=len, reverse=True):  # one may be a part of another
            text = text.replace(secret, "***") if len(secret) > 3 else text
        return text[:_MESSAGE_CHARACTERS]


_PLAIN = ("user-agent",)
_MESSAGE_CHARACTERS = 300


def _parts(value: str) -> tuple[str, str]:
    return value, value.partition(" ")[2]


def load(destination: Destination) -> Credentials:
    """All of it. CredentialsError for a file that cannot be read, or is not what it should be."""
    headers = dict(pairs_of(destination.headers)) | dict(pairs_of(destination.secret_headers))
    if destination.headers_file:
        headers |= _headers_of(destination.headers_file)
    if key := destination.key or (_text(destination.key_file).strip() if destination.key_file else ""):
        headers[destination.key_header.lower()] = _in_form(key, destination.key_form)
    for name, value in headers.items():
        if not HEADER_NAME.fullmatch(name):
            raise CredentialsError(f"{name!r} cannot be the name of a header")
        if any(ord(mark) < 32 or ord(mark) > 126 for mark in name + value):
            raise CredentialsError(f"the header {name} has characters in it that headers cannot have")
    ca, certificate, tls_key = (
        _bytes(file) if file else None
        for file in (destination.tls_ca, destination.tls_certificate, destination.tls_key)
    )
    secrets = (key, key.partition(":")[2])
    return Credentials(headers, ca, certificate, tls_key, _context(destination), secrets)


def _in_form(key: str, form: str) -> str:
    if form == "basic":
        return f"Basic {base64.b64encode(key.encode()).decode()}"
    return f"Bearer {key}" if form == "bearer" else key


def _headers_of(file: Path) -> dict[str, str]:
    found = {}
    for number, line in enumerate(_text(file).splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            name, colon, value = line.partition(":")
            if not colon or not name.strip():
                raise CredentialsError(f"{file}, line {number}: expected NAME: VALUE")
            found[name.strip().lower()] = value.strip()
    return found


def _context(destination: Destination) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(destination.tls_ca) if destination.tls_ca else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if destination.tls_certificate and destination.tls_key:
            # A key with a passphrase would be asked for at a terminal.
            context.load_cert_chain(destination.tls_certificate, destination.tls_key, password=lambda: "")
    except (ssl.SSLError, OSError) as error:
        raise CredentialsError(f"the certificates cannot be used: {error}") from error
    return context


def _text(file: Path) -> str:
    try:
        return _bytes(file).decode("utf-8")
    except UnicodeDecodeError as error:
        raise CredentialsError(f"{file} is not text") from error


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CredentialsError(f"{file} cannot be read: {error.strerror}") from error
