"""Commands of the documentation that are not run as they are written, and why. This list is meant to be short.

Each is in a page, or a test fails. `INSTEAD` is run in another way, `NOT_HERE` not at all; both are parsed, so that
what is `taximeter` in them is a command line that it takes.
"""

from __future__ import annotations

import shutil

__all__ = [
    "INSTEAD",
    "NOT_HERE",
    "OF_THE_MOMENT",
    "ONCE",
    "TOOLS",
    "UNTIL_CTRL_C",
    "WITH_COLLECTOR",
    "is_here",
    "reason",
]

_PYPI = "it would be fetched from PyPI; tests/e2e/test_wheel.py installs the wheel of this tree instead"
_CONTAINER = "needs a container engine; tests/e2e/test_deploy.py runs the image's entry point with its environment"
_CLUSTER = "needs a cluster; `make deploy-check` renders the chart, and tests/e2e/test_deploy.py reads it"
_SYSTEM = "changes the system that it is run on; tests/e2e/test_deploy.py verifies the unit"

NOT_HERE = {
    'pip install "taximeter[collector]"': _PYPI,
    '/opt/taximeter/bin/pip install "taximeter[collector]"': _PYPI,
    "taximeter prices update": "asks the Internet; tests/cli/test_prices.py has it ask a server on loopback",
    "systemctl enable --now taximeter": _SYSTEM,
    "docker build --file deploy/Dockerfile --tag taximeter .": _CONTAINER,
    "docker run --detach --name taximeter": _CONTAINER,
    "docker exec taximeter taximeter cost": _CONTAINER,
    "docker kill --signal HUP taximeter": _CONTAINER,
    "kubectl create secret generic taximeter-tokens": _CLUSTER,
    "helm install taximeter deploy/helm/taximeter": _CLUSTER,
    "kubectl exec taximeter-0 -- taximeter cost --memory 500MB": _CLUSTER,
    "kubectl exec taximeter-0 -- sh -c": _CLUSTER,
}
# How a command begins, and what begins it here.
INSTEAD = {
    "make ": ("make --dry-run --directory {ROOT} ", "takes minutes, and more than Python"),
    "systemd-sysusers": ("systemd-sysusers --root={root}", "it would make a user on this system"),
    "python3 -m venv ": ("python3 -m venv --without-pip ", "pip comes from the network"),
}
# Programs that not every machine has; where they are, they are run.
TOOLS = ("rsync", "systemd-analyze", "systemd-sysusers")
# What goes on until it is told to end, and what it has said by then.
UNTIL_CTRL_C = {"taximeter collect": "journal ", "taximeter journal tail": " traces "}
# What asks a collector, or sends to one; a run with a budget would start one of its own, which takes longer.
WITH_COLLECTOR = (
    *("opentelemetry-instrument", "curl ", "set -a", "taximeter doctor", "taximeter forward", "taximeter journal tail"),
    "taximeter run --budget",
)
# What tells of versions, or of a moment that nobody can choose: its figures are not compared.
OF_THE_MOMENT = ("taximeter --version", "taximeter forward ls", "systemd-analyze")
# What takes many seconds, and is on several pages: the sample of the demo, whose receipt they show, and what listens.
ONCE = ("taximeter run -- python app.py", "taximeter collect")


def reason(command: str) -> str | None:
    """Why a command is not run here."""
    return next((why for beginning, why in NOT_HERE.items() if command.startswith(beginning)), None)


def is_here(command: str) -> bool:
    """Whether the program that it begins with is on this machine, if it is one that may not be."""
    program = command.split()[0]
    return program not in TOOLS or shutil.which(program) is not None
