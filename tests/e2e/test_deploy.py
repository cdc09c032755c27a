"""deploy/: what an image, a chart, a unit and the examples say is so. `make deploy-check` does what needs Go."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from deltalake import DeltaTable
from taximeter_collector.configuration import environment_name, keys, load
from taximeter_collector.supervise import supervisor
from taximeter_collector.telemetry import metrics

from tests.collector.telling import CALL, span, trace
from tests.deploy.image import ROOT, image
from tests.e2e.collector import PATIENCE_S, Collector, collecting, command_path, until
from tests.e2e.sending import HttpSender

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="containers, Kubernetes and systemd are for Linux")
DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "systemd/taximeter.service"
COMPOSE = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text())
VALUES = yaml.safe_load((DEPLOY / "helm/taximeter/values.yaml").read_text())
SYSTEMD = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze, which is not here")
SECCOMP = pytest.mark.skipif(
    not list(Path("/usr/lib").glob("*/libseccomp.so.2")), reason="needs libseccomp, which is not here"
)


class Container:
    """The image's entry point with the image's environment, and folders of its own where the image's are."""

    def __init__(self, folder: Path, *before: str, **environment: str) -> None:
        self.data, self.home, self.temporary = (folder / name for name in ("data", "home", "tmp"))
        for one in (self.data, self.home, self.temporary):
            one.mkdir()
        there = image()
        mine = {
            "PATH": there.environment["PATH"].replace("/opt/taximeter/bin", str(Path(sys.executable).parent)),
            "TAXIMETER_DATA": str(self.data),
            "MPLCONFIGDIR": there.environment["MPLCONFIGDIR"].replace("/tmp", str(self.temporary)),
            "TMPDIR": str(self.temporary),
            "HOME": str(self.home),
        }
        free = {name: re.sub(r":\d+$", ":0", value) for name, value in there.environment.items() if "RECEIVE" in name}
        self.environment = there.environment | mine | free | environment
        self.environment["PATH"] = self.environment["PATH"].replace("$PATH", os.environ["PATH"])
        self.before = before
        self.places: dict[str, str] = {}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The entry point with other arguments, as `docker run IMAGE ...` and `kubectl exec` have it."""
        return subprocess.run(
            self._command(list(arguments)), capture_output=True, text=True, env=self.environment, cwd=self.home
        )

    def _command(self, arguments: list[str]) -> list[str]:
        # Another folder than the tests', so that nothing is found that the image has not.
        return [
            *self.before,
            *(command_path() if word == "taximeter" else word for word in image().entrypoint),
            *arguments,
        ]

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        """What the image does by itself, as soon as it listens."""
        process = subprocess.Popen(
            self._command(image().command), stdout=subprocess.PIPE, text=True, env=self.environment, cwd=self.home
        )
        try:
            assert process.stdout
            for line in process.stdout:
                title, _, place = line.strip().partition("  ")
                self.places[title] = place.strip().replace("0.0.0.0", "127.0.0.1")
                if title == "journal":
                    break
            yield process
        finally:
            process.kill()
            process.communicate()

    def is_healthy(self) -> bool:
        """What the image's HEALTHCHECK says, asked where the collector listens here."""
        port = self.places["status"].rpartition(":")[2]
        asked = [sys.executable if word == "python" else word.replace("4319", port) for word in image().health]
        return subprocess.run(asked, env=self.environment, capture_output=True).returncode == 0


def test_an_image_that_nobody_told_who_may_send_says_what_to_do(tmp_path: Path) -> None:
    ended = Container(tmp_path).run(*image().command)
    assert ended.returncode == 2
    assert "receive.token_file" in ended.stderr
    assert "receive.allow_unauthenticated = true" in ended.stderr


def test_an_image_with_a_token_receives_reports_and_ends_when_told(tmp_path: Path) -> None:
    """And writes below its data folder and /tmp only."""
    container = Container(tmp_path, TAXIMETER_RECEIVE_TOKENS="shop=secret", TAXIMETER_LAND_COMMIT_INTERVAL="200ms")
    assert image().volume == image().environment["TAXIMETER_DATA"] == image().folder
    with container.running() as process:
        with HttpSender(container.places["OTLP/HTTP"]) as stranger:
            assert stranger.send(trace(span(1, **CALL))).status == 401
        with HttpSender(container.places["OTLP/HTTP"], "secret") as shop:
            assert shop.send(trace(span(1, **CALL))).acknowledged
        assert container.is_healthy()
        with urllib.request.urlopen(container.places["status"] + "/metrics") as answer:  # no token
            assert 'sender="shop"' in answer.read().decode()
        until((container.data / f"lake/calls/_delta_log/{1:020}.json").exists, "nothing is landed")
        report = container.run("cost", "--format", "json", "--chart", str(container.temporary / "cost.svg"))
        assert (report.returncode, report.stderr) == (0, "")
        process.send_signal(getattr(signal, image().stop_signal))
        assert process.wait(PATIENCE_S * 2) == 0
    assert not container.is_healthy()
    assert list(container.home.iterdir()) == []
    assert {path.stat().st_mode & 0o077 for path in container.data.rglob("*")} == {0}


def test_what_the_image_is_made_of_is_let_through_to_the_engine() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(image().copied) == kept
    assert all((ROOT / one).exists() for one in kept)
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {package.split("/")[0] for package in packages["packages"]} <= kept


def test_the_image_runs_as_nobody_in_particular() -> None:
    assert image().user == "10001:10001"
    chosen = VALUES["podSecurityContext"]
    assert f"{chosen['runAsUser']}:{chosen['runAsGroup']}" == image().user


def test_compose_has_the_collector_send_to_phoenix_what_it_cost() -> None:
    service = COMPOSE["services"]["taximeter"]
    config = load({}, image().environment | service["environment"]).config
    phoenix = config.forward["phoenix"]
    host, port = phoenix.endpoint.removeprefix("http://").split(":")
    assert any(place.endswith(f":{port}") for place in COMPOSE["services"][host]["ports"])
    assert (phoenix.enrich, phoenix.names, phoenix.signals) == (True, "phoenix", ("traces",))
    assert all(place.startswith("127.0.0.1:") for one in COMPOSE["services"].values() for place in one["ports"])
    assert any(volume.endswith(":" + image().volume) for volume in service["volumes"])
    version = re.search(r'"arize-phoenix==(.+)"', (ROOT / "tests/interop/backends.py").read_text())
    assert version
    assert COMPOSE["services"]["phoenix"]["image"] == f"arizephoenix/phoenix:version-{version[1]}"


def test_every_variable_in_deploy_is_a_setting() -> None:
    known = {environment_name(key) for key in keys(["phoenix", "ledger"])} | {"TAXIMETER_CONFIG"}
    files = [path for path in DEPLOY.rglob("*") if path.is_file()]
    named = {name for path in files for name in re.findall(r"\bTAXIMETER_[A-Z_]+[A-Z]\b(?!<)", path.read_text())}
    assert named - {"TAXIMETER_FORWARD"} <= known


@pytest.mark.parametrize(
    "text",
    [
        *(pytest.param(path.read_text(), id=str(path.relative_to(DEPLOY))) for path in DEPLOY.rglob("*.toml")),
        pytest.param(VALUES["config"], id="the chart"),
    ],
)
def test_settings_in_deploy_hold(text: str, tmp_path: Path) -> None:
    (tmp_path / "taximeter.toml").write_text(text)
    assert load({}, {}, tmp_path / "taximeter.toml").origins


def test_nobody_kills_a_collector_that_is_still_ending() -> None:
    """First the receiver is waited for, then the others."""
    config = load({}, image().environment | COMPOSE["services"]["taximeter"]["environment"]).config
    drains = [config.receive.drain_timeout_s * 2, *(one.drain_timeout_s for one in config.forward.values())]
    longest_s = 2 * (max(drains) + supervisor._KILL_AFTER_S)
    unit = dict(re.findall(r"^(\w+)=(.*)$", UNIT.read_text(), re.MULTILINE))
    assert int(unit["TimeoutStopSec"]) > longest_s
    assert unit["KillMode"] == "mixed"
    assert int(COMPOSE["services"]["taximeter"]["stop_grace_period"].removesuffix("s")) > longest_s
    assert VALUES["terminationGracePeriodSeconds"] > longest_s


def test_the_chart_has_a_schema_for_each_of_its_values() -> None:
    schema = json.loads((DEPLOY / "helm/taximeter/values.schema.json").read_text())

    def missing(values: dict[str, Any], described: dict[str, Any], path: str) -> Iterator[str]:
        for name, value in values.items():
            if name not in described["properties"]:
                yield path + name
            elif isinstance(value, dict) and "properties" in described["properties"][name]:
                yield from missing(value, described["properties"][name], f"{path}{name}.")

    assert list(missing(VALUES, schema, "")) == []
    used = "".join(path.read_text() for path in (DEPLOY / "helm/taximeter/templates").iterdir())
    assert set(re.findall(r"\.Values\.(\w+)", used)) == set(VALUES)


def test_alerts_ask_for_metrics_that_there_are() -> None:
    rules = [
        rule
        for group in yaml.safe_load((DEPLOY / "examples/prometheus-alerts.yaml").read_text())["groups"]
        for rule in group["rules"]
    ]
    known = {metric.prometheus_name: metric for metric in metrics.ALL}
    assert rules
    for rule in rules:
        asked = re.findall(r"\b(taximeter_\w+)(?:\{([^}]*)\})?", rule["expr"])
        assert asked or rule["alert"] == "TaximeterDown"
        for name, selectors in asked:
            assert set(re.findall(r"(\w+)[!=]", selectors)) <= set(known[name].labels)
        told = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
        assert told <= {"instance"}.union(*(known[name].labels for name, _ in asked)), rule["alert"]


@SYSTEMD
def test_the_unit_is_one_and_exposes_little(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/taximeter/bin/taximeter", command_path()))
    checked = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")
    exposed = ["systemd-analyze", "security", "--offline=true", "--threshold=15", str(unit)]
    assert subprocess.run(exposed, capture_output=True).returncode == 0


@SYSTEMD
@SECCOMP
def test_under_the_units_confinement_calls_are_landed_and_the_lake_is_tidied(tmp_path: Path) -> None:
    settings = {"TAXIMETER_RECEIVE_TOKENS": "shop=secret", "TAXIMETER_LAND_COMMIT_INTERVAL": "200ms"}
    confined = (sys.executable, str(ROOT / "tests/deploy/confined.py"), str(UNIT))
    container = Container(tmp_path, *confined, **settings, TAXIMETER_LAKE_UPKEEP_INTERVAL="1s")
    with container.running() as process:
        with HttpSender(container.places["OTLP/HTTP"], "secret") as shop:
            assert shop.send(trace(span(1, **CALL))).acknowledged

        def rows() -> bool:
            """The keeper tells of what a round has found."""
            with urllib.request.urlopen(container.places["status"] + "/metrics") as answer:
                told = answer.read().decode()
            assert not re.search(r"^taximeter_lake_upkeep_failures_total [1-9]", told, re.MULTILINE)
            return 'taximeter_lake_rows{table="calls"} 1' in told

        assert until(rows, "the lake is not tidied", patience_s=240)  # by a process that leaves others the processors
        process.terminate()
        assert process.wait(PATIENCE_S * 2) == 0


def test_what_came_through_two_edges_is_billed_once(tmp_path: Path) -> None:
    """An app's span through one, a gateway's of the same response through the other."""
    response = {"gen_ai.response.id": "chatcmpl-0123456789abcdef"}
    with ExitStack() as stack:
        ledger = stack.enter_context(collecting(tmp_path / "ledger", "--set", "land.commit_interval=200ms", lands=True))
        edges = [Collector(tmp_path / f"edge{number}", *_edge(ledger.http)) for number in (1, 2)]
        for edge in edges:
            stack.callback(edge.kill)
        for number, edge in enumerate(edges, 1):
            with HttpSender(edge.listening().http) as sender:
                assert sender.send(trace(span(number, trace_id=number, **CALL, **response))).acknowledged
        assert _billed(ledger) == [False, True]
        for edge in edges:
            edge.process.terminate()
        assert [edge.process.wait(PATIENCE_S * 2) for edge in edges] == [0, 0]


def _edge(ledger: str) -> list[str]:
    """The example's settings of the destination, with another place."""
    settings = tomllib.loads((DEPLOY / "examples/edge/taximeter.toml").read_text())["forward"]["ledger"]
    told = settings | {"endpoint": ledger}
    return [f"--set=forward.ledger.{name}={json.dumps(value).strip(chr(34))}" for name, value in told.items()]


def _billed(ledger: Collector) -> list[bool]:
    folder = ledger.data / "lake/calls"

    def look() -> list[bool]:
        is_there = DeltaTable.is_deltatable(str(folder))
        found = DeltaTable(folder).to_pyarrow_table()["billable"].to_pylist() if is_there else []
        return sorted(found) if len(found) == 2 else []

    return until(look, f"not both are landed; the log: {ledger.said()}")


def test_docs_tell_of_every_file() -> None:
    told = (ROOT / "docs/deploy.md").read_text()
    files = [path.relative_to(ROOT) for path in DEPLOY.rglob("*") if path.is_file()]
    top = {path if path.parts[1] != "helm" else Path(*path.parts[:3]) for path in files}
    assert [str(path) for path in sorted(top) if f"](../{path})" not in told] == []
