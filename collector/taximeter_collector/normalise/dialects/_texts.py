"""Texts that several dialects have to read: addresses, answers as JSON, and counts in what Python prints."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

__all__ = ["answer_ids", "found", "host_of"]

# A model's own words are inside JSON strings, where quotes are escaped: none of these is found in them.
_IDS = (
    r'^\s*\{\s*"(?:id|response_id|responseId)"\s*:\s*"(?P<id>[^"\\]{1,200})"',
    r'"id"\s*:\s*"(?P<id>(?:chatcmpl-|cmpl-|resp_|msg_|gen-|emb-)[^"\\]{1,200})"',
    r'"(?:response_id|responseId)"\s*:\s*"(?P<id>[^"\\]{1,200})"',
)


def answer_ids(answers: pa.Array) -> pa.Array:
    """The providers' names for their answers, where these are kept as JSON; NULL where there is none.

    >>> answer_ids(pa.array(['{"id":"chatcmpl-1"}', '{"choices": [], "id": "resp_2"}', None])).to_pylist()
    ['chatcmpl-1', 'resp_2', None]
    """
    return pc.coalesce(*(pc.struct_field(pc.extract_regex(answers, pattern), "id") for pattern in _IDS))


def host_of(address: str) -> str | None:
    """Of a URL, or a host with a port, the host.

    >>> host_of("http://127.0.0.1:8080/v1/"), host_of("127.0.0.1:8080"), host_of("api.openai.com")
    ('127.0.0.1', '127.0.0.1', 'api.openai.com')
    """
    try:
        return urlsplit(address if "//" in address else f"//{address}").hostname
    except ValueError:
        return None


def found(pattern: str) -> Callable[[str], str | None]:
    """A function that gives the first group of a pattern, or None.

    >>> found("'cached_tokens': (\\\\d+)")("{'cached_tokens': 100}")
    '100'
    """
    compiled = re.compile(pattern)

    def read(text: str) -> str | None:
        match = compiled.search(text)
        return match[1] if match else None

    return read
