"""The entry point. Whatever the installed extras bring is added as its own command."""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the result is the process's exit code."""
    from taximeter import __version__

    parser = argparse.ArgumentParser(prog="taximeter", description="The running meter for GenAI apps.")
    parser.add_argument(
        "--version",
        action="version",
        version=f"taximeter {__version__} (Python {platform.python_version()}, {platform.system()})",
    )
    parser.parse_args(arguments)
    parser.print_help()
    return 0


if __name__ == "__main__":
    sys.exit(main())
