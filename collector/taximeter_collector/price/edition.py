"""Newer prices than those that came with the package: fetched when asked for, kept in the data folder, then used.

Every edition is kept under its name, so that a `price_id` of last year still leads to the figures that it names.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import time
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from genai_prices.types import Provider
from genai_prices.update_prices import DEFAULT_UPDATE_URL

from taximeter_collector.price.genai import GenaiPrices

__all__ = ["DEFAULT_UPDATE_URL", "FOLDER", "UpdateError", "fetch", "newest", "read"]

FOLDER = "prices"
_NAME = "genai-prices-"
_LARGEST_BYTES = 50 << 20  # it has 2 MB
_TIMEOUT_S = 30.0


class UpdateError(Exception):
    """Prices that could not be fetched or used, in a sentence."""


def fetch(data: Path, url: str = DEFAULT_UPDATE_URL) -> GenaiPrices:
    """Fetch the newest prices and keep them; UpdateError, and nothing changed, if that is not possible."""
    content = _download(url)
    prices = read(content, "checked")
    day = time.strftime("%Y-%m-%d", time.gmtime())
    name = f"{day}.{hashlib.sha256(content).hexdigest()[:8]}"
    folder = data / FOLDER
    document = {"edition": name, "url": url, "package": installed_version("genai-prices"), "data": json.loads(content)}
    packed = lzma.compress(json.dumps(document, separators=(",", ":")).encode())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{name}.partial"
        partial.write_bytes(packed)
        partial.replace(folder / f"{_NAME}{name}.json.xz")
    except OSError as error:
        raise UpdateError(f"cannot write below {folder}: {error.strerror}") from error
    return GenaiPrices(prices.providers, name)


def newest(data: Path, problems: list[str]) -> GenaiPrices | None:
    """The newest edition of a data folder, unless the installed package has come after it."""
    for path in sorted((data / FOLDER).glob(f"{_NAME}*.json.xz"), key=_age):
        try:
            document = json.loads(lzma.decompress(path.read_bytes()))
            if document["package"] != installed_version("genai-prices"):
                return None
            return read(json.dumps(document["data"]).encode(), document["edition"])
        except (OSError, lzma.LZMAError, ValueError, KeyError, TypeError, UpdateError) as error:
            problems.append(f"{path}: not used: {error}")
    return None


def _age(path: Path) -> float:
    return -path.stat().st_mtime


def read(content: bytes, edition: str) -> GenaiPrices:
    """Prices from what genai-prices publishes; UpdateError if they are not such, or say nothing."""
    # The library reads its own format with this, and offers it only together with its own download.
    from genai_prices.types import _providers_from_raw

    try:
        raw: Any = json.loads(content)
        providers: list[Provider] = _providers_from_raw(raw) if isinstance(raw, list) else []
    except (ValueError, RecursionError, AssertionError, TypeError) as error:
        raise UpdateError(f"not the price data that was expected: {str(error).splitlines()[0]}") from error
    if not any(model.prices for provider in providers for model in provider.models):
        raise UpdateError("not the price data that was expected: there is not one price in it")
    return GenaiPrices(providers, edition)


def _download(url: str) -> bytes:
    import httpx2

    try:
        with httpx2.stream("GET", url, timeout=_TIMEOUT_S, follow_redirects=True) as response:
            if response.status_code != 200:
                raise UpdateError(f"{url} answered {response.status_code}")
            content = b""
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > _LARGEST_BYTES:
                    raise UpdateError(f"{url} sent more than {_LARGEST_BYTES >> 20} MiB")
            return content
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise UpdateError(f"cannot fetch {url}: {error or type(error).__name__}") from error
