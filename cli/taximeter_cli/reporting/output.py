"""Where an answer goes: to the terminal, into a pipe, into a file, once or again and again."""

from __future__ import annotations

import io
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from taximeter_cli.options import Mistake
from taximeter_cli.reporting.options import IMAGES, IN_TERMINAL, Asked, Format
from taximeter_cli.reporting.progress import Progress

if TYPE_CHECKING:
    from rich.console import Console
    from taximeter_queries import Answer
    from taximeter_queries.engine import Progress as Tell

__all__ = ["Ask", "tell", "tell_text", "written"]

Ask = Callable[["Tell | None"], "Answer"]
"""Asks the question, and tells meanwhile how far it is."""

_NO_TERMINAL_WIDTH = 1000  # as wide as a table wants to be


def tell(asked: Asked, ask: Ask, check: Callable[[Answer], None] | None = None) -> None:
    """Ask, and show the answer as it was asked for. `check` then may end the command with an exit code of its own."""
    _refuse(asked)
    if asked.watch is not None:
        _watch(asked, ask, check)
        return
    with Progress() as progress:
        answer = ask(progress)
    _show(asked, answer)
    if check:
        check(answer)


def tell_text(asked: Asked, text: str) -> None:
    """Text as it is, into a file or onto stdout."""
    _put_text(asked.output, text)


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """A temporary name beside a file, which becomes the file if all goes well: it never exists by half."""
    new = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield new
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _refuse(asked: Asked) -> None:
    """What cannot be done, before anything is read."""
    machine = not asked.is_for_people
    if asked.watch is not None and machine and asked.output is None:
        raise Mistake("taximeter: --watch shows tables; to keep a file up to date instead, add --output FILE")
    if asked.chart == IN_TERMINAL and (machine or asked.output):
        raise Mistake("taximeter: --chart draws in the terminal; name a file for it: --chart cost.svg")
    if asked.format is Format.parquet and asked.output is None and sys.stdout.isatty():
        raise Mistake("taximeter: --format parquet is nothing for a terminal; add --output FILE")
    if asked.chart not in (None, IN_TERMINAL) and asked.chart.suffix.lower() not in IMAGES:
        raise Mistake(f"taximeter: --chart {asked.chart}: expected a name that ends in {' or '.join(IMAGES)}")
    for path in (asked.output, asked.chart):
        if path and path != IN_TERMINAL and not path.absolute().parent.is_dir():
            raise Mistake(f"taximeter: {path}: there is no folder {path.parent}")


def _show(asked: Asked, answer: Answer) -> None:
    if asked.chart and asked.chart != IN_TERMINAL:
        from taximeter_cli.reporting.charts import save

        with written(asked.chart) as new:
            save(answer, new)
        if asked.form is None and asked.output is None:
            return
    if asked.is_for_people:
        _put_text(asked.output, _for_people(asked, answer))
    else:
        _put(asked.output, lambda file: _for_machines(asked.format, answer, file))


def _put_text(path: Path | None, text: str) -> None:
    encoding = (sys.stdout.encoding if path is None else None) or "utf-8"
    _put(path, text.encode(encoding, "replace"))


def _put(path: Path | None, content: bytes | Callable[[IO[bytes]], None]) -> None:
    def into(file: IO[bytes]) -> None:
        if isinstance(content, bytes):
            file.write(content)
        else:
            content(file)

    if path is None:
        sys.stdout.flush()
        into(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    with written(path) as new, new.open("wb") as file:
        into(file)


def _for_machines(form: Format, answer: Answer, file: IO[bytes]) -> None:
    from taximeter_queries.formats import MachineFormat, write

    write(answer, MachineFormat(form.value), file)


def _for_people(asked: Asked, answer: Answer) -> str:
    if asked.format is Format.markdown:
        from taximeter_cli.reporting.tables import markdown

        return markdown(answer).rstrip("\n") + "\n"
    console = _console(asked)
    with console.capture() as captured:
        _draw(asked, answer, console)
    text = captured.get()
    # Cells are filled up with spaces, which is of use to a terminal only.
    return text if console.is_terminal else "\n".join(line.rstrip() for line in text.split("\n"))


def _draw(asked: Asked, answer: Answer, console: Console) -> None:
    if asked.chart:
        from taximeter_cli.reporting.charts import draw

        draw(answer, console)
    elif answer.report == "schema":
        from taximeter_cli.reporting.sheet import sheet

        console.print(sheet(answer))
    else:
        from taximeter_cli.reporting.tables import render

        console.print(render(answer, console.width, full=asked.full))


def _console(asked: Asked) -> Console:
    from rich.console import Console

    options: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}
    if asked.output is None and sys.stdout.isatty():
        return Console(**options)
    options["file"] = sys.stdout if asked.output is None else io.StringIO()
    # Nothing has to fit, unless somebody says so; colours are for terminals.
    width = os.environ.get("COLUMNS", "")
    return Console(
        width=int(width) if width.isdigit() and int(width) else _NO_TERMINAL_WIDTH,
        no_color=True,
        force_terminal=False,
        **options,
    )


def _watch(asked: Asked, ask: Ask, check: Callable[[Answer], None] | None) -> None:
    """Until Ctrl-C, which is how it ends, and no mistake."""
    assert asked.watch is not None
    redraw = _redrawn if asked.output is None and sys.stdout.isatty() else _show
    try:
        while True:
            begun = time.monotonic()
            answer = ask(None)
            redraw(asked, answer)
            if check:
                check(answer)
            time.sleep(max(0.0, asked.watch - (time.monotonic() - begun)))
    except KeyboardInterrupt:
        return


def _redrawn(asked: Asked, answer: Answer) -> None:
    """Over what was there before; what is longer than the terminal is cut, so that its beginning is seen."""
    text = _for_people(asked, answer)
    lines = text.rstrip("\n").split("\n")
    height = os.get_terminal_size(sys.stdout.fileno()).lines
    shown = lines[: height - 1]
    # Home, then each line and the rest of it erased, then everything below: nothing flickers.
    sys.stdout.write("\x1b[H" + "".join(f"{line}\x1b[K\n" for line in shown) + "\x1b[J")
    sys.stdout.flush()
