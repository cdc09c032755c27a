"""`taximeter collect`."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taximeter_cli.options import Mistake, OfConfig, OfData, OfSet, settings

if TYPE_CHECKING:
    from taximeter_collector.configuration import Config

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
    forward: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL", help="A backend that gets all of it: URL, NAME=URL or a preset's name; repeatable."
        ),
    ] = None,
    config: OfConfig = None,
    sets: OfSet = None,
) -> None:
    """Receive OpenTelemetry, answer OK only for what is on disk, and land it in the lake, every call priced.

    Where it listens is printed; with port 0 a free one is chosen. SIGTERM and Ctrl-C finish what is under way;
    a second one changes nothing.
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
        **_destinations(forward or []),
    ).config
    os.umask(0o077)  # what passes through is for this user alone
    configure_logs(configuration.log, "supervisor")
    workers = ["receiver"]
    workers += ["lander", "keeper"] if configuration.land.enabled else []
    workers += ["telemetry"] if configuration.telemetry.otlp_endpoint else []
    workers += _forwarders(configuration)

    def tell(facts: dict[str, dict[str, Any]]) -> None:
        scheme = "https" if configuration.receive.tls_certificate else "http"
        titles = {"http": f"OTLP/HTTP  {scheme}://", "grpc": "OTLP/gRPC  ", "status": "status     http://"}
        _tell_orphans(configuration)  # not before the folder is ours
        places = facts["receiver"]
        _leave_places(configuration, places)
        lines = [f"{title}{_shown(places[name])}" for name, title in titles.items() if name in places]
        lines += [f"lake       {configuration.lake.dir}"] if configuration.land.enabled else []
        lines += [f"forward    {name[8:]}" for name in workers if name.startswith("forward-")]
        with suppress(OSError):  # nobody has to listen
            print("\n".join([*lines, f"journal    {configuration.journal.dir}"]), flush=True)

    error = asyncio.run(Supervisor(configuration, workers, tell).run())
    if error:
        raise Mistake(f"taximeter: {error}", 1)


def _leave_places(config: Config, places: dict[str, Any]) -> None:
    """Tell `taximeter run` where it can send, if anyone on this machine may."""
    from taximeter_collector.journal.files import replace_durably
    from taximeter_collector.supervise.supervisor import PLACES

    told: dict[str, Any] = {"pid": os.getpid()}
    receive = config.receive
    if "http" in places and not (receive.tls_certificate or receive.tokens or receive.token_file):
        here = {"0.0.0.0": "127.0.0.1", "::": "::1"}
        host = places["http"]["host"]
        told["http"] = f"http://{_shown({**places['http'], 'host': here.get(host, host)})}"
    with suppress(OSError):  # on a full disk it is not found, which is told
        replace_durably(config.run_folder / PLACES, json.dumps(told).encode())


def _destinations(told: list[str]) -> dict[str, object]:
    """The settings that `--forward` stands for."""
    from taximeter_collector.forward.sections import of_flag

    return {key: value for one in told for key, value in of_flag(one).items()}


def _forwarders(config: Config) -> list[str]:
    """A worker for each destination."""
    from taximeter_collector.forward.orders import reader

    return [reader(name) for name, destination in config.forward.items() if destination.enabled]


def _tell_orphans(config: Config) -> None:
    """Tell what the journal keeps for destinations that are no more."""
    from taximeter_collector.forward.overview import orphans

    for name in orphans(config):
        logging.getLogger("taximeter.forward").warning(
            "the journal keeps everything for a destination that is in no settings; `taximeter journal forget %s` "
            "lets it go",
            name,
        )


def _shown(place: dict[str, Any]) -> str:
    from taximeter_collector.settings import Address

    return str(Address(**place))
