"""`taximeter collect` in front of other backends, each of which is a second Taximeter."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.collector.forwarding import Backend, span_ids
from tests.e2e import outage
from tests.e2e.collector import Collector, clean_environment, collecting, command_path, until
from tests.e2e.sending import REQUESTS, HttpSender, spans

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")


def ids(collector: Collector) -> Counter[bytes]:
    return sum((span_ids(record.payload) for record in collector.journaled()), Counter())


def test_everything_arrives_over_http_and_grpc_as_it_was_sent(tmp_path: Path) -> None:
    with collecting(tmp_path / "back") as back:
        more = ["--forward", f"web={back.http}", "--forward", f"rpc=grpc://{back.grpc}"]
        more += ["--set", "forward.web.enrich=false", "--set", "forward.rpc.enrich=false"]
        with collecting(tmp_path / "front", *more) as front, HttpSender(front.http) as sender:
            sent = Counter()
            for signal, make in REQUESTS.items():
                payload = make(count=3)
                assert sender.send(payload, signal).acknowledged
                sent[payload] = 2
            until(lambda: Counter(one.payload for one in back.journaled()) == sent, "not all arrives")
            until(lambda: front.metric("taximeter_forward_sent_items_total", destination="rpc") == 9, "it is not told")
            assert not [event for event in front.events() if event["process"].startswith("forward")]


def test_one_that_never_answers_slows_neither_senders_nor_the_lander_nor_another(tmp_path: Path) -> None:
    with Backend() as stuck, Backend() as well:
        stuck.always = lambda handler: handler.server.ended.wait(60) and None
        more = [
            "--forward",
            f"stuck={stuck.url}",
            "--forward",
            f"well={well.url}",
            "--set",
            "forward.stuck.in_flight=64KiB",
        ]
        with collecting(tmp_path / "front", *more, lands=True) as front, HttpSender(front.http) as sender:
            sent = Counter()
            for _ in range(30):
                payload = spans(count=100)
                assert sender.send(payload).acknowledged
                sent += span_ids(payload)
            until(lambda: not sent - well.span_ids(), "the other waits, too")
            until(lambda: front.unread("forward-stuck") == 30, "what it did not take is not kept")
            until(lambda: not front.unread("lander"), "the lander waits, too")
            stuck.stop()


def test_a_forwarder_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    """A few thousand of what `python tests/e2e/outage.py --kill` does with a million."""
    report = outage.run(tmp_path, 6000, kills=True)
    assert report.is_good, str(report)
    assert report.kills > 0


def test_an_outage_costs_disk_and_nothing_else(tmp_path: Path) -> None:
    report = outage.run(tmp_path, 6000)
    assert report.is_good, str(report)
    assert report.arrived["http"].failed_attempts > 0


def test_a_destination_that_is_taken_away_is_told_of_at_the_next_start(tmp_path: Path) -> None:
    with Backend() as backend, collecting(tmp_path / "front", "--forward", f"old={backend.url}"):
        pass
    with collecting(tmp_path / "front") as front:
        until(lambda: any("forward-old" in event["event"] for event in front.events()), "it is not told")
        command = [command_path(), "forward", "ls", "--json", "--data", str(front.data)]
        told = subprocess.run(command, capture_output=True, text=True, check=True, env=clean_environment(tmp_path))
        assert [(one["name"], one["state"]) for one in json.loads(told.stdout)] == [("old", "orphan")]


def test_where_nothing_is_forwarded_the_folder_that_was_looked_at_is_named(tmp_path: Path) -> None:
    """It may be the wrong one."""
    for command in (("ls",), ("retry", "phoenix"), ("skip", "phoenix")):
        told = subprocess.run(
            [command_path(), "forward", *command, "--data", str(tmp_path / "wrong")],
            capture_output=True,
            text=True,
            check=False,
            env=clean_environment(tmp_path),
        )
        assert f"the data folder {tmp_path / 'wrong'}" in told.stdout + told.stderr


def test_a_destination_that_cannot_be_used_is_told_of_before_anything_starts(tmp_path: Path) -> None:
    command = [command_path(), "collect", "--data", str(tmp_path / "data"), "--forward", "ftp://somewhere"]
    ended = subprocess.run(command, capture_output=True, text=True, env=clean_environment(tmp_path), check=False)
    assert ended.returncode == 2
    assert "forward.somewhere.endpoint: expected a URL such as 'http://localhost:4318'" in ended.stderr


def test_a_running_collector_skips_and_sends_again_when_it_is_told(tmp_path: Path) -> None:
    with Backend() as backend:
        backend.always = lambda handler: handler.reply(400)
        with collecting(tmp_path / "front", "--forward", f"b={backend.url}") as front, HttpSender(front.http) as sender:
            payload = spans()
            assert sender.send(payload).acknowledged
            until(lambda: front.metric("taximeter_forward_dead_letters_total") == 1, "it is not refused")
            backend.always = None
            command = [command_path(), "forward", "retry", "b", "--data", str(front.data)]
            told = subprocess.run(command, capture_output=True, text=True, check=True, env=clean_environment(tmp_path))
            assert told.stdout == "1 requests are sent again now\n"
            until(lambda: backend.span_ids() == span_ids(payload), "it is not sent")
            backend.always = lambda handler: handler.reply(503)
            assert sender.send(spans()).acknowledged
            until(lambda: front.metric("taximeter_forward_failed_attempts_total"), "it does not try")
            subprocess.run([*command[:2], "skip", *command[3:]], check=True, env=clean_environment(tmp_path))
            until(lambda: front.metric("taximeter_forward_skipped_records_total") == 1, "it is not skipped")
