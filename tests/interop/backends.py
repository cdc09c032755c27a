"""Taximeter in front of real backends: `python tests/interop/backends.py`.

Model calls are sent to `taximeter collect`, which prices them and forwards them: to an OpenTelemetry Collector, over
HTTP and gRPC with each compression, which writes them to a file; and to Phoenix. Spans and costs are read back from
both, from Phoenix by its own interface, and compared with what was sent and what plain arithmetic makes of it.

    --collector PATH    a Collector that was built before; otherwise `.interop/` has one, or one is built there with Go
    --phoenix FOLDER    an environment with Phoenix; otherwise `.interop/phoenix`, which is made if need be
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from run import BUILD, build  # noqa: E402

from tests.collector.telling import span, trace  # noqa: E402
from tests.e2e.collector import Collector, collecting, until  # noqa: E402
from tests.e2e.sending import HttpSender, points  # noqa: E402

HERE = Path(__file__).parent
PHOENIX = "arize-phoenix==20.26.1"
CALLS = 300
MODEL = "gpt-4o-mini-2024-07-18"
_INPUT, _OUTPUT = Decimal("0.15") / 10**6, Decimal("0.60") / 10**6  # dollars for a token


@dataclass(frozen=True)
class Call:
    """A call of a model as it was."""

    number: int
    input_tokens: int
    output_tokens: int

    @property
    def span_id(self) -> str:
        return self.number.to_bytes(8, "big").hex()

    @property
    def cost_usd(self) -> Decimal:
        return self.input_tokens * _INPUT + self.output_tokens * _OUTPUT

    @property
    def span(self) -> Any:
        facts = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.response.model": MODEL,
            "gen_ai.response.id": f"chatcmpl-{self.number}",
            "gen_ai.usage.input_tokens": self.input_tokens,
            "gen_ai.usage.output_tokens": self.output_tokens,
        }
        return span(
            self.number, trace_id=self.number, **{name.replace(".", "__"): told for name, told in facts.items()}
        )


def calls(first: int) -> list[Call]:
    """Some calls, that nobody else makes."""
    return [Call(first + index, random.randint(1, 9000), random.randint(1, 2000)) for index in range(CALLS)]


def send(front: Collector, made: list[Call]) -> None:
    """Tell of them, fifty in a request; and send some points, which not everyone takes."""
    with HttpSender(front.http) as sender:
        for start in range(0, len(made), 50):
            assert sender.send(trace(*(call.span for call in made[start : start + 50]))).acknowledged
        assert sender.send(points(count=10), "metrics").acknowledged


@contextmanager
def process(
    command: list[str], environment: dict[str, str], log: Path, ready: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A server that answers at a URL, for as long as the `with` lasts."""
    with log.open("wb") as out:
        started = subprocess.Popen(command, env=os.environ | environment, stdout=out, stderr=out)
    try:
        until(lambda: started.poll() is not None or _answers(ready), f"{command[0]} does not start: {log}", 180)
        if started.poll() is not None:
            raise SystemExit(f"{command[0]} ended with {started.returncode}:\n{log.read_text()}")
        yield started
    finally:
        started.terminate()
        started.wait(60)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def to_collector(binary: Path, folder: Path) -> bool:
    """Over both protocols with each compression: each span once, with its cost."""
    good = True
    for number, (way, compression) in enumerate(
        [("http", "gzip"), ("http", "zstd"), ("http", "none"), ("grpc", "gzip"), ("grpc", "none")]
    ):
        good &= _round(binary, folder / str(number), way, compression, calls(1 + number * CALLS))
    return good


def _round(binary: Path, folder: Path, way: str, compression: str, made: list[Call]) -> bool:
    folder.mkdir(parents=True)
    ports = {"IN_GRPC": f"127.0.0.1:{_free_port()}", "IN_HTTP": f"127.0.0.1:{_free_port()}"}
    written = folder / "written.json"
    command = [str(binary), "--config", str(HERE / "to_file.yaml")]
    url = f"http://{ports['IN_HTTP']}" if way == "http" else f"grpc://{ports['IN_GRPC']}"
    settings = ["--forward", f"otelcol={url}", "--set", f"forward.otelcol.compression={compression}"]
    environment = ports | {"OUT_FILE": str(written)}
    with process(command, environment, folder / "otelcol.log", f"http://{ports['IN_HTTP']}"):
        with collecting(folder / "data", *settings) as front:
            send(front, made)
            _delivered(front, "otelcol")
        until(lambda: len(_spans_of(written)) >= len(made), "not all is written", 30)
    found = _spans_of(written)
    told = [(one["spanId"], _attributes(one).get("taximeter.cost_usd")) for one in found]
    ours = {identity: Decimal(str(cost)) for identity, cost in told if cost is not None}
    alike = sorted(identity for identity, _ in told) == sorted(call.span_id for call in made)
    return _report(f"OpenTelemetry Collector, {way}, {compression}", made, len(told), alike, ours)


def _spans_of(file: Path) -> list[dict[str, Any]]:
    lines = file.read_text().splitlines() if file.exists() else []
    documents = [json.loads(line) for line in lines if line.endswith("}")]
    return [
        one
        for document in documents
        for resource in document.get("resourceSpans", [])
        for scope in resource["scopeSpans"]
        for one in scope["spans"]
    ]


def _attributes(of_span: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: next(iter(one["value"].values())) for one in of_span["attributes"]}


def to_phoenix(environment: Path, folder: Path) -> bool:
    """With the preset and nothing else but where it is: each span once, with its cost, and Phoenix' own sum of them."""
    folder.mkdir(parents=True)
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    told = {
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(_free_port()),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_WORKING_DIR": str(folder / "phoenix"),
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    made = calls(10_001)
    command = [str(environment / "bin" / "phoenix"), "serve"]
    with process(command, told, folder / "phoenix.log", f"{url}/healthz"):
        with collecting(folder / "data", "--forward", f"phoenix={url}") as front:
            send(front, made)
            _delivered(front, "phoenix")
        until(lambda: len(_of_phoenix(url)) >= len(made), "not all is stored", 120)
        found = _of_phoenix(url)
        # Phoenix adds costs up in the background, some seconds after it has stored a span.
        deadline = time.monotonic() + 60
        while (
            _sum_of_phoenix(url) < sum(call.cost_usd for call in made) * Decimal("0.999")
            and time.monotonic() < deadline
        ):
            time.sleep(0.5)
        own = _sum_of_phoenix(url)
    costs = [(one["context"]["span_id"], one["attributes"].get("llm.cost.total")) for one in found]
    ours = {identity: Decimal(str(cost)) for identity, cost in costs if cost is not None}
    alike = sorted(identity for identity, _ in costs) == sorted(call.span_id for call in made)
    good = _report("Phoenix", made, len(costs), alike, ours)
    print(f"  Phoenix' own sum, by its own prices {own:.9f} USD")
    return good


def _of_phoenix(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = _json(f"{url}/v1/projects/default/spans?limit=100{f'&cursor={cursor}' if cursor else ''}")
        found += page.get("data", [])
        cursor = page.get("next_cursor") or ""
        if not cursor:
            return found


def _sum_of_phoenix(url: str) -> Decimal:
    query = '{"query": "{ projects { edges { node { name costSummary { total { cost } } } } } }"}'
    told = _json(f"{url}/graphql", query.encode())
    edges = (told.get("data") or {}).get("projects", {}).get("edges", [])
    return sum((Decimal(str(edge["node"]["costSummary"]["total"]["cost"] or 0)) for edge in edges), Decimal(0))


def _json(url: str, body: bytes | None = None) -> dict[str, Any]:
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            found = json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return {"status": error.code}
    assert isinstance(found, dict)
    return found


def _delivered(front: Collector, name: str) -> None:
    sent = "taximeter_forward_sent_items_total"
    until(lambda: front.metric(sent, destination=name, signal="traces") >= CALLS, f"{name} does not take all", 60)


def _report(title: str, made: list[Call], arrived: int, alike: bool, ours: dict[str, Decimal]) -> bool:
    wanted = {call.span_id: call.cost_usd for call in made}
    exact = sum(ours.get(identity, Decimal(-1)).normalize() == cost.normalize() for identity, cost in wanted.items())
    good = alike and exact == len(made)
    print(
        f"{title}: sent {len(made)} spans, read back {arrived}, {exact} with the exact cost; "
        f"{sum(ours.values(), Decimal(0)).normalize():f} of {sum(wanted.values(), Decimal(0)).normalize():f} USD   "
        f"{'as it should be' if good else 'NOT AS IT SHOULD BE'}",
        flush=True,
    )
    return good


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def install_phoenix() -> Path:
    """An environment of its own, since it pins much."""
    folder = BUILD / "phoenix"
    if not (folder / "bin" / "phoenix").exists():
        print(f"installing {PHOENIX}: this takes some minutes", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(folder / "bin" / "pip"), "install", "--quiet", PHOENIX], check=True)
    return folder


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collector", type=Path)
    parser.add_argument("--phoenix", type=Path)
    given = parser.parse_args()
    binary, phoenix = given.collector or build(), given.phoenix or install_phoenix()
    print(subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.strip(), flush=True)
    with tempfile.TemporaryDirectory(prefix="taximeter-interop-") as folder:
        results = [to_collector(binary, Path(folder) / "collector"), to_phoenix(phoenix, Path(folder) / "phoenix")]
    print("PASSED" if all(results) else "FAILED")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
