"""The receiver: both listeners over one intake, from start to drain."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from taximeter_collector.journal import JournalConfig
from taximeter_collector.journal.segments import Folder
from taximeter_collector.receive.access import AccessError, Identity, Tokens, load_identity
from taximeter_collector.receive.config import ReceiveConfig
from taximeter_collector.receive.http import Connections, HttpApp
from taximeter_collector.receive.intake import Intake
from taximeter_collector.receive.otlp_grpc import OtlpGrpc, server_credentials, server_options
from taximeter_collector.receive.otlp_http import OtlpHttp, State
from taximeter_collector.receive.status import observe, observe_readers, ready, status_page
from taximeter_collector.settings import Address
from taximeter_collector.telemetry.exposition import publish
from taximeter_collector.telemetry.metrics import DROPPED_CONNECTIONS, Registry

__all__ = ["Listening", "Receiver", "StartError"]

_log = logging.getLogger("taximeter.receive")
_PUBLISH_S = 2.0
_BACKLOG = 1024
_HANDSHAKE_S = 10.0


class StartError(Exception):
    """The receiver cannot start; the sentence says what to change."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where it listens, with the ports that were chosen."""

    http: Address | None = None
    grpc: Address | None = None
    status: Address | None = None


class Receiver:
    """Receives from `start` on; `stop` drains."""

    def __init__(self, receive: ReceiveConfig, journal: JournalConfig, run: Path) -> None:
        self._config = receive
        self._journal = journal
        self._run = run
        self._identity: Identity | None = None
        self._servers: list[asyncio.Server] = []
        self._grpc: grpc.aio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.registry = Registry()

    async def start(self) -> Listening:
        """Open the journal, then the doors."""
        self._identity = load_identity(self._config)
        tokens = Tokens.load(self._config)
        self._run.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._intake = Intake(self._config, self._journal, self.registry)
        state = State(lambda: ready(self._intake), self._status_page)
        self._app = OtlpHttp(self._config, tokens, state, self._intake)
        self._connections = self._connections_of(self._app)
        self._status_connections = self._connections_of(OtlpHttp(self._config, Tokens(), state, None))
        self._services = OtlpGrpc(self._config, tokens, self._intake)
        listening = Listening(await self._start_http(), await self._start_grpc(), await self._start_status())
        self._tasks = [
            asyncio.create_task(self._connections.sweep()),
            asyncio.create_task(self._status_connections.sweep()),
            asyncio.create_task(self._publish()),
        ]
        return listening

    async def stop(self) -> None:
        """Let nobody in any more, finish what is under way, and close the journal."""
        timeout = self._config.drain_timeout_s
        self._intake.draining = True
        for server in self._servers:
            server.close()
        await asyncio.gather(
            self._connections.drain(timeout),
            self._status_connections.drain(0),
            *([self._grpc.stop(timeout)] if self._grpc else []),
        )
        await self._intake.close(timeout)
        for task in self._tasks:
            task.cancel()
        self._observe()

    def reload(self) -> None:
        """Take tokens and certificates as they are in the files now. What cannot be used changes nothing."""
        try:
            tokens, identity = Tokens.load(self._config), load_identity(self._config)
        except AccessError as error:
            _log.error("kept the old tokens and certificates", extra={"reason": str(error)})
            return
        self._app.tokens = self._services.tokens = tokens
        self._identity = identity
        _log.info("took new tokens and certificates", extra={"tokens": [name for name, _ in tokens.by_name]})

    def _connections_of(self, app: HttpApp) -> Connections:
        def dropped(reason: str) -> None:
            self.registry.add(DROPPED_CONNECTIONS, 1, reason)

        return Connections(self._config, app, self._intake.memory, dropped)

    async def _start_http(self) -> Address | None:
        if not self._config.http:
            return None
        context = self._identity.context if self._identity else None
        if context:
            context.sni_callback = self._newest_context
        server = await self._listen(self._connections, self._config.http, "receive.http", context)
        self._servers.append(server)
        return _bound(server, self._config.http)

    async def _start_status(self) -> Address | None:
        if not self._config.status:
            return None
        server = await self._listen(self._status_connections, self._config.status, "receive.status", None)
        self._servers.append(server)
        return _bound(server, self._config.status)

    async def _listen(
        self, connections: Connections, address: Address, key: str, context: ssl.SSLContext | None
    ) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(
                connections,
                address.host,
                address.port,
                ssl=context,
                backlog=_BACKLOG,
                ssl_handshake_timeout=_HANDSHAKE_S if context else None,
            )
        except OSError as error:
            number = error.errno or 0
            reason = os.strerror(number) if number > 0 else error  # negative: a name that nobody knows
            raise StartError(f"cannot listen at {address} ({key}): {reason}") from error
        chosen = server.sockets[0].getsockname()[1]
        if any(listener.getsockname()[1] != chosen for listener in server.sockets):
            server.close()  # `localhost` is two addresses, and each was given a free port of its own
            return await self._listen(connections, Address(address.host, chosen), key, context)
        return server

    def _newest_context(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """Have a handshake use the certificate of now. Another server in place of this one would lose connections."""
        assert self._identity
        connection.context = self._identity.context

    async def _start_grpc(self) -> Address | None:
        address = self._config.grpc
        if not address:
            return None
        self._grpc = grpc.aio.server(options=server_options(self._config))
        self._grpc.add_generic_rpc_handlers((self._services,))
        try:
            if self._identity:
                port = self._grpc.add_secure_port(str(address), server_credentials(lambda: self._identity))
            else:
                port = self._grpc.add_insecure_port(str(address))
        except RuntimeError as error:
            raise StartError(f"cannot listen at {address} (receive.grpc): is the port taken?") from error
        await self._grpc.start()
        return Address(address.host, port)

    async def _publish(self) -> None:
        while True:
            await asyncio.to_thread(observe_readers, self.registry, Folder(self._journal.dir))
            self._observe()
            await asyncio.sleep(_PUBLISH_S)

    def _status_page(self) -> str:
        return status_page(self._intake, self._journal, self._run, len(self._connections.open))

    def _observe(self) -> None:
        observe(self._intake, self._journal, len(self._connections.open))
        publish(self.registry, self._run, "receiver")


def _bound(server: asyncio.Server, address: Address) -> Address:
    return Address(address.host, server.sockets[0].getsockname()[1])
