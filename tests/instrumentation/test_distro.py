"""The distribution fills gaps, and steps back where somebody chose."""

from __future__ import annotations

import os

import pytest
from taximeter.distro import TaximeterDistro, program_name

PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"


@pytest.fixture(autouse=True)
def no_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    for name in ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER", PROTOCOL):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_defaults() -> None:
    TaximeterDistro().configure()
    assert os.environ[PROTOCOL] == "http/protobuf"
    assert os.environ["OTEL_TRACES_EXPORTER"] == "otlp"


def test_choices_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    monkeypatch.setenv(PROTOCOL, "grpc")
    TaximeterDistro().configure()
    assert (os.environ["OTEL_TRACES_EXPORTER"], os.environ[PROTOCOL]) == ("console", "grpc")


def test_a_grpc_endpoint_without_the_grpc_exporter_is_still_tried_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317")
    monkeypatch.setattr("taximeter.distro.find_spec", lambda name: None)
    TaximeterDistro().configure()
    assert os.environ[PROTOCOL] == "http/protobuf"


def test_a_grpc_endpoint_with_the_grpc_exporter_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317")
    monkeypatch.setattr("taximeter.distro.find_spec", lambda name: object())
    TaximeterDistro().configure()
    assert PROTOCOL not in os.environ


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("python app.py --x 1", "app"),
        ("python -u -W ignore -X dev dir/app.py", "app"),
        ("python -m shop.checkout run", "shop.checkout"),
        ("python /venv/bin/gunicorn app:app", "gunicorn"),
        ("python -c pass", None),
        ("python", None),
        ("python -", None),
    ],
)
def test_a_service_is_named_after_its_program(command: str, name: str | None) -> None:
    assert program_name(command.split()) == name
