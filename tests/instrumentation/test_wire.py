"""The taps: whatever way the bytes take, the app gets its own, and the span ends once with what was seen."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest
import requests
import urllib3
from opentelemetry.trace import StatusCode
from taximeter import faults
from taximeter_cli.loopback import Asked, Loopback, Reply

from tests.conftest import Telemetry

PATH = "/v1/chat/completions"


def asking(model: str = "gpt-4o-mini", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "How much?"}], **more}


def streaming(model: str = "gpt-4o-mini") -> dict[str, Any]:
    return asking(model, stream=True, stream_options={"include_usage": True})


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> Any:
    return request.param


def tokens(telemetry: Telemetry) -> tuple[Any, Any]:
    said = telemetry.span().attributes or {}
    return said.get("gen_ai.usage.input_tokens"), said.get("gen_ai.usage.output_tokens")


# ---------------------------------------------------------------------------------------------------------------------
# Every client, whole and streamed


def with_httpx(library: Any) -> Callable[[str, dict[str, Any]], bytes]:
    def send(url: str, body: dict[str, Any]) -> bytes:
        with library.Client() as client, client.stream("POST", url, json=body) as response:
            return b"".join(response.iter_bytes())

    return send


def with_httpx_async(library: Any) -> Callable[[str, dict[str, Any]], bytes]:
    async def ask(url: str, body: dict[str, Any]) -> bytes:
        async with library.AsyncClient() as client, client.stream("POST", url, json=body) as response:
            return b"".join([piece async for piece in response.aiter_bytes()])

    return lambda url, body: asyncio.run(ask(url, body))


def with_requests(url: str, body: dict[str, Any]) -> bytes:
    return requests.post(url, json=body, timeout=60).content


def with_requests_stream(url: str, body: dict[str, Any]) -> bytes:
    with requests.post(url, json=body, stream=True, timeout=60) as response:
        return b"".join(response.iter_content(64))


def with_requests_lines(url: str, body: dict[str, Any]) -> bytes:
    with requests.post(url, json=body, stream=True, timeout=60) as response:
        return b"\n".join(response.iter_lines(delimiter=b"\n"))


def with_urllib3(url: str, body: dict[str, Any]) -> bytes:
    return urllib3.PoolManager().request("POST", url, json=body).data


def with_urllib3_read(url: str, body: dict[str, Any]) -> bytes:
    response = urllib3.PoolManager().request("POST", url, json=body, preload_content=False)
    pieces = iter(lambda: response.read(50), b"")
    read = b"".join(pieces)
    response.release_conn()
    return read


def with_aiohttp(read: str) -> Callable[[str, dict[str, Any]], bytes]:
    async def ask(url: str, body: dict[str, Any]) -> bytes:
        async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
            if read == "whole":
                return await response.read()
            if read == "lines":
                return b"".join([line async for line in response.content])
            return b"".join([piece async for piece in response.content.iter_any()])

    return lambda url, body: asyncio.run(ask(url, body))


CLIENTS: dict[str, Callable[[str, dict[str, Any]], bytes]] = {
    "httpx": with_httpx(httpx),
    "httpx2": with_httpx(httpx2),
    "httpx async": with_httpx_async(httpx),
    "httpx2 async": with_httpx_async(httpx2),
    "requests": with_requests,
    "requests stream": with_requests_stream,
    "requests lines": with_requests_lines,
    "urllib3": with_urllib3,
    "urllib3 read": with_urllib3_read,
    "aiohttp": with_aiohttp("whole"),
    "aiohttp lines": with_aiohttp("lines"),
    "aiohttp any": with_aiohttp("any"),
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("body", [asking(), streaming()], ids=["whole", "stream"])
def test_bytes_pass_unchanged_and_tokens_are_seen(
    telemetry: Telemetry, switch_on: Callable[..., None], loopback: Loopback, client: str, body: dict[str, Any]
) -> None:
    url = loopback.url + PATH
    unmetered = CLIENTS[client](url, body)
    switch_on()
    assert CLIENTS[client](url, body) == unmetered
    assert tokens(telemetry) == (120, 30)
    first_chunk = (telemetry.span().attributes or {}).get("gen_ai.response.time_to_first_chunk")
    assert (first_chunk is not None) == ("stream" in body)


# ---------------------------------------------------------------------------------------------------------------------
# Encodings


def _brotli(body: bytes) -> bytes:
    import brotli

    return bytes(brotli.compress(body))


def _zstd(body: bytes) -> bytes:
    import zstandard

    return zstandard.compress(body)


ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "deflate": zlib.compress,
    "br": _brotli,
    "zstd": _zstd,
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_compressed_answers_are_read(meter: Telemetry, library: Any, encoding: str) -> None:
    if encoding not in library._decoders.SUPPORTED_DECODERS:
        pytest.skip(f"{library.__name__} itself cannot read {encoding} on this Python")
    answer = {"id": "c", "model": "m", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    body = ENCODINGS[encoding](json.dumps(answer).encode())

    class Body(library.SyncByteStream):  # type: ignore[misc]
        def __iter__(self) -> Iterator[bytes]:
            yield body[:10]
            yield body[10:]

    headers = {"content-type": "application/json", "content-encoding": encoding}
    transport = library.MockTransport(lambda request: library.Response(200, headers=headers, stream=Body()))
    with library.Client(transport=transport) as client:
        assert client.post("http://x" + PATH, json=asking()).json() == answer
    assert tokens(meter) == (3, 4)


def test_a_client_that_knows_no_decoding_is_not_disturbed(
    switch_on: Callable[..., None], telemetry: Telemetry, library: Any
) -> None:
    switch_on()
    headers = {"content-type": "application/json", "content-encoding": "snappy"}

    class Body(library.SyncByteStream):  # type: ignore[misc]
        def __iter__(self) -> Iterator[bytes]:
            yield b"\x00\x01"

    transport = library.MockTransport(lambda request: library.Response(200, headers=headers, stream=Body()))
    with library.Client(transport=transport) as client, client.stream("POST", "http://x" + PATH, json=asking()) as got:
        assert b"".join(got.iter_raw()) == b"\x00\x01"
    assert tokens(telemetry) == (None, None)
    assert faults.counts() == {"meter.undecodable": 1}
    faults.reset()


# ---------------------------------------------------------------------------------------------------------------------
# Custom transports, aliases, hooks


def test_a_response_that_was_made_whole_is_read(meter: Telemetry, library: Any) -> None:
    answer = {"id": "c", "model": "m", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    transport = library.MockTransport(lambda request: library.Response(200, json=answer))
    with library.Client(transport=transport) as client:
        client.post("http://x" + PATH, json=asking())
    assert tokens(meter) == (3, 4)


def test_a_redirect_is_no_call(
    switch_on: Callable[..., None], telemetry: Telemetry, loopback: Loopback, library: Any
) -> None:
    switch_on()

    def moved(asked: Asked) -> Reply:
        return Reply([b""], status=307, headers={"location": loopback.url + PATH})

    loopback.answers["/old/chat/completions"] = moved
    loopback.answers[PATH] = loopback.answers.pop("/chat/completions")
    loopback.answers["/chat/completions"] = loopback.answers[PATH]
    loopback.answers = {"/old/chat/completions": moved} | loopback.answers
    with library.Client(follow_redirects=True) as client:
        client.post(loopback.url + "/old/chat/completions", json=asking())
    assert tokens(telemetry) == (120, 30)
    assert faults.counts() == {"meter.redirected": 1}
    faults.reset()


def test_other_requests_are_none_of_our_business(meter: Telemetry, loopback: Loopback, library: Any) -> None:
    with library.Client() as client:
        client.post(loopback.url + "/v1/users", json={"name": "x"})
        client.post(loopback.url + "/api/chat", json={"messages": ["an app's own chat"]})
        client.get(loopback.url + "/v1/models")
    assert meter.spans == []


# ---------------------------------------------------------------------------------------------------------------------
# Errors, retries, and streams that do not end as they should


def test_an_http_error_is_named_as_the_provider_names_it(meter: Telemetry, loopback: Loopback, library: Any) -> None:
    with library.Client() as client:
        assert client.post(loopback.url + PATH, json=asking("m?status=429")).status_code == 429
    span = meter.span()
    assert (span.attributes or {})["error.type"] == "rate_limit_exceeded"
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "too many")


def test_each_attempt_is_a_span_that_says_which(meter: Telemetry, loopback: Loopback) -> None:
    import openai

    loopback.fail_first("flaky", 2)
    client = openai.OpenAI(api_key="k", base_url=f"{loopback.url}/v1", max_retries=3)
    client.chat.completions.create(**asking("flaky"))
    said = [dict(span.attributes or {}) for span in meter.spans]
    assert [one.get("http.request.resend_count") for one in said] == [None, 1, 2]
    assert [one.get("error.type") for one in said] == ["rate_limit_exceeded", "rate_limit_exceeded", None]


def test_a_retry_that_nobody_announces_is_recognised(meter: Telemetry, loopback: Loopback) -> None:
    import cohere

    loopback.fail_first("command", 1)
    cohere.ClientV2(api_key="k", base_url=loopback.url).chat(model="command", messages=asking()["messages"])
    assert [(span.attributes or {}).get("http.request.resend_count") for span in meter.spans] == [None, 1]


def test_bedrock_attempts_are_counted_too(meter: Telemetry, loopback: Loopback) -> None:
    from tests.instrumentation.test_sdks import bedrock

    loopback.fail_first("nova", 1)
    asked: Any = [{"role": "user", "content": [{"text": "How much?"}]}]
    bedrock(loopback).converse(modelId="nova", messages=asked)
    assert [(span.attributes or {}).get("http.request.resend_count") for span in meter.spans] == [None, 1]
    assert [(span.attributes or {}).get("error.type") for span in meter.spans] == ["ThrottlingException", None]


def test_a_connection_that_is_refused(meter: Telemetry, library: Any) -> None:
    with library.Client() as client, pytest.raises(library.ConnectError):
        client.post("http://127.0.0.1:9" + PATH, json=asking())
    assert (meter.span().attributes or {})["error.type"] == f"{library.__name__}.ConnectError"


def test_a_timeout(meter: Telemetry, loopback: Loopback, library: Any) -> None:
    with library.Client(timeout=0.1) as client, pytest.raises(library.ReadTimeout):
        client.post(loopback.url + PATH, json=streaming("m?pause=3"))
    assert (meter.span().attributes or {})["error.type"] == f"{library.__name__}.ReadTimeout"


def test_a_lost_connection_in_mid_stream(meter: Telemetry, loopback: Loopback, library: Any) -> None:
    with library.Client() as client, pytest.raises(library.RemoteProtocolError):
        client.post(loopback.url + PATH, json=streaming("m?cut=3"))
    said = meter.span().attributes or {}
    assert said["error.type"] == f"{library.__name__}.RemoteProtocolError"
    assert said["gen_ai.response.id"] == "chatcmpl-1"
    assert said["gen_ai.response.finish_reasons"] == ("error",)


def test_a_stream_that_is_broken_off_ends_once_with_what_was_seen(
    meter: Telemetry, loopback: Loopback, library: Any
) -> None:
    with library.Client() as client, client.stream("POST", loopback.url + PATH, json=streaming("m?pause=0.3")) as got:
        for _ in got.iter_bytes():
            break
    gc.collect()
    said = meter.span().attributes or {}
    assert (said["error.type"], said["gen_ai.response.id"]) == ("_OTHER", "chatcmpl-1")
    assert "gen_ai.usage.input_tokens" not in said


def test_a_stream_that_is_forgotten_ends_when_it_is_gone(meter: Telemetry, loopback: Loopback, library: Any) -> None:
    client = library.Client()
    response = client.send(client.build_request("POST", loopback.url + PATH, json=streaming()), stream=True)
    pieces = response.iter_bytes()
    next(pieces)
    del pieces, response
    gc.collect()
    client.close()
    assert len(meter.spans) == 1


def test_a_reader_that_stops_at_the_end_marker_has_read_all(meter: Telemetry, loopback: Loopback, library: Any) -> None:
    with library.Client() as client, client.stream("POST", loopback.url + PATH, json=streaming()) as response:
        for line in response.iter_lines():
            if line == "data: [DONE]":
                break
    assert tokens(meter) == (120, 30)
    assert "error.type" not in (meter.span().attributes or {})


def test_cancellation(meter: Telemetry, loopback: Loopback, library: Any) -> None:
    async def ask(began: asyncio.Event) -> None:
        async with library.AsyncClient() as client:
            async with client.stream("POST", loopback.url + PATH, json=streaming("m?pause=0.3")) as response:
                async for _ in response.aiter_bytes():
                    began.set()

    async def main() -> None:
        began = asyncio.Event()
        task = asyncio.ensure_future(ask(began))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert (meter.span().attributes or {})["error.type"] == "cancelled"


# ---------------------------------------------------------------------------------------------------------------------
# Memory, threads, and coming and going


def test_an_endless_stream_does_not_grow_us(meter: Telemetry, library: Any) -> None:
    import tracemalloc

    event = (
        b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"' + b"x" * 900 + b'"},"finish_reason":null}]}\n\n'
    )

    class Endless(library.SyncByteStream):  # type: ignore[misc]
        def __iter__(self) -> Iterator[bytes]:
            for _ in range(100_000):  # 100 MB
                yield event

    headers = {"content-type": "text/event-stream"}
    transport = library.MockTransport(lambda request: library.Response(200, headers=headers, stream=Endless()))
    tracemalloc.start()
    with library.Client(transport=transport) as client:
        with client.stream("POST", "http://x" + PATH, json=streaming()) as response:
            for _ in response.iter_raw():
                pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


def test_a_huge_answer_is_salvaged_not_kept(switch_on: Callable[..., None], telemetry: Telemetry, library: Any) -> None:
    import tracemalloc

    switch_on()
    filler = b"0.123456789, " * 5_000

    class Huge(library.SyncByteStream):  # type: ignore[misc]
        def __iter__(self) -> Iterator[bytes]:
            yield b'{"id": "emb-9", "data": [{"embedding": ['
            for _ in range(3_000):  # 195 MB
                yield filler
            yield b'0]}], "model": "big-embedder", "usage": {"prompt_tokens": 77, "total_tokens": 77}}'

    headers = {"content-type": "application/json"}
    transport = library.MockTransport(lambda request: library.Response(200, headers=headers, stream=Huge()))
    tracemalloc.start()
    with library.Client(transport=transport) as client:
        with client.stream("POST", "http://x/v1/embeddings", json={"model": "e", "input": "x"}) as response:
            for _ in response.iter_raw():
                pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40_000_000
    said = telemetry.span().attributes or {}
    assert (said["gen_ai.usage.input_tokens"], said["gen_ai.response.model"]) == (77, "big-embedder")
    assert faults.counts() == {"meter.body_too_large": 1}
    faults.reset()


def test_a_huge_request_is_not_copied(meter: Telemetry, loopback: Loopback, library: Any) -> None:
    import tracemalloc

    body = b'{"model": "m", "messages": [{"role": "user", "content": "' + b"A" * 200_000_000 + b'"}]}'
    transport = library.MockTransport(lambda request: library.Response(200, json={"id": "c", "choices": []}))
    with library.Client(transport=transport) as client:
        request = client.build_request("POST", "http://x" + PATH, content=body)
        tracemalloc.start()
        client.send(request)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 10_000_000
    assert len(meter.spans) == 1


def test_threads_do_not_mix_their_calls(meter: Telemetry, loopback: Loopback, library: Any) -> None:
    def ask(number: int) -> None:
        with library.Client() as client:
            client.post(loopback.url + PATH, json=asking(f"model-{number}"))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = {(span.attributes or {})["gen_ai.request.model"]: span for span in meter.spans}
    assert {name: (span.attributes or {})["gen_ai.response.model"] for name, span in said.items()} == {
        f"model-{number}": f"model-{number}-2024-07-18" for number in range(8)
    }


def test_the_apps_own_context_is_current_while_it_reads(meter: Telemetry, loopback: Loopback, library: Any) -> None:
    from opentelemetry import trace

    tracer = meter.tracer_provider.get_tracer("app")
    with tracer.start_as_current_span("handler") as handler, library.Client() as client:
        with client.stream("POST", loopback.url + PATH, json=streaming()) as response:
            for _ in response.iter_bytes():
                assert trace.get_current_span() is handler
        assert trace.get_current_span() is handler
    assert meter.span().parent == handler.get_span_context()


def test_switching_off_restores_everything(telemetry: Telemetry, loopback: Loopback) -> None:
    import anthropic
    from taximeter.instrumentor import TaximeterInstrumentor

    def patched() -> list[Any]:
        owners: list[tuple[Any, str]] = [(module.Client, "_send_single_request") for module in (httpx, httpx2)]
        owners += [(module.AsyncClient, "_send_single_request") for module in (httpx, httpx2)]
        owners += [(aiohttp.ClientSession, "_request"), (aiohttp.ClientResponse, "close")]
        owners += [(urllib3.connectionpool.HTTPConnectionPool, "_make_request")]
        owners += [(anthropic._base_client, "start_api_call_span")]
        return [vars(owner)[name] for owner, name in owners]

    before = patched()
    TaximeterInstrumentor().instrument(tracer_provider=telemetry.tracer_provider)
    assert all(one is not other for one, other in zip(patched(), before, strict=True))
    TaximeterInstrumentor().uninstrument()
    assert patched() == before
    with_requests(loopback.url + PATH, asking())
    assert telemetry.spans == []


def test_a_call_that_is_under_way_when_the_meter_is_switched_off_is_finished(
    telemetry: Telemetry, loopback: Loopback, library: Any
) -> None:
    from taximeter.instrumentor import TaximeterInstrumentor

    TaximeterInstrumentor().instrument(tracer_provider=telemetry.tracer_provider)
    with library.Client() as client, client.stream("POST", loopback.url + PATH, json=streaming()) as response:
        TaximeterInstrumentor().uninstrument()
        response.read()
    assert tokens(telemetry) == (120, 30)


def test_an_error_of_ours_is_counted_and_swallowed(
    switch_on: Callable[..., None],
    telemetry: Telemetry,
    loopback: Loopback,
    library: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from taximeter import meter as meter_module

    def broken(*args: Any, **options: Any) -> Any:
        raise RuntimeError("a fault of ours")

    switch_on()
    for name in ("framer_for", "load", "remember"):
        monkeypatch.setattr(meter_module, name, broken)
    with library.Client() as client:
        assert client.post(loopback.url + PATH, json=asking()).status_code == 200
        assert client.post(loopback.url + PATH, json=streaming()).status_code == 200
    assert sum(faults.counts().values()) >= 2
    faults.reset()


def test_slow_streams_have_their_own_first_chunk(meter: Telemetry, loopback: Loopback, library: Any) -> None:
    started = time.monotonic()
    with library.Client() as client:
        client.post(loopback.url + PATH, json=streaming("m?pause=0.05"))
    took = time.monotonic() - started
    said = meter.span().attributes or {}
    assert 0.04 < said["gen_ai.response.time_to_first_chunk"] < took  # type: ignore[operator]


# ---------------------------------------------------------------------------------------------------------------------
# The app's own things stay the app's


def test_headers_that_can_be_read_once_are_left_to_the_client(meter: Telemetry, loopback: Loopback) -> None:
    async def ask() -> None:
        async with aiohttp.ClientSession() as session:
            headers = (pair for pair in [("authorization", "Bearer k")])
            async with session.post(loopback.url + PATH, json=asking(), headers=headers) as response:  # type: ignore[arg-type]
                await response.read()

    asyncio.run(ask())
    assert loopback.asked[0].headers["authorization"] == "Bearer k"


def test_a_fallback_inside_an_except_is_not_blamed_for_the_error(
    meter: Telemetry, loopback: Loopback, library: Any
) -> None:
    try:
        raise KeyError("the first choice")
    except KeyError:
        with library.Client() as client, client.stream("POST", loopback.url + PATH, json=asking()) as response:
            response.read()
    assert "error.type" not in (meter.span().attributes or {})


def test_a_forgotten_urllib3_response_is_freed_at_once(meter: Telemetry, loopback: Loopback) -> None:
    import weakref

    gc.disable()
    try:
        response = urllib3.PoolManager().request("POST", loopback.url + PATH, json=streaming(), preload_content=False)
        forgotten = weakref.ref(response)
        del response
        assert forgotten() is None
    finally:
        gc.enable()
    assert len(meter.spans) == 1


def test_a_cancelled_read_with_aiohttp_is_an_error(meter: Telemetry, loopback: Loopback) -> None:
    async def ask() -> None:
        timeout = aiohttp.ClientTimeout(total=1)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            async with session.post(loopback.url + PATH, json=streaming("m?pause=0.7")) as response:
                await response.read()

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(ask())
    assert "Timeout" in str((meter.span().attributes or {})["error.type"])


def test_two_calls_in_one_foreign_span_are_two_calls(meter: Telemetry, loopback: Loopback) -> None:
    tracer = meter.tracer_provider.get_tracer("app")

    async def ask() -> None:
        async with httpx.AsyncClient() as client:
            await asyncio.gather(*(client.post(loopback.url + PATH, json=asking("gpt-4o-mini")) for _ in range(2)))

    with tracer.start_as_current_span("ask", attributes={"gen_ai.operation.name": "chat"}):
        asyncio.run(ask())
    said = [dict(span.attributes or {}) for span in meter.inference_spans()]
    assert [one["gen_ai.usage.input_tokens"] for one in said] == [120, 120]


def test_switching_on_again_works_under_somebodys_wrapper(telemetry: Telemetry, loopback: Loopback) -> None:
    import functools

    from taximeter.instrumentor import TaximeterInstrumentor

    meter = TaximeterInstrumentor()
    meter.instrument(tracer_provider=telemetry.tracer_provider)
    ours = httpx.Client._send_single_request

    @functools.wraps(ours)
    def theirs(self: Any, request: Any) -> Any:
        return ours(self, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx.Client, "_send_single_request", theirs)
        meter.uninstrument()
        meter.instrument(tracer_provider=telemetry.tracer_provider)
        httpx.post(loopback.url + PATH, json=asking())
        meter.uninstrument()
    assert tokens(telemetry) == (120, 30)


def test_others_that_have_responses_batches_and_runs_are_left_alone(meter: Telemetry, loopback: Loopback) -> None:
    for path in ("/v3/surveys/5/responses/99", "/api/batches/42", "/threads/a/runs/b", "/crm/interactions/7"):
        httpx.get(loopback.url + path)
    httpx.post(loopback.url + "/threads/a/runs", json={"input": {}})
    httpx.post(loopback.url + "/v1/classify", json={"text": "x"})
    assert meter.spans == []


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="there is no fork on this system")
def test_a_forked_child_does_not_tell_its_parents_calls(meter: Telemetry, loopback: Loopback) -> None:
    import os

    client = httpx.Client()
    response = client.send(
        client.build_request("POST", loopback.url + PATH, json=streaming("m?pause=0.05")), stream=True
    )
    pieces = response.iter_raw()
    next(pieces)
    child = os.fork()
    if child == 0:
        del pieces, response
        gc.collect()
        os._exit(len(meter.spans))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    list(pieces)
    client.close()
    assert len(meter.spans) == 1


def test_members_of_gzip_are_all_read(meter: Telemetry) -> None:
    import gzip

    answer = {"id": "c", "model": "m", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    body = json.dumps(answer).encode()

    class Body(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield gzip.compress(body[:20]) + gzip.compress(body[20:])

    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    transport = httpx.MockTransport(lambda request: httpx.Response(200, headers=headers, stream=Body()))
    with httpx.Client(transport=transport) as client, client.stream("POST", "http://x" + PATH, json=asking()) as got:
        list(got.iter_raw())
    assert tokens(meter) == (3, 4)


def test_httpx_under_both_names_is_metered_once() -> None:
    import subprocess
    import sys

    program = """
import httpx2
httpx2.alias_httpx()
import taximeter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from taximeter_cli.loopback import Loopback
kept, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
taximeter.instrument(tracer_provider=provider)
import httpx
with Loopback() as loopback:
    httpx.post(loopback.url + "/v1/chat/completions", json={"model": "m", "messages": []})
print(httpx is httpx2, len(kept.get_finished_spans()))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split()[1] == "1"
