"""`taximeter config`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taximeter_cli.options import Mistake, OfConfig, OfData, OfSet, settings

if TYPE_CHECKING:
    from taximeter_collector.configuration import Config, Configuration, Key

__all__ = ["app", "problems_of_files", "written"]

app = typer.Typer(help="The settings that hold, and where they come from.", no_args_is_help=True)


@app.command()
def show(
    data: OfData = None,
    config: OfConfig = None,
    sets: OfSet = None,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Print all settings, each with where it comes from. What is printed is a taximeter.toml."""
    from taximeter_collector.configuration import keys

    configuration = settings(config, sets, data=data)
    if as_json:
        known = keys(configuration.config.forward)
        print(json.dumps({name: _as_json(configuration, key) for name, key in known.items()}, indent=2))
        return
    print("\n".join(written(configuration)))


@app.command()
def check(data: OfData = None, config: OfConfig = None, sets: OfSet = None) -> None:
    """Check all settings, and the files that they name. Exit code 2, with each key and reason, if one is wrong."""
    configuration = settings(config, sets, data=data)
    for problem in problems_of_files(configuration.config):
        raise Mistake(f"taximeter: {problem}")
    read = ", ".join(sorted(set(configuration.origins.values()))) or "none is given"
    print(f"ok; settings given: {len(configuration.origins)} ({read})")


def written(configuration: Configuration) -> Iterator[str]:
    """The settings as a taximeter.toml, line by line; secrets are masked."""
    from taximeter_collector.configuration import environment_name, keys

    section = ""
    for name, key in keys(configuration.config.forward).items():
        if key.section != section:
            section = key.section
            yield f"\n[{section}]"
        yield f"# {key.setting.sentence}"
        comment = f"# {configuration.origins.get(name, 'default')}; {environment_name(name)}"
        hidden = "# " if key.setting.secret else ""
        yield f"{hidden}{name.rpartition('.')[2]} = {_as_toml(_value(configuration, key))}  {comment}"


def problems_of_files(config: Config) -> Iterator[str]:
    """What is wrong with what settings name, rather than with them."""
    from taximeter_collector.forward.credentials import CredentialsError, load
    from taximeter_collector.receive.access import AccessError, Tokens, load_identity
    from taximeter_collector.redact import Redaction, RedactionError

    steps: list[Callable[[], object]] = [
        partial(load_identity, config.receive),
        partial(Tokens.load, config.receive),
        partial(Redaction.of, config.redact),
        *(partial(load, destination) for destination in config.forward.values()),
    ]
    for step in steps:
        try:
            step()
        except (AccessError, CredentialsError, RedactionError) as error:
            yield str(error)


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
