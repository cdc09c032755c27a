"""`taximeter config`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taximeter_cli.options import Mistake, OfConfig, OfData, OfSet, settings

if TYPE_CHECKING:
    from taximeter_collector.configuration import Configuration, Key

__all__ = ["app"]

app = typer.Typer(help="The settings that hold, and where they come from.", no_args_is_help=True)


@app.command()
def show(
    data: OfData = None,
    config: OfConfig = None,
    sets: OfSet = None,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Print all settings, each with where it comes from. What is printed is a taximeter.toml."""
    from taximeter_collector.configuration import environment_name, keys

    configuration = settings(config, sets, data=data)
    if as_json:
        print(json.dumps({name: _as_json(configuration, key) for name, key in keys().items()}, indent=2))
        return
    section = ""
    for name, key in keys().items():
        if key.section != section:
            section = key.section
            print(f"\n[{section}]")
        print(f"# {key.setting.sentence}")
        comment = f"# {configuration.origins.get(name, 'default')}; {environment_name(name)}"
        hidden = "# " if key.setting.secret else ""
        print(f"{hidden}{name.rpartition('.')[2]} = {json.dumps(_value(configuration, key))}  {comment}")


@app.command()
def check(data: OfData = None, config: OfConfig = None, sets: OfSet = None) -> None:
    """Check all settings, and the files that they name. Exit code 2, with each key and reason, if one is wrong."""
    from taximeter_collector.receive.access import AccessError, Tokens, load_identity

    configuration = settings(config, sets, data=data)
    try:
        load_identity(configuration.config.receive)
        Tokens.load(configuration.config.receive)
    except AccessError as error:
        raise Mistake(f"taximeter: {error}") from error
    files = sorted(set(configuration.origins.values()) - {"environment", "command line"})
    print(
        f"ok: {len(configuration.origins)} settings given{f' (read {files[0]})' if files else ''}, the rest as they come"
    )


def _value(configuration: Configuration, key: Key) -> Any:
    holder = getattr(configuration.config, key.section) if key.section else configuration.config
    return key.setting.kind.write(getattr(holder, key.field))


def _as_json(configuration: Configuration, key: Key) -> dict[str, Any]:
    return {"value": _value(configuration, key), "from": configuration.origins.get(key.name, "default")}
