"""What deploy/Dockerfile says of the image: its last stage, read as a container engine reads it."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["ROOT", "Image", "image"]

ROOT = Path(__file__).parents[2]


@dataclass
class Image:
    """The last stage: what runs, as whom, with what around it; and what all stages copy from the source."""

    environment: dict[str, str] = field(default_factory=dict)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    user: str = ""
    folder: str = "/"
    volume: str = ""
    ports: list[int] = field(default_factory=list)
    stop_signal: str = ""
    copied: list[str] = field(default_factory=list)


def image() -> Image:
    """The image of deploy/Dockerfile."""
    found = Image()
    for word, rest in _instructions((ROOT / "deploy/Dockerfile").read_text()):
        if word == "FROM":
            found = Image(copied=found.copied)
        elif word == "COPY" and not rest.startswith("--from"):
            found.copied += rest.split()[:-1]
        else:
            _follow(found, word, rest)
    return found


def _instructions(text: str) -> list[tuple[str, str]]:
    joined = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    lines = [line for line in joined.splitlines() if line.strip()]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def _follow(found: Image, word: str, rest: str) -> None:
    if word == "ENV":
        found.environment |= dict(part.split("=", 1) for part in shlex.split(rest))
    elif word == "ENTRYPOINT":
        found.entrypoint = json.loads(rest)
    elif word == "CMD":
        found.command = json.loads(rest)
    elif word == "HEALTHCHECK":
        found.health = json.loads(rest[rest.index("CMD") + 3 :])
    elif word == "USER":
        found.user = rest
    elif word == "WORKDIR":
        found.folder = rest
    elif word == "VOLUME":
        found.volume = rest
    elif word == "EXPOSE":
        found.ports = [int(port) for port in rest.split()]
    elif word == "STOPSIGNAL":
        found.stop_signal = rest
