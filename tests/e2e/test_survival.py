"""What was acknowledged survives: a few rounds of what `kill.py` and `full_disk.py` do at length."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.e2e import full_disk, kill

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")


def test_what_was_acknowledged_is_there_once_after_kills_at_random_moments(tmp_path: Path) -> None:
    report = kill.run(tmp_path, kills=4, clients=4)
    assert report.is_good, str(report)
    assert sum(report.kills.values()) >= 4


@pytest.mark.skipif(not full_disk.can_mount(), reason="a file system that is small enough to fill takes Linux and root")
def test_a_full_disk_refuses_for_a_while_and_loses_nothing(tmp_path: Path) -> None:
    try:
        with full_disk.small_file_system(tmp_path):
            report = full_disk.run(tmp_path, on_small_disk=True, rounds=1)
    except OSError as error:
        pytest.skip(f"no small file system can be had here: {error}")
    assert report.is_good, str(report)


def test_a_journal_at_its_limit_refuses_for_a_while_and_loses_nothing(tmp_path: Path) -> None:
    report = full_disk.run(tmp_path, on_small_disk=False, rounds=1)
    assert report.is_good, str(report)
