"""The image's command as a container has it, without a container engine: `python tests/deploy/contained.py`, as root.

Process 1 of a namespace of its own, a user and no name for it (as OpenShift chooses one), no capabilities, `/` for a
home, and a root file system that is read-only but for the data folder and a `/tmp` that begins empty.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.collector.telling import CALL, span, trace  # noqa: E402
from tests.deploy.image import image  # noqa: E402
from tests.e2e.collector import command_path, until  # noqa: E402
from tests.e2e.sending import HttpSender  # noqa: E402

USER = 1_000_650_000
# The data folder's name is the same inside and outside. Folders of root's on the way to Python are made passable.
SETUP = """
set -e
for folder in $PASSABLE; do
  mount -t tmpfs tmpfs /mnt && mkdir /mnt/kept && mount --bind "$KEPT" /mnt/kept
  mount -t tmpfs -o mode=755 tmpfs "$folder" && mkdir -p "$KEPT" && mount --bind /mnt/kept "$KEPT"
done
mount -t proc proc /proc
mount --bind "$TAXIMETER_DATA" "$TAXIMETER_DATA"
mount -o remount,bind,ro /
mount -o remount,rw,bind "$TAXIMETER_DATA"
mount -t tmpfs -o mode=1777 tmpfs /tmp
cd "$TAXIMETER_DATA"
exec setpriv --reuid "$USER_ID" --regid 0 --clear-groups --bounding-set=-all --no-new-privs "$@"
"""


@contextmanager
def contained(data: Path, *command: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A command as process 1."""
    python = Path(os.path.realpath(sys.executable)).parents[1]
    top = Path("/", python.parts[1])
    told = image().environment | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": "/",
        "TAXIMETER_DATA": str(data),
        "USER_ID": str(USER),
        "KEPT": str(python),
        "PASSABLE": "" if top.stat().st_mode & 0o001 else str(top),
    }
    inside = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", SETUP, "sh", *command]
    process = subprocess.Popen(
        inside, env=told | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def main() -> int:
    if os.geteuid() or not shutil.which("unshare") or not shutil.which("setpriv"):
        print("namespaces of its own need root, unshare and setpriv", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o711)
        data = Path(folder) / "data"
        data.mkdir()
        data.chmod(0o770)
        os.chown(data, 10001, 0)  # as the image has it: of group 0
        failed = sum(not _fine(name, check) for name, check in _checks(data))
    print(f"{failed} FAILED" if failed else "PASSED")
    return 1 if failed else 0


def _fine(name: str, check: Callable[[], bool]) -> bool:
    fine = check()
    print(f"{name:60} {'fine' if fine else 'FAILED'}", flush=True)
    return fine


def _checks(data: Path) -> Iterator[tuple[str, Callable[[], bool]]]:
    settings = {
        "TAXIMETER_RECEIVE_HTTP": "127.0.0.1:0",
        "TAXIMETER_RECEIVE_GRPC": "127.0.0.1:0",
        "TAXIMETER_RECEIVE_STATUS": "127.0.0.1:0",
        "TAXIMETER_LAND_COMMIT_INTERVAL": "200ms",
        "TAXIMETER_LAKE_UPKEEP_INTERVAL": "1s",
        "TAXIMETER_RECEIVE_TOKENS": "shop=secret",
    }
    with contained(data, command_path(), *image().command, **settings) as process:
        places = _places(process)
        yield "listens", lambda: {"OTLP/HTTP", "OTLP/gRPC", "status"} <= set(places)
        yield "takes a call", lambda: _send(places["OTLP/HTTP"])
        yield "lands it", lambda: _soon(lambda: bool(list(data.glob("lake/calls/date=*/*.parquet"))))
        metrics = places["status"] + "/metrics"
        yield "tidies the lake", lambda: _soon(lambda: 'lake_rows{table="calls"} 1' in _text(metrics))
        (first,) = psutil.Process(process.pid).children()
        workers = {one.cmdline()[-1]: one for one in first.children()}
        yield "is its user, and has made its files", lambda: _owners(first, data) == {USER}
        workers["lander"].kill()
        yield "starts again what dies", lambda: _soon(lambda: 'restarts_total{process="lander"} 1' in _text(metrics))
        for report in (("cost",), ("cost", "--chart", "/tmp/cost.svg"), ("lake", "verify"), ("config", "check")):
            yield f"taximeter {' '.join(report)}", lambda report=report: _quiet(data, settings, *report)  # type: ignore[misc]
        began = time.monotonic()
        first.terminate()
        yield "ends with 0 when told to", lambda: process.wait(60) == 0
        print(f"{'':4}in {time.monotonic() - began:.1f} s")


def _places(process: subprocess.Popen[str]) -> dict[str, str]:
    places: dict[str, str] = {}
    assert process.stdout
    for line in process.stdout:
        title, _, place = line.strip().partition("  ")
        places[title] = place.strip()
        if title == "journal":
            break
    else:
        assert process.stderr
        print(process.stderr.read())
    return places


def _send(url: str) -> bool:
    with HttpSender(url, "secret") as sender:
        return sender.send(trace(span(1, **CALL))).acknowledged


def _soon(look: Callable[[], bool]) -> bool:
    return until(look, "it does not", 60)


def _text(url: str) -> str:
    with urllib.request.urlopen(url) as answer:
        return str(answer.read().decode())


def _owners(first: psutil.Process, data: Path) -> set[int]:
    return {first.uids().real, *(path.stat().st_uid for path in data.rglob("*"))}


def _quiet(data: Path, settings: dict[str, str], *arguments: str) -> bool:
    """Exit code 0, and nothing that a person would have to read."""
    with contained(data, command_path(), *arguments, **settings) as process:
        out, told = process.communicate(timeout=120)
    if process.returncode or told:
        print(json.dumps([process.returncode, out[-500:], told]))
    return process.returncode == 0 and not told


if __name__ == "__main__":
    sys.exit(main())
