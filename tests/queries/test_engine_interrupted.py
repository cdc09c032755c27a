"""Ctrl-C is Ctrl-C, whatever the engine is doing at that moment, and whatever it calls it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo

import pytest
from taximeter_queries.engine import Engine

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there, nobody can send Ctrl-C to himself alone")


@pytest.fixture(autouse=True)
def _told_of_ctrl_c() -> Iterator[None]:
    """As a shell starts a program; in the background it would not hear of it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupted(work: Callable[[], object], after_s: float) -> None:
    """Work that Ctrl-C comes into, or comes after."""
    told = threading.Timer(after_s, os.kill, (os.getpid(), signal.SIGINT))
    told.start()
    work()
    time.sleep(60)


def prepared() -> None:
    with Engine((), ZoneInfo("UTC")) as engine:
        for number in range(50):
            engine.define(f"CREATE VIEW view_{number} AS SELECT {number} AS one")


def test_ctrl_c_while_views_and_settings_are_made_in_the_thread_that_asks() -> None:
    for attempt in range(60):
        with pytest.raises(KeyboardInterrupt):
            interrupted(prepared, attempt * 0.001)


def test_ctrl_c_while_a_query_runs_in_a_thread_of_its_own() -> None:
    with Engine((), ZoneInfo("UTC")) as engine, pytest.raises(KeyboardInterrupt):
        interrupted(lambda: engine.run("SELECT count(*) FROM range(1_000_000) AS a, range(1_000_000) AS b"), 0.3)
