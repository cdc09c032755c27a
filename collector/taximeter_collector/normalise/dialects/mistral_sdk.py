"""The spans that Mistral's own SDK makes. It tells of no error, and of a stream only in an address."""

from __future__ import annotations

from taximeter_collector.normalise.dialect import Dialect, Each
from taximeter_collector.normalise.dialects._texts import host_of

__all__ = ["DIALECT"]


def _streamed(url: str) -> str:
    return "true" if url.endswith("#stream") else "false"


DIALECT = Dialect(
    name="mistral_sdk",
    scopes=["mistralai_sdk_tracer"],
    fields={
        "server_address": [Each("server.address", host_of)],
        "stream": ["gen_ai.request.stream", Each("http.url", _streamed)],
    },
    rank=20,
)
