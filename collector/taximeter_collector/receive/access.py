"""Who may send: bearer tokens and certificates. Both are read again on SIGHUP; what cannot be read leaves the old."""

from __future__ import annotations

import hmac
import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from taximeter_collector.receive.config import ReceiveConfig
from taximeter_collector.receive.refusals import Reason, Refused

__all__ = ["AccessError", "Identity", "Tokens", "load_identity"]


_TOKEN = re.compile(r"[!-~]+")


class AccessError(Exception):
    """A token file or a certificate cannot be used."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Names and their bearer tokens. With none at all, everyone may send."""

    by_name: tuple[tuple[str, bytes], ...] = ()

    @classmethod
    def load(cls, config: ReceiveConfig) -> Tokens:
        """Those of the environment, and those of the file. AccessError if the file is not what it should be."""
        pairs = [*config.tokens, *(_read_tokens(config.token_file) if config.token_file else ())]
        names = [name for name, _ in pairs]
        if unusable := [name for name, token in pairs if not _TOKEN.fullmatch(token)]:
            raise AccessError(f"the token named {unusable[0]} cannot be sent in a header: use visible ASCII characters")
        if twice := {name for name in names if names.count(name) > 1}:
            raise AccessError(f"more than one token is named {', '.join(sorted(twice))}")
        return cls(tuple((name, token.encode()) for name, token in pairs))

    def sender_of(self, authorization: str | None) -> str:
        """The name of the token in this header. Takes the same time whatever is wrong with it."""
        if not self.by_name:
            return ""
        scheme, _, given = (authorization or "").partition(" ")
        token = given.strip().encode(errors="replace")
        sender = ""
        for name, known in self.by_name:
            if hmac.compare_digest(known, token):
                sender = name
        if not sender or scheme.lower() != "bearer":
            raise Refused(Reason.UNAUTHENTICATED, "a valid token is needed: send `Authorization: Bearer TOKEN`")
        return sender


def _read_tokens(path: Path) -> Iterable[tuple[str, str]]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise AccessError(f"cannot read the token file {path}: {error}") from error
    pairs = []
    for number, line in enumerate(lines, 1):
        parts = line.split()
        if parts and not parts[0].startswith("#"):
            if len(parts) != 2:
                raise AccessError(f"{path}, line {number}: expected `NAME TOKEN`")
            pairs.append((parts[0], parts[1]))
    if not pairs:
        raise AccessError(f"{path} has no token in it, and would let everyone in")
    return pairs


@dataclass(frozen=True, slots=True)
class Identity:
    """Our certificate and key, and who signs those of clients."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None
    context: ssl.SSLContext


def load_identity(config: ReceiveConfig) -> Identity | None:
    """What TLS needs, as it is in the files now; None without TLS. AccessError for what does not fit together."""
    if not config.tls_certificate:
        if config.tls_key or config.tls_client_ca:
            raise AccessError("receive.tls_key and receive.tls_client_ca need receive.tls_certificate")
        return None
    if not config.tls_key:
        raise AccessError("receive.tls_certificate needs receive.tls_key")
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(config.tls_certificate, config.tls_key, password=_no_password)
        if config.tls_client_ca:
            context.load_verify_locations(config.tls_client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return Identity(
            config.tls_certificate.read_bytes(),
            config.tls_key.read_bytes(),
            config.tls_client_ca.read_bytes() if config.tls_client_ca else None,
            context,
        )
    except (OSError, ssl.SSLError, ValueError) as error:
        raise AccessError(f"the certificate, its key or the clients' CA cannot be used: {error}") from error


def _no_password() -> str:
    """OpenSSL would ask for it on the terminal, and wait."""
    raise ValueError("the key is encrypted, and nobody is here to type its password")
