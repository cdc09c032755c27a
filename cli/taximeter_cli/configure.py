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
    known = keys(configuration.config.forward)
    if as_json:
        print(json.dumps({name: _as_json(configuration, key) for name, key in known.items()}, indent=2))
        return
    section = ""
    for name, key in known.items():
        if key.section != section:
            section = key.section
            print(f"\n[{section}]")
        print(f"# {key.setting.sentence}")
        comment = f"# {configuration.origins.get(name, 'default')}; {environment_name(name)}"
        hidden = "# " if key.setting.secret else ""
        print(f"{hidden}{name.rpartition('.')[2]} = {_as_toml(_value(configuration, key))}  {comment}")


@app.command()
def check(data: OfData = None, config: OfConfig = None, sets: OfSet = None) -> None:
    """Check all settings, and the files that they name. Exit code 2, with each key and reason, if one is wrong."""
    from taximeter_collector.forward.credentials import CredentialsError, load
    from taximeter_collector.receive.access import AccessError, Tokens, load_identity
    from taximeter_collector.redact import Redaction, RedactionError

    configuration = settings(config, sets, data=data)
    try:
        load_identity(configuration.config.receive)
        Tokens.load(configuration.config.receive)
        Redaction.of(configuration.config.redact)
        for destination in configuration.config.forward.values():
            load(destination)
    except (AccessError, CredentialsError, RedactionError) as error:
        raise Mistake(f"taximeter: {error}") from error
    read = ", ".join(sorted(set(configuration.origins.values()))) or "none is given"
    print(f"ok; settings given: {len(configuration.origins)} ({read})")


def _value(configuration: Configuration, key: Key) -> Any:
    value = key.value(configuration.given)
    if key.setting.secret:
        return "***" if value else ""
    return key.setting.kind.write(value)


def _as_toml(value: Any) -> str:
    """TOML writes these values as JSON does, but for what JSON makes pairs of, and one character it leaves alone."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _as_json(configuration: Configuration, key: Key) -> dict[str, Any]:
    return {"value": _value(configuration, key), "from": configuration.origins.get(key.name, "default")}
