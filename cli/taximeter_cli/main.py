"""The entry point. The commands come with `taximeter[collector]`; the base install meters apps, and says so."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

__all__ = ["has_commands", "main", "version"]

_INSTALL = "This install only meters apps. For the commands: pip install 'taximeter[collector]'"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the result is the process's exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if has_commands():
        from taximeter_cli.commands import run

        return run(given)
    return _run_without_commands(given)


def has_commands() -> bool:
    """Whether it is more than the base install, which has nothing of what the commands need."""
    return all(find_spec(name) for name in ("typer", "grpc", "httptools"))


def version() -> str:
    """What a bug report needs: first what it is in a line, then what it is built on."""
    import platform

    from taximeter import __version__

    from taximeter_cli.versions import lines

    first = f"taximeter {__version__} (Python {platform.python_version()}, {platform.system()})"
    return "\n".join((first, *lines()))


def _run_without_commands(arguments: list[str]) -> int:
    import argparse

    parser = argparse.ArgumentParser(prog="taximeter", description="The running meter for GenAI apps.", epilog=_INSTALL)
    parser.add_argument("--version", action="store_true", help="What this is, with its versions.")
    asked, unknown = parser.parse_known_args(arguments)
    if unknown:
        print(_INSTALL, file=sys.stderr)
        return 2
    if asked.version:
        print(version())
        return 0
    parser.print_help()
    return 0


if __name__ == "__main__":
    sys.exit(main())
