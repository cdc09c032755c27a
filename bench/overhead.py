"""What an instrumentation adds to a call and to a chunk of a stream, in CPU time, on the OpenAI SDK.

    python bench/overhead.py                          # every instrumentation that is installed, side by side
    python bench/overhead.py taximeter --prompt-bytes 200000 --content

Each runs in a process of its own, where the instrumentation is switched on and off in turn: on, off, on, off. The
figure is the median of the differences between neighbours, so that neither the machine's mood nor the order matters.
The SDK talks to a mock transport, the spans go to a batch processor whose exporter drops them.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

CALLS = 60
STREAMS = 5
CHUNKS = 200
ROUNDS = 41
NAMES = ("taximeter", "official", "openinference", "openllmetry")


def instrumentor(name: str) -> Any:
    match name:
        case "taximeter":
            from taximeter.instrumentor import TaximeterInstrumentor

            return TaximeterInstrumentor()
        case "official":
            from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

            return OpenAIInstrumentor()
        case "openinference":
            from openinference.instrumentation.openai import OpenAIInstrumentor

            return OpenAIInstrumentor()
        case "openllmetry":
            from opentelemetry.instrumentation.openai import OpenAIInstrumentor

            return OpenAIInstrumentor()
    raise SystemExit(f"unknown instrumentation {name!r}; there are {', '.join(NAMES)}")


def answer() -> bytes:
    message = {"role": "assistant", "content": "hello " * 200}
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "gpt-4o-mini-2024-07-18",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30},
        }
    ).encode()


def stream() -> list[bytes]:
    def event(choices: list[dict[str, Any]], **more: Any) -> bytes:
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini", "choices": choices}
        return b"data: " + json.dumps(chunk | more).encode() + b"\n\n"

    pieces = [event([{"index": 0, "delta": {"content": "tok "}, "finish_reason": None}]) for _ in range(CHUNKS)]
    end = event([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    usage = event([], usage={"prompt_tokens": 10, "completion_tokens": CHUNKS, "total_tokens": CHUNKS + 10})
    return [*pieces, end, usage, b"data: [DONE]\n\n"]


def client() -> Any:
    import httpx2
    import openai

    whole, pieces = answer(), stream()

    class Body(httpx2.SyncByteStream):
        def __init__(self, chunks: list[bytes]) -> None:
            self._chunks = chunks

        def __iter__(self) -> Iterator[bytes]:
            yield from self._chunks

    def respond(request: Any) -> Any:
        if json.loads(request.content).get("stream"):
            return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Body(pieces))
        return httpx2.Response(200, headers={"content-type": "application/json"}, stream=Body([whole]))

    transport = httpx2.MockTransport(respond)
    return openai.OpenAI(api_key="x", base_url="http://127.0.0.1:1/v1", http_client=httpx2.Client(transport=transport))


def provider() -> Any:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Dropping(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            return SpanExportResult.SUCCESS

        def shutdown(self) -> None:
            return None

    made = TracerProvider()
    made.add_span_processor(BatchSpanProcessor(Dropping(), max_queue_size=100_000))
    return made


def cpu_us(work: Callable[[], None], times: int) -> float:
    gc.collect()
    started = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - started) / times * 1e6


def measure(name: str, prompt_bytes: int) -> dict[str, float]:
    """Added CPU, in microseconds, for a call and for a chunk."""
    from opentelemetry import trace

    trace.set_tracer_provider(provider())
    chosen = instrumentor(name)
    openai = client()
    messages = [{"role": "user", "content": "x" * prompt_bytes}]

    def call() -> None:
        openai.chat.completions.create(model="gpt-4o-mini", messages=messages)

    def read_stream() -> None:
        options = {"include_usage": True}
        for _ in openai.chat.completions.create(
            model="gpt-4o-mini", messages=messages, stream=True, stream_options=options
        ):
            pass

    added_call, added_stream = [], []
    for _ in range(ROUNDS):
        off = cpu_us(call, CALLS), cpu_us(read_stream, STREAMS)
        chosen.instrument()
        call(), read_stream()
        on = cpu_us(call, CALLS), cpu_us(read_stream, STREAMS)
        chosen.uninstrument()
        added_call.append(on[0] - off[0])
        added_stream.append(on[1] - off[1])
    a_call = statistics.median(added_call[1:])
    return {"call_us": a_call, "chunk_us": (statistics.median(added_stream[1:]) - a_call) / (CHUNKS + 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=None, metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--prompt-bytes", type=int, action="append", help="default: 2000 and 200000")
    parser.add_argument("--content", action="store_true", help="capture message content on spans")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    sizes = given.prompt_bytes or [2_000, 200_000]
    if given.one:
        print(json.dumps(measure(given.names[0], sizes[0])))
        return
    mode = "SPAN_ONLY" if given.content else "NO_CONTENT"
    environment = os.environ | {
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": mode,
        "TRACELOOP_TRACE_CONTENT": str(given.content).lower(),
        "OPENINFERENCE_HIDE_INPUTS": str(not given.content).lower(),
        "OPENINFERENCE_HIDE_OUTPUTS": str(not given.content).lower(),
    }
    print(f"content {'on' if given.content else 'off'}; median of {ROUNDS - 1} differences, CPU microseconds added")
    print(f"{'instrumentation':<18}{'prompt bytes':>14}{'a call':>10}{'a chunk':>10}")
    for size in sizes:
        for name in given.names or NAMES:
            command = [sys.executable, __file__, name, "--one", "--prompt-bytes", str(size)]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{name:<18}{size:>14}   not measured: {done.stderr.strip().splitlines()[-1]}")
                continue
            figures = json.loads(done.stdout)
            print(f"{name:<18}{size:>14}{figures['call_us']:>10.0f}{figures['chunk_us']:>10.2f}")


if __name__ == "__main__":
    main()
