"""What was written into which file, in the data folder: so that `--remove` takes out that, and nothing else."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path as File
from typing import Any

from taximeter_cli.connecting.tool import Path
from taximeter_cli.connecting.writing import ABSENT, value_at

__all__ = ["Memory"]


class Memory:
    """Of one tool's file: for each setting what it was before, and a digest of what was written."""

    def __init__(self, data: File, tool: str, file: File) -> None:
        self._at = data / "connect" / f"{tool}.json"
        self._file = str(file.absolute())

    @property
    def made(self) -> bool:
        """Whether the file was not there before."""
        return bool(self._of_file().get("made"))

    def remember(
        self, before: Mapping[str, Any] | None, settings: Mapping[Path, Any], undone: Collection[Path] = ()
    ) -> None:
        """Settings that are to be written over those before. What was there before our own is what counts."""
        told = {path: one for path, one in self._settings().items() if path not in undone}
        for path, value in settings.items():
            found = value_at(before or {}, path)
            old = told.get(path)
            if old and found is not ABSENT and _digest(found) == old["wrote"]:
                told[path] = {**old, "wrote": _digest(value)}
            elif found is ABSENT or _digest(found) != _digest(value):
                was = {} if found is ABSENT else {"was": found}
                told[path] = {"path": list(path), "wrote": _digest(value), **was}
        made = before is None or (self.made and bool(self._settings()))
        self._keep({**self._known(), self._file: {"made": made, "settings": list(told.values())}})

    def undone(self, now: Mapping[str, Any], otherwise: Mapping[Path, Any]) -> tuple[dict[Path, Any], list[Path]]:
        """What each setting was before, and those that somebody has changed since.

        Of a file that was written to from another data folder, what is just as it would be written now counts as ours.
        """
        told = self._settings() or {path: {"wrote": _digest(value)} for path, value in otherwise.items()}
        now_set = {path: value_at(now, path) for path in told}
        undone = {path: told[path].get("was", ABSENT) for path, found in now_set.items() if _is(found, told[path])}
        changed = [path for path, found in now_set.items() if found is not ABSENT and path not in undone]
        return undone, changed if self._settings() else []

    def forget(self) -> None:
        """There is nothing of ours in the file any more."""
        known = self._known()
        if known.pop(self._file, None) is not None:
            self._keep(known)

    def _settings(self) -> dict[Path, dict[str, Any]]:
        return {tuple(one["path"]): one for one in self._of_file().get("settings", ())}

    def _of_file(self) -> dict[str, Any]:
        return self._known().get(self._file, {})

    def _known(self) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads(self._at.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _keep(self, known: Mapping[str, Any]) -> None:
        self._at.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = self._at.with_name(f".{self._at.name}.{os.getpid()}")
        beside.touch(mode=0o600)
        beside.write_text(json.dumps(known, indent=2, default=str), "utf-8")
        beside.replace(self._at)


def _is(found: Any, told: Mapping[str, Any]) -> bool:
    return found is not ABSENT and _digest(found) == told["wrote"]


def _digest(value: Any) -> str:
    """Enough to know a value again, and nothing to learn a secret from."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
