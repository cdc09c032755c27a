"""`taximeter connect`."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taximeter_cli.options import Mistake, OfConfig, OfData, settings

if TYPE_CHECKING:
    from taximeter_collector.configuration import Config

    from taximeter_cli.connecting.checking import Arrived
    from taximeter_cli.connecting.choosing import Chosen
    from taximeter_cli.connecting.places import Place
    from taximeter_cli.connecting.tool import Tool
    from taximeter_cli.connecting.writing import Backup, Edit

__all__ = ["connect"]

_DO = "What is done, instead of telling what to set"
_WHAT = "What is set"
_LOOK_EVERY_S = 0.5


def _names(incomplete: str) -> list[str]:
    from taximeter_cli.connecting.catalogue import names

    return [name for name in names() if name.startswith(incomplete)]


def connect(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The tool; without, all are listed.", autocompletion=_names)
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", rich_help_panel=_DO, help="Merge it into the tool's own file, after a backup.")
    ] = False,
    remove: Annotated[
        bool, typer.Option("--remove", rich_help_panel=_DO, help="Take out of the file what --write put into it.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", rich_help_panel=_DO, help="Say whether data has arrived; exit code 1 if not.")
    ] = False,
    env: Annotated[
        bool, typer.Option("--env", rich_help_panel=_DO, help="Print the variables only, for a shell's eval.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --write and --remove: show what would change, and change nothing.")
    ] = False,
    wait: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="With --check: wait so long for data.")] = 0.0,
    last: Annotated[
        str | None, typer.Option(metavar="TIME", help="With --check: data of the last 30m, 12h, 7d only.")
    ] = None,
    content: Annotated[
        bool, typer.Option("--content", rich_help_panel=_WHAT, help="Have prompts and answers sent, too.")
    ] = False,
    endpoint: Annotated[
        str | None,
        typer.Option(
            metavar="URL", rich_help_panel=_WHAT, help="Where OTLP/HTTP is taken; default: the collector here."
        ),
    ] = None,
    token_env: Annotated[
        str | None, typer.Option(metavar="NAME", rich_help_panel=_WHAT, help="The variable that has the token.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", rich_help_panel=_WHAT, help="Another file than the tool's usual one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
    data: OfData = None,
    config: OfConfig = None,
) -> None:
    """Tell what a coding agent, an SDK or a gateway has to be told, so that its calls arrive here; and do it.

    Without a name: the list of what is known.
    """
    from taximeter_cli.connecting.catalogue import named

    if sum((write, remove, check, env)) > 1:
        raise Mistake("taximeter: connect: --write, --remove, --check and --env are one at a time")
    if name is None:
        _list(as_json=as_json)
        return
    tool = named(name)
    asked = _Asked(tool, settings(config, None, data=data).config, endpoint, token_env, content, file, write)
    if check:
        _check(asked, wait, last, as_json=as_json)
    elif remove:
        _remove(asked, dry_run=dry_run, as_json=as_json)
    elif write or dry_run:
        _write(asked, dry_run=dry_run, as_json=as_json)
    else:
        _show(asked, env=env, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One tool, and one collector."""

    tool: Tool
    config: Config
    endpoint: str | None
    token_env: str | None
    content: bool
    named_file: Path | None
    needs_token: bool

    @property
    def place(self) -> Place:
        """The collector. Its token is itself only in a file; elsewhere it is the name of the variable."""
        from taximeter_cli.connecting.places import place_of

        if self.token_env and not self.token_env.isidentifier():
            raise Mistake("taximeter: --token-env: expected the name of a variable, not the token")
        token = f"${self.token_env}" if self.token_env else ""
        if self.token_env and self.needs_token:
            token = os.environ.get(self.token_env, "")
            if not token:
                raise Mistake(f"taximeter: --token-env {self.token_env}: the variable is not set")
        return place_of(self.config, self.endpoint, token)

    @property
    def chosen(self) -> Chosen:
        """What is to be set. In a file that somebody names for a tool without one: its variables."""
        from taximeter_cli.connecting.choosing import Chosen, chosen

        found = chosen(self.tool, self.place, token=bool(self.token_env), content=self.content)
        if self.tool.file is None and self.named_file:
            return Chosen({(name,): value for name, value in found.environment.items()}, {})
        return found

    @property
    def file(self) -> Path | None:
        """The file that is meant."""
        from taximeter_cli.connecting.places import file_of

        return self.named_file or (file_of(self.tool.file, os.environ) if self.tool.file else None)

    @property
    def form(self) -> str:
        """How the file is written."""
        from taximeter_cli.connecting.writing import format_of

        usual = self.tool.file.format if self.tool.file else "env"
        return format_of(self.named_file, usual) if self.named_file else usual

    @property
    def target(self) -> Path:
        """The file to change. Mistake if there is none."""
        if self.file is None:
            begin = f"taximeter connect {self.tool.name}"
            raise Mistake(
                f"taximeter: {self.tool.title} has no file of its own for that; `{begin}` shows what to set, "
                f"`{begin} --write --file .env` puts variables into a file"
            )
        return self.file


def _list(*, as_json: bool) -> None:
    from taximeter_cli.connecting.catalogue import named, names
    from taximeter_cli.connecting.showing import listing

    if as_json:
        known = [named(name) for name in names()]
        print(json.dumps([{"name": one.name, "title": one.title, "group": one.group} for one in known], indent=2))
    else:
        print(listing())


def _show(asked: _Asked, *, env: bool, as_json: bool) -> None:
    from taximeter_cli.connecting import showing

    tool, token = asked.tool, bool(asked.token_env)
    if env:
        if not asked.chosen.variables:
            raise Mistake(f"taximeter: {tool.title} is not set by variables; `taximeter connect {tool.name}` shows how")
        print(showing.exports(asked.chosen.variables))
    elif as_json:
        print(json.dumps(showing.as_json(tool, asked.place, asked.chosen, asked.file, token=token), indent=2))
    else:
        print(showing.shown(tool, asked.place, asked.chosen, asked.file, token=token))


def _write(asked: _Asked, *, dry_run: bool, as_json: bool) -> None:
    from taximeter_cli.connecting.checking import overriding
    from taximeter_cli.connecting.remembering import Memory
    from taximeter_cli.connecting.showing import exports
    from taximeter_cli.connecting.writing import plan_settings

    target, what = asked.target, asked.chosen
    memory = Memory(asked.config.data, asked.tool.name, target)
    with _Told(target):
        now = _read(target, asked.form)
        before, _ = memory.undone(now or {}, {})
        stale = {path: was for path, was in before.items() if path not in what.settings}
        edit = plan_settings(target, asked.form, what.settings, stale)
        backup = None
        if not dry_run:
            memory.remember(now, what.settings, stale)
            backup = _put(edit)
    _tell(asked, edit, backup, dry_run=dry_run, as_json=as_json)
    if what.environment:
        _note("its environment has to have, besides:")
        _note(exports(what.environment).replace(asked.place.token or "\0", f"${asked.token_env}"))
    for finding in overriding(asked.tool, what):
        _note(f"taximeter: {finding.what}: {finding.do}")


def _remove(asked: _Asked, *, dry_run: bool, as_json: bool) -> None:
    from taximeter_cli.connecting.remembering import Memory
    from taximeter_cli.connecting.writing import plan_removal

    target = asked.target
    memory = Memory(asked.config.data, asked.tool.name, target)
    with _Told(target):
        undone, changed_since = memory.undone(_read(target, asked.form) or {}, asked.chosen.settings)
        edit = plan_removal(target, asked.form, undone, made=memory.made)
        backup = None
        if not dry_run:
            backup = _put(edit)
            memory.forget()
    _tell(asked, edit, backup, dry_run=dry_run, as_json=as_json)
    for path in changed_since:
        _note(f"taximeter: {'.'.join(path)} has been changed since it was written, and stays")


class _Told:
    """What keeps a file from being edited, as a sentence that says what to do."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from taximeter_cli.connecting.unfit import Unfit

        if isinstance(error, Unfit):
            raise Mistake(
                f"taximeter: {self._file}: {error}. It is left as it is: put it right, or set by hand what "
                "`taximeter connect` shows",
                1,
            ) from error


def _read(file: Path, form: str) -> dict[str, Any] | None:
    """What the file says; None if it is not there."""
    from taximeter_cli.connecting.unfit import Unfit
    from taximeter_cli.connecting.writing import FORMATS

    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise Unfit("it is no text in UTF-8") from error
    return FORMATS[form].read(text if text.strip() or form != "json" else "{}")


def _put(edit: Edit) -> Backup | None:
    from taximeter_cli.connecting.writing import write

    return None if edit.is_none else write(edit, datetime.now())  # noqa: DTZ005 - the user's own clock is in the name


def _tell(asked: _Asked, edit: Edit, backup: Backup | None, *, dry_run: bool, as_json: bool) -> None:
    from taximeter_cli.connecting.showing import short

    secret = asked.place.token if asked.token_env and asked.needs_token else ""
    diff = edit.diff(secret, for_people=not as_json)
    if as_json:
        told = {"tool": asked.tool.name, "file": str(edit.file), "changed": not edit.is_none and not dry_run}
        print(json.dumps({**told, "backup": str(backup.file) if backup else None, "diff": diff}, indent=2))
        return
    if edit.is_none:
        print(f"{short(edit.file)}: nothing to do")
        return
    print(diff, end="")
    done = "would be changed so" if dry_run else "removed" if edit.after is None else "written"
    print(f"{short(edit.file)}: {done}" + (f"; what was there is in {short(backup.file)}" if backup else ""))
    if backup and backup.let_go:
        print(f"of older backups, the first one and the last two are kept; {backup.let_go} deleted")


def _check(asked: _Asked, wait: float, last: str | None, *, as_json: bool) -> None:
    from taximeter_cli.connecting.checking import findings, unlanded

    deadline = time.monotonic() + wait
    while not (found := _look(asked, last)) and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)
    in_the_way = []
    if not found:
        waiting = unlanded(asked.config)
        in_the_way = list(findings(asked.tool, asked.place, asked.chosen, asked.file, asked.form, found, waiting))
    if as_json:
        told = {"tool": asked.tool.name, "arrived": bool(found), **found.as_json()}
        looks = [{"what": one.what, "do": one.do} for one in in_the_way]
        print(json.dumps({**told, "look_at": looks}, indent=2))
    else:
        _tell_arrived(asked, found)
        for one in in_the_way:
            print(f"  - {one.what}: {one.do}")
    if not found:
        raise typer.Exit(1)


def _look(asked: _Asked, last: str | None) -> Arrived:
    from taximeter_queries import Lake, NoLake, Window

    from taximeter_cli.connecting.checking import Arrived, arrived
    from taximeter_cli.reporting.asking import told

    with told():
        window = Window.of(last=last)
        try:
            return arrived(Lake(asked.config.lake.dir), asked.tool, window)
        except NoLake:
            return Arrived()


def _tell_arrived(asked: _Asked, found: Arrived) -> None:
    from taximeter_cli.connecting.showing import short

    tool = asked.tool
    if not found:
        print(f"{tool.title}: nothing has arrived in {short(asked.config.lake.dir)}. What to look at:")
        return
    records = ", ".join(_counted(count, table) for table, count in found.records.items() if count)
    last = f"{found.last.astimezone():%Y-%m-%d %H:%M:%S}" if found.last else "-"
    print(f"{tool.title}: data has arrived")
    print(f"  records   {records}; the last at {last}")
    if not found.calls:
        print("  calls     none yet: is telemetry of all signals on?")
        return
    assert found.last_call
    print(f"  calls     {found.calls:,}; the last at {found.last_call.astimezone():%Y-%m-%d %H:%M:%S}")
    print(f"  tokens    {found.input_tokens or 0:,} in, {found.output_tokens or 0:,} out")
    cost = "not known" if found.cost_usd is None else f"{found.cost_usd.normalize():f} USD"
    print(f"  cost      {cost}, for {found.priced_calls:,} of {_counted(found.calls, 'calls')}")
    if found.unpriced_models:
        print(f"  unpriced  {', '.join(found.unpriced_models)}: prices.toml gives them a price")


def _counted(number: int, of_many: str) -> str:
    return f"{number:,} {of_many.removesuffix('s') if number == 1 else of_many}"


def _note(sentence: str) -> None:
    print(sentence, file=sys.stderr)
