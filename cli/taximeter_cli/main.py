"""The entry point. The commands come with `taximeter[collector]`; the base install meters apps, and says so."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

__all__ = ["main", "version"]

_INSTALL = "This install only meters apps. For the commands: pip install 'taximeter[collector]'"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the result is the process's exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if all(find_spec(name) for name in ("typer", "grpc", "httptools")):
        from taximeter_cli.commands import run

        return run(given)
    return _run_without_commands(given)


def version() -> str:
    """What a bug report needs."""
    import platform

    from taximeter import __version__

    return f"taximeter {__version__} (Python {platform.python_version()}, {platform.system()})"


def _run_without_commands(arguments: list[str]) -> int:
    import argparse

    parser = argparse.ArgumentParser(prog="taximeter", description="The running meter for GenAI apps.", epilog=_INSTALL)
    parser.add_argument("--version", action="version", version=version())
    _, unknown = parser.parse_known_args(arguments)
    if unknown:
        print(_INSTALL, file=sys.stderr)
        return 2
    parser.print_help()
    return 0


if __name__ == "__main__":
    sys.exit(main())
