"""`taximeter collect`."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from taximeter_cli.options import Mistake, OfConfig, OfData, OfSet, settings

__all__ = ["collect"]


def collect(
    http: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where OTLP/HTTP listens; `off` for not at all.")
    ] = None,
    grpc: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where OTLP/gRPC listens; `off` for not at all.")
    ] = None,
    data: OfData = None,
    journal: Annotated[Path | None, typer.Option(help="The journal's folder.")] = None,
    lake: Annotated[Path | None, typer.Option(help="The lake's folder.")] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="Bearer tokens that may send, a line each: `NAME TOKEN`.")
    ] = None,
    allow_unauthenticated: Annotated[
        bool, typer.Option("--allow-unauthenticated", help="Listen beyond this machine without asking who sends.")
    ] = False,
    config: OfConfig = None,
    sets: OfSet = None,
) -> None:
    """Receive OpenTelemetry, answer OK only for what is on disk, and land it in the lake, every call priced.

    Where it listens is printed; with port 0 a free one is chosen. SIGTERM and Ctrl-C finish what is under way.
    """
    from taximeter_collector.supervise.supervisor import Supervisor
    from taximeter_collector.telemetry.logs import configure_logs

    configuration = settings(
        config,
        sets,
        data=data,
        receive__http=http,
        receive__grpc=grpc,
        receive__token_file=token_file,
        receive__allow_unauthenticated=allow_unauthenticated,
        journal__dir=journal and journal.absolute(),
        lake__dir=lake and lake.absolute(),
    ).config
    os.umask(0o077)  # what passes through is for this user alone
    configure_logs(configuration.log, "supervisor")
    workers = ["receiver"]
    workers += ["lander", "keeper"] if configuration.land.enabled else []
    workers += ["telemetry"] if configuration.telemetry.otlp_endpoint else []

    def tell(facts: dict[str, dict[str, Any]]) -> None:
        scheme = "https" if configuration.receive.tls_certificate else "http"
        titles = {"http": f"OTLP/HTTP  {scheme}://", "grpc": "OTLP/gRPC  ", "status": "status     http://"}
        places = facts["receiver"]
        lines = [f"{title}{_shown(places[name])}" for name, title in titles.items() if name in places]
        lines += [f"lake       {configuration.lake.dir}"] if configuration.land.enabled else []
        with suppress(OSError):  # nobody has to listen
            print("\n".join([*lines, f"journal    {configuration.journal.dir}"]), flush=True)

    error = asyncio.run(Supervisor(configuration, workers, tell).run())
    if error:
        raise Mistake(f"taximeter: {error}", 1)


def _shown(place: dict[str, Any]) -> str:
    from taximeter_collector.settings import Address

    return str(Address(**place))
