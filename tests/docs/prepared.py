"""What pages take for granted: calls that are in the lake, destinations that are down, rules that have been at work."""

from __future__ import annotations

import http.server
import shutil
import threading
from collections.abc import Callable
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from tests.collector.telling import CALL, event, span, trace
from tests.docs.place import Place
from tests.e2e.agents import recorded
from tests.e2e.agents_page import SHOWN, has_landed
from tests.e2e.collector import Collector, until
from tests.e2e.sending import HttpSender

__all__ = ["BEFORE", "told"]

SHOWN_TRACE = 0x4BF92F3577B34DA6A3CE929D0E0E4736
NOWHERE = "http://127.0.0.1:1"


def told(collector: Collector) -> None:
    """Calls of a checkout by two models, one trace that pages name, and sessions of coding agents; all of now."""
    models = ("gpt-5", "gpt-5-mini", "acme-13b")
    facts = [_call(models[number % 3], str(number)) for number in range(30)]
    calls = [span(number + 1, trace_id=SHOWN_TRACE + number // 10, **facts[number]) for number in range(30)]
    requests = [("traces", trace(*calls, resource={"service.name": "checkout"}))]
    for entry in SHOWN:
        requests += list(recorded(entry, now=True))
    _send(collector, requests)


def _call(model: str, response: str, **more: Any) -> dict[str, Any]:
    return CALL | {"gen_ai.response.model": model, "gen_ai.response.id": response} | more


def tell_a_little(place: Place) -> None:
    """One request."""
    with HttpSender(place.collector().http) as sender:
        assert sender.send(trace(span(1, **_call("gpt-5", "one more")))).acknowledged


def _send(collector: Collector, requests: list[tuple[str, bytes]]) -> None:
    """Send requests, and wait until they have landed."""
    with HttpSender(collector.http) as sender:
        for signal, payload in requests:
            assert sender.send(payload, signal).acknowledged
    until(lambda: has_landed(collector), f"it does not land: {collector.said()}", patience_s=60)


def _for_the_doctor(place: Place) -> None:
    """docs/doctor.md tells of what is sent here, of a destination that is down, and of a sampler."""
    place.environment |= {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}
    firsts = range(1, 1961, 49)
    requests = [("traces", _calls(first, 49)) for first in firsts]
    requests += [("metrics", _points(20)) for _ in range(40)]
    requests += [("logs", _logs(10)) for _ in range(40)]
    requests += [("traces", trace(span(1961, **_call("acme-13b", "unknown"))))]
    _send(place.collector("--set", f"forward.far.endpoint={NOWHERE}"), requests)


def _calls(first: int, count: int) -> bytes:
    return trace(*(span(number, **_call("gpt-4o-mini", str(number))) for number in range(first, first + count)))


def _points(count: int) -> bytes:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="queue.size")
    for value in range(count):
        metric.gauge.data_points.add(as_int=value, time_unix_nano=1)
    return request.SerializeToString()


def _logs(count: int) -> bytes:
    request = ExportLogsServiceRequest.FromString(event("hello", {"n": 1}))
    records = request.resource_logs[0].scope_logs[0].log_records
    records.extend([records[0]] * (count - 1))
    return request.SerializeToString()


def _with_rules(place: Place) -> None:
    """docs/privacy.md shows rules and what they have done: each span names its user, some an address."""
    rules = "redact.patterns=email", "redact.keys=user.id", "redact.drop=process.command_args"
    arguments = [word for rule in rules for word in ("--set", rule)]
    calls = [span(number, **_call("gpt-5", str(number), **_of_a_user(number))) for number in range(1, 2049)]
    _send(
        place.collector(*arguments), [("traces", trace(*calls[first : first + 256])) for first in range(0, 2048, 256)]
    )


def _of_a_user(number: int) -> dict[str, Any]:
    return {"user.id": "u-7"} | ({"note": "jane@example.com"} if number <= 311 else {})


class _Taking(http.server.BaseHTTPRequestHandler):
    """A backend that takes everything."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def _two_destinations(place: Place) -> None:
    """docs/forwarding.md has two: one takes all, one is not there. Those of before are forgotten."""
    place.without_collector()
    shutil.rmtree(place.data)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Taking)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    archive = f"http://127.0.0.1:{server.server_address[1]}"
    (place.app / "taximeter.toml").write_text(
        f'[forward.archive]\nendpoint = "{archive}"\n[forward.phoenix]\nendpoint = "{NOWHERE}"\n'
    )
    collector = place.collector("--config", str(place.app / "taximeter.toml"))
    _send(collector, [("traces", _calls(first, 50)) for first in range(1, 1001, 50)])


def _with_tokens(place: Place) -> None:
    """docs/deploy.md tells senders what to set where a token is asked for."""
    place.without_collector()
    place.collector("--token-file", str(place.root / "etc/taximeter/tokens"))


# By page and how a command begins: what has happened before it is typed.
BEFORE: dict[tuple[str, str], Callable[[Place], None]] = {
    ("docs/doctor.md", "taximeter doctor"): _for_the_doctor,
    ("docs/deploy.md", "set -a"): _with_tokens,
    ("docs/privacy.md", "curl"): _with_rules,
    ("docs/forwarding.md", "taximeter forward ls"): _two_destinations,
}
