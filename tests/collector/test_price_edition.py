"""Newer prices: fetched when asked for, kept, used from then on, and never half."""

from __future__ import annotations

import json
import lzma
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from taximeter_collector.price import Book, UpdateError, Usage
from taximeter_collector.price.edition import FOLDER, fetch
from taximeter_collector.price.source import unix_nano

from tests.collector.test_price_bills import NOON


def published(input_usd: float) -> bytes:
    """What genai-prices publishes, with one model in it."""
    model = {
        "id": "gpt-5",
        "match": {"starts_with": "gpt-5"},
        "prices": [{"prices": {"input_mtok": input_usd, "output_mtok": 2}}],
    }
    provider = {
        "id": "openai",
        "name": "OpenAI",
        "api_pattern": "https://api\\.openai\\.com",
        "model_match": {"starts_with": "gpt-"},
        "models": [model],
    }
    return json.dumps([provider]).encode()


@dataclass
class Publisher:
    """A server that answers with what it is given."""

    url: str
    status: int = 200
    content: bytes = field(default_factory=lambda: published(1.5))


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answer.status)
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    answer = Publisher(f"http://127.0.0.1:{server.server_port}/data.json")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield answer
    server.shutdown()
    thread.join()
    server.server_close()


def usd(data: Path) -> Decimal | None:
    cost = Book.load(data).price(
        Usage(input_tokens=10**6, output_tokens=0),
        provider="openai",
        response_model="gpt-5",
        at_unix_nano=unix_nano(NOON),
    )
    return cost.usd


def test_fetched_prices_are_used_from_then_on_and_named(tmp_path: Path, publisher: Publisher) -> None:
    assert usd(tmp_path) == Decimal("1.25")
    fetched = fetch(tmp_path, publisher.url)
    assert usd(tmp_path) == Decimal("1.5")
    assert Book.load(tmp_path).sources[0].source == fetched.source
    assert fetched.source.startswith("genai-prices@2")


def test_the_newest_edition_is_used_and_the_older_ones_are_kept(tmp_path: Path, publisher: Publisher) -> None:
    fetch(tmp_path, publisher.url)
    (first,) = (tmp_path / FOLDER).iterdir()
    os.utime(first, (1, 1))
    publisher.content = published(9)
    fetch(tmp_path, publisher.url)
    assert usd(tmp_path) == 9
    assert len(list((tmp_path / FOLDER).iterdir())) == 2


def test_a_newer_package_comes_before_what_was_fetched_with_the_old_one(tmp_path: Path, publisher: Publisher) -> None:
    fetch(tmp_path, publisher.url)
    (path,) = (tmp_path / FOLDER).iterdir()
    document = json.loads(lzma.decompress(path.read_bytes()))
    path.write_bytes(lzma.compress(json.dumps(document | {"package": "0.0.1"}).encode()))
    assert usd(tmp_path) == Decimal("1.25")


@pytest.mark.parametrize(
    "content",
    [b"<html>", b"{}", b"[]", b'[{"id": 1}]', b'[{"id": "x", "name": "x", "api_pattern": "x", "models": []}]', b"\xff"],
)
def test_what_is_no_price_list_is_refused_and_changes_nothing(
    tmp_path: Path, publisher: Publisher, content: bytes
) -> None:
    publisher.content = content
    with pytest.raises(UpdateError, match="not the price data"):
        fetch(tmp_path, publisher.url)
    assert not (tmp_path / FOLDER).exists()


def test_an_answer_that_is_no_success_is_told(tmp_path: Path, publisher: Publisher) -> None:
    publisher.status = 503
    with pytest.raises(UpdateError, match="answered 503"):
        fetch(tmp_path, publisher.url)


def test_no_network_is_told(tmp_path: Path) -> None:
    with pytest.raises(UpdateError, match=r"cannot fetch http://127\.0\.0\.1:9/: "):
        fetch(tmp_path, "http://127.0.0.1:9/")


def test_a_damaged_edition_is_passed_over_and_said(tmp_path: Path, publisher: Publisher) -> None:
    fetch(tmp_path, publisher.url)
    (path,) = (tmp_path / FOLDER).iterdir()
    path.write_bytes(path.read_bytes()[:50])
    assert usd(tmp_path) == Decimal("1.25")
    (problem,) = Book.load(tmp_path).problems
    assert str(path) in problem and "not used" in problem
