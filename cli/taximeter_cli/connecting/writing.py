"""Settings into a tool's own file, and out of it again: nothing else in it changes, and a backup is kept beside."""

from __future__ import annotations

import difflib
import json
import os
import re
import stat
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path as File
from typing import Any

from taximeter_cli.connecting import env_text, json_text, toml_text
from taximeter_cli.connecting.tool import Path
from taximeter_cli.connecting.unfit import Unfit

__all__ = [
    "ABSENT",
    "FORMATS",
    "Backup",
    "Edit",
    "Editor",
    "format_of",
    "plan_removal",
    "plan_settings",
    "value_at",
    "write",
]

ABSENT = object()
"""Where nothing is set."""
_MOST_COLUMNS = 120  # of a line in which a person still finds what has changed
_LAST = 2  # backups that are kept, besides the first


@dataclass(frozen=True, slots=True)
class Editor:
    """How a kind of file is read and changed."""

    read: Callable[[str], dict[str, Any]]
    changed: Callable[[str, Path, Any], str]
    removed: Callable[[str, Path], str]


FORMATS = {
    "json": Editor(json_text.read, json_text.changed, json_text.removed),
    "toml": Editor(toml_text.read, toml_text.changed, toml_text.removed),
    "env": Editor(env_text.read, env_text.changed, env_text.removed),
    "shell": Editor(env_text.read, partial(env_text.changed, export=True), env_text.removed),
}


@dataclass(frozen=True, slots=True)
class Edit:
    """A file as it is, and as it should be; None is a file that is not there."""

    file: File
    before: str | None
    after: str | None
    form: str = ""

    @property
    def is_none(self) -> bool:
        """Whether there is nothing to do."""
        return self.before == self.after

    def diff(self, hide: str = "", *, for_people: bool = False) -> str:
        """What changes, line by line; a secret is not shown. People get JSON that is all in one line a key in each."""
        changed = self._difference(self.before, self.after, str(self.file))
        if for_people and self.form == "json" and max(map(len, changed.splitlines()), default=0) > _MOST_COLUMNS:
            changed = self._difference(
                _laid_out(self.before), _laid_out(self.after), f"{self.file}, laid out for reading"
            )
        return changed.replace(hide, "***") if hide else changed

    def _difference(self, before: str | None, after: str | None, title: str) -> str:
        old, new = ((text or "").splitlines(keepends=True) for text in (before, after))
        of_old, of_new = (title if text is not None else os.devnull for text in (before, after))
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ no newline at the end\n"
            for line in difflib.unified_diff(old, new, of_old, of_new)
        )


def _laid_out(text: str | None) -> str | None:
    return f"{json.dumps(json_text.read(text), indent=2)}\n" if text and text.strip() else text


@dataclass(frozen=True, slots=True)
class Backup:
    """Where the file is as it was, and how many older ones were deleted for it."""

    file: File
    let_go: int = 0


def format_of(file: File, usual: str) -> str:
    """How a file that somebody names is to be read: by its name, or else as the tool's own is."""
    if file.suffix in (".json", ".jsonc", ".toml"):
        return {".jsonc": "json"}.get(file.suffix, file.suffix[1:])
    if usual in ("json", "toml"):
        return usual
    return "env" if file.name.startswith(".env") or file.suffix == ".env" else "shell"


def plan_settings(
    file: File, form: str, settings: Mapping[Path, Any], undone: Mapping[Path, Any] | None = None
) -> Edit:
    """The file with these settings. Unfit if it cannot be read, or would not say just that besides what it said.

    `undone` are settings of ours that are not wanted any more, with what was there before them.
    """
    before, editor = _text(file), FORMATS[form]
    after = before or ""
    expected = editor.read(after if after.strip() or form != "json" else "{}")
    for path, value in {**(undone or {}), **settings}.items():
        if value is ABSENT:
            after = editor.removed(after, path)
            _take(expected, path)
        else:
            after = editor.changed(after, path, value)
            _put(expected, path, value)
    _held_to(editor, after, expected)
    return Edit(file, before, before if after == (before or "") else after, form)


def plan_removal(file: File, form: str, undone: Mapping[Path, Any], *, made: bool = False) -> Edit:
    """The file without these settings, or with what was there before them. One that we made and that is empty goes."""
    before, editor = _text(file), FORMATS[form]
    if before is None:
        return Edit(file, None, None, form)
    after, kept = before, {path: value for path, value in undone.items() if value is not ABSENT}
    for path, value in undone.items():
        after = editor.removed(after, path) if value is ABSENT else editor.changed(after, path, value)
    said, says = editor.read(before), editor.read(after)
    for path, value in kept.items():
        _put(said, path, value)
    for path in undone.keys() - kept.keys():
        _take(said, path)
    _held_to(editor, after, said)
    return Edit(file, before, None if made and not says and not _remarks(after) else after, form)


def write(edit: Edit, now: datetime) -> Backup | None:
    """Put it in place as a whole, with the permissions that it had; the backup, if there was anything to back up."""
    target = File(os.path.realpath(edit.file))  # a link, as dotfiles often are, stays one
    if _text(target) != edit.before:
        raise Unfit("it has changed this moment; try again")
    backup = None
    if edit.before is not None:
        backup = _backup(target, now)
    if edit.after is None:
        target.unlink()
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, edit.after)
    return Backup(backup, _let_go(target)) if backup else None


def value_at(found: Any, path: Path) -> Any:
    """What is set there, or ABSENT."""
    for key in path:
        if not isinstance(found, dict) or key not in found:
            return ABSENT
        found = found[key]
    return found


def _text(file: File) -> str | None:
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            return opened.read()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise Unfit("it is no text in UTF-8") from error


def _held_to(editor: Editor, text: str, expected: dict[str, Any]) -> None:
    """What an editor has made says what it should, or is not used."""
    if editor.read(text if text.strip() or editor is not FORMATS["json"] else "{}") != expected:
        raise Unfit("it is written in a way that cannot be changed without changing something else")


def _put(found: dict[str, Any], path: Path, value: Any) -> None:
    for key in path[:-1]:
        found = found.setdefault(key, {})
    found[path[-1]] = value


def _take(found: dict[str, Any], path: Path) -> None:
    if len(path) > 1 and isinstance(found.get(path[0]), dict):
        _take(found[path[0]], path[1:])
        if found[path[0]]:
            return
    if len(path) == 1 or not found.get(path[0], True):
        found.pop(path[0], None)


def _remarks(text: str) -> bool:
    """Whether somebody has written anything into a file that sets nothing."""
    return bool(text.strip().strip("{}").strip())


def _backup(target: File, now: datetime) -> File:
    """The file as it was, beside it, with the same permissions, under a name that is not taken."""
    moment = f"{now:%Y%m%d-%H%M%S}"
    taken = max((number for at, number, _ in _backups(target) if at == moment), default=-1)
    for number in range(taken + 1, taken + 1000):
        backup = target.with_name(f"{target.name}.taximeter.{moment}{f'-{number}' if number else ''}.bak")
        with suppress(FileExistsError):
            descriptor = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
            with os.fdopen(descriptor, "wb") as copy:
                copy.write(target.read_bytes())
            backup.chmod(stat.S_IMODE(target.stat().st_mode))
            return backup
    raise FileExistsError(f"{target.name}.taximeter.{moment}.bak")


def _backups(target: File) -> list[tuple[str, int, File]]:
    """Those that we have made, the oldest first: the second, which of that second, and the file."""
    name = re.compile(rf"{re.escape(target.name)}\.taximeter\.(\d{{8}}-\d{{6}})(?:-(\d+))?\.bak")
    found = ((name.fullmatch(one.name), one) for one in target.parent.iterdir())
    return sorted((match[1], int(match[2] or 0), one) for match, one in found if match)


def _let_go(target: File) -> int:
    """Delete backups but the first, which has what was there before us, and the last ones; how many were deleted."""
    gone = _backups(target)[1:-_LAST]
    for *_, backup in gone:
        backup.unlink(missing_ok=True)
    return len(gone)


def _replace(target: File, text: str) -> None:
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o600
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    beside = File(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(mode)
        beside.replace(target)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise
