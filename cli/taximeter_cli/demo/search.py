"""The other service: it finds hotels by an embedding of what is looked for, in the trace of who asks."""

from __future__ import annotations

import json
import os
import sys
import threading
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from typing import Any

from opentelemetry import context, propagate, trace

__all__ = ["main"]


class _Search(BaseHTTPRequestHandler):
    """As an instrumentation for a web framework does it: a server span, below the caller's."""

    def do_POST(self) -> None:
        wanted = json.loads(self.rfile.read(int(self.headers["content-length"])))
        token = context.attach(propagate.extract(dict(self.headers)))
        try:
            with trace.get_tracer(__name__).start_as_current_span("POST /find", kind=trace.SpanKind.SERVER):
                found = _find(wanted["city"]).encode()
        finally:
            context.detach(token)
        self.send_response(200)
        self.send_header("content-length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    def log_message(self, *args: Any) -> None:
        return None


def _find(city: str) -> str:
    _client().embeddings.create(model="text-embedding-3-small", input=f"hotels in {city}")
    return "Hotel at the opera, hostel at the river"


@cache
def _client() -> Any:
    import openai

    return openai.OpenAI(api_key="none", base_url=f"{os.environ['DEMO_PROVIDER']}/v1")


def main() -> None:
    """Say where it listens, and serve until stdin ends."""
    server = HTTPServer(("127.0.0.1", 0), _Search)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    if find_spec("openai"):
        _client()  # takes its time; who asks meanwhile waits in the queue
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    sys.stdin.read()
    server.shutdown()
    server.server_close()


if __name__ == "__main__":
    main()
