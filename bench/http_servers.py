"""What a request costs in the HTTP server itself, body read and answered, nothing else: ours, and aiohttp's.

python bench/http_servers.py
"""

from __future__ import annotations

import asyncio
import http.client
import multiprocessing
import statistics
import threading
import time
from multiprocessing.connection import Connection

import psutil
from payloads import spans_request

SENDERS, SECONDS, ROUNDS = 4, 2.0, 5
HEADERS = {"content-type": "application/x-protobuf"}


def main() -> None:
    for spans in (512, 1):
        body = spans_request(spans)
        for name, serve in (("ours", _serve_ours), ("aiohttp", _serve_aiohttp)):
            costs = [_cost_s(serve, body) for _ in range(ROUNDS)]
            print(f"{len(body):7,} B  {name:8} {statistics.median(costs) * 1e6:6.1f} us of CPU a request")


def _cost_s(serve: object, body: bytes) -> float:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(theirs,))  # type: ignore[arg-type]
    server.start()
    try:
        port = ours.recv()
        process = psutil.Process(server.pid)
        before = process.cpu_times()
        sent = _load(port, body)
        after = process.cpu_times()
        return (after.user + after.system - before.user - before.system) / sent
    finally:
        server.terminate()
        server.join()


def _load(port: int, body: bytes) -> int:
    sent = [0] * SENDERS
    stop = time.monotonic() + SECONDS

    def send_all(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while time.monotonic() < stop:
            connection.request("POST", "/v1/traces", body, HEADERS)
            connection.getresponse().read()
            sent[number] += 1

    threads = [threading.Thread(target=send_all, args=(number,)) for number in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(sent)


def _serve_ours(parent: Connection) -> None:
    from taximeter_collector.receive.config import ReceiveConfig
    from taximeter_collector.receive.http import Connections, Head, Request, Response
    from taximeter_collector.receive.intake import Memory
    from taximeter_collector.receive.refusals import Refused

    class App:
        def admit(self, head: Head) -> tuple[int, object]:
            return 1 << 26, None

        async def respond(self, request: Request) -> Response:
            return Response(200, b"", "application/x-protobuf")

        def refuse(self, head: Head, refused: Refused) -> Response:
            return Response(refused.reason.value.http)

    async def serve() -> None:
        connections = Connections(ReceiveConfig(), App(), Memory(1 << 30), lambda reason: None)
        server = await asyncio.get_running_loop().create_server(connections, "127.0.0.1", 0)
        parent.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


def _serve_aiohttp(parent: Connection) -> None:
    from aiohttp import web

    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=b"", content_type="application/x-protobuf")

    async def serve() -> None:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/v1/traces", take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        parent.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
