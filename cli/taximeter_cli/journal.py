"""`taximeter journal`."""

from __future__ import annotations

import typer

__all__ = ["app"]

app = typer.Typer(help="Look into the journal: what was acknowledged, and who has read it.", no_args_is_help=True)
