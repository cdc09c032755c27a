"""Runs a command as the systemd unit confines it, as far as that goes without systemd: `confined.py UNIT COMMAND...`.

The unit's system calls, by libseccomp; no memory that can be written and executed; no new privileges; its umask.
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
from pathlib import Path

_NO_NEW_PRIVILEGES, _NO_WRITE_AND_EXECUTE = 38, 65  # of prctl
_REFUSE = 0x00050000 | 1  # SCMP_ACT_ERRNO(EPERM)
_ALLOW = 0x7FFF0000


def settings(unit: Path, name: str) -> list[str]:
    """What a unit sets, as often as it does."""
    return re.findall(rf"^{name}=(.*)$", unit.read_text(), re.MULTILINE)


def allowed(unit: Path) -> set[str]:
    """The system calls that the unit lets pass."""
    calls = set(_members("@default"))
    for line in settings(unit, "SystemCallFilter"):
        named = {call for name in line.removeprefix("~").split() for call in _members(name)}
        calls = calls - named if line.startswith("~") else calls | named
    return calls


def _members(name: str) -> set[str]:
    if not name.startswith("@"):
        return {name}
    told = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True)
    lines = (line.strip() for line in told.stdout.splitlines()[1:])
    return {call for line in lines if line and not line.startswith("#") for call in _members(line)}


def confine(unit: Path) -> None:
    """Have this process, and what it becomes, do no more than the unit says."""
    calls = allowed(unit)
    libc, seccomp = ctypes.CDLL(None, use_errno=True), ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    seccomp.seccomp_rule_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint]
    seccomp.seccomp_load.argtypes = [ctypes.c_void_p]
    os.umask(int(settings(unit, "UMask")[0], 8))
    assert libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
    libc.prctl(_NO_WRITE_AND_EXECUTE, 1, 0, 0, 0)  # kernels before 6.3 know nothing of it
    rules = seccomp.seccomp_init(_REFUSE)
    for call in calls:
        number = seccomp.seccomp_syscall_resolve_name(call.encode())
        if number >= 0:
            assert seccomp.seccomp_rule_add(rules, _ALLOW, number, 0) == 0, call
    assert seccomp.seccomp_load(rules) == 0, "the kernel takes no filter"


if __name__ == "__main__":
    confine(Path(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
