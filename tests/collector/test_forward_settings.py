"""Settings of destinations: sections, variables, flags, presets, and what is said about those that cannot be used."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from taximeter_cli.main import main
from taximeter_collector.configuration import ConfigError, Configuration, load
from taximeter_collector.forward.answers import of_http
from taximeter_collector.forward.config import Destination
from taximeter_collector.forward.credentials import Credentials, CredentialsError
from taximeter_collector.forward.credentials import load as credentials_of
from taximeter_collector.forward.endpoint import EndpointError, endpoint
from taximeter_collector.forward.presets import preset, presets
from taximeter_collector.forward.sections import destination_keys, of_flag, of_variable
from taximeter_collector.forward.sender import endpoints
from taximeter_collector.forward.treatment.names import NAMES

WHERE = {"forward.shop.endpoint": "http://localhost:4318"}


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is found by chance."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def problems_of(flags: Mapping[str, str], variables: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as problem:
        load(flags, variables or {})
    return problem.value.problems


def destination(
    flags: Mapping[str, str], variables: Mapping[str, str] | None = None, name: str = "shop"
) -> Destination:
    return load(flags, variables or {}).config.forward[name]


def shown(found: Configuration, name: str) -> list[str]:
    return [place.shown for place in endpoints(found.config.forward[name]).values()]


# Where they come from


def test_a_destination_is_made_by_a_section_a_variable_or_a_flag(tmp_path: Path) -> None:
    file = tmp_path / "some.toml"
    file.write_text('[forward.one]\nendpoint = "http://a:1"\ntimeout = "7s"\n')
    variables = {"TAXIMETER_FORWARD_TWO_ENDPOINT": "http://b:1", "TAXIMETER_FORWARD_ONE_TIMEOUT": "8s"}
    found = load({"forward.three.endpoint": "http://c:1", "forward.one.requests": "2"}, variables, file)
    assert {name: one.endpoint for name, one in found.config.forward.items()} == {
        "one": "http://a:1",
        "two": "http://b:1",
        "three": "http://c:1",
    }
    one = found.config.forward["one"]
    assert (one.timeout_s, one.requests) == (8, 2)
    assert found.origins["forward.one.timeout"] == "environment"
    assert found.origins["forward.one.endpoint"] == str(file)


def test_a_variable_is_of_the_destination_that_is_known_by_that_name() -> None:
    variables = {"TAXIMETER_FORWARD_MY_SHOP_TLS_KEY": "/k", "TAXIMETER_FORWARD_MY_SHOP_TLS_CERTIFICATE": "/c"}
    found = load({"forward.my-shop.endpoint": "https://a.example"}, variables).config
    assert list(found.forward) == ["my-shop"]
    assert found.forward["my-shop"].tls_key == Path("/k")


@pytest.mark.parametrize("ending", destination_keys())
def test_where_a_setting_ends_as_another_does_the_longer_one_is_meant(ending: str) -> None:
    assert of_variable(f"FORWARD_MY_SHOP_{ending.upper()}") == f"forward.my_shop.{ending}"


@pytest.mark.parametrize(
    ("told", "name", "endpoint"),
    [
        ("http://localhost:4318", "localhost-4318", "http://localhost:4318"),
        ("back=https://a.example/otlp?x=1", "back", "https://a.example/otlp?x=1"),
        ("grpcs://Otel.Example.com:443", "otel-example-com-443", "grpcs://Otel.Example.com:443"),
        ("phoenix", "phoenix", "http://localhost:6006"),
        ("phoenix=http://there:6006", "phoenix", "http://there:6006"),
    ],
)
def test_the_flag_takes_a_url_with_or_without_a_name_or_a_preset(told: str, name: str, endpoint: str) -> None:
    assert load(of_flag(told), {}).config.forward[name].endpoint == endpoint


# Presets


@pytest.mark.parametrize("name", presets())
def test_each_preset_can_be_used_as_it_is_or_says_what_it_needs(name: str) -> None:
    flags = {f"forward.{name}.preset": name}
    if name in ("grafana-cloud", "signoz"):
        assert problems_of(flags)[0].startswith(f"forward.{name}.region: needed for the endpoint https://")
        flags[f"forward.{name}.region"] = "eu"
    found = load(flags, {})
    assert found.config.forward[name].names in NAMES
    assert all(
        re.fullmatch(r"https?://[a-z0-9.-]+:\d+(/\S*)?/v1/(traces|metrics|logs)", url) for url in shown(found, name)
    )
    assert preset(name).sources


def test_settings_of_a_preset_are_below_all_others_and_said_to_be_from_it(tmp_path: Path) -> None:
    found = load({"forward.langfuse.region": "us.cloud"}, {"TAXIMETER_FORWARD_LANGFUSE_KEY": "pk:sk"})
    assert shown(found, "langfuse") == ["https://us.cloud.langfuse.com:443/api/public/otel/v1/traces"]
    assert found.origins["forward.langfuse.signals"] == "preset langfuse"
    assert found.origins["forward.langfuse.region"] == "command line"
    headers = credentials_of(found.config.forward["langfuse"]).headers
    assert headers == {"x-langfuse-ingestion-version": "4", "authorization": "Basic cGs6c2s="}


def test_a_section_may_have_another_preset_or_none(tmp_path: Path) -> None:
    file = tmp_path / "some.toml"
    file.write_text("[forward.phoenix]\n")
    assert load({}, {}, file).config.forward["phoenix"].endpoint == "http://localhost:6006"
    other = load({"forward.mine.preset": "honeycomb"}, {"TAXIMETER_FORWARD_MINE_KEY": "abc"})
    assert credentials_of(other.config.forward["mine"]).headers == {"x-honeycomb-team": "abc"}


def test_presets_can_be_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forward", "presets"]) == 0
    told = capsys.readouterr().out
    assert all(f"{name}: {preset(name).title}" in told for name in presets())


# What cannot be used


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"forward.shop.timeout": "3s"}, "forward.shop.endpoint: needed, such as 'http://localhost:4318'"),
        (
            WHERE | {"forward.shop.timeuot": "3s"},
            "forward.shop.timeuot (command line): unknown key; did you mean forward.shop.timeout?",
        ),
        (
            WHERE | {"forward.shop.key": "abc"},
            "forward.shop.key (command line): a secret; set TAXIMETER_FORWARD_SHOP_KEY instead",
        ),
        (WHERE | {"forward.shop.preset": "phenix"}, "forward.shop.preset = 'phenix': expected one of datadog,"),
        (
            WHERE | {"forward.shop.tls_key": "/k"},
            "forward.shop.tls_certificate, forward.shop.tls_key: each needs the other",
        ),
        (WHERE | {"forward.shop.tls_ca": "/k"}, "forward.shop.endpoint: http://localhost:4318/v1/traces is not TLS;"),
        (
            WHERE | {"forward.shop.headers": "authorization=Bearer x"},
            "forward.shop.headers: 'authorization' looks like a secret;",
        ),
        (
            WHERE | {"forward.shop.headers": "a b"},
            "forward.shop.headers = 'a b' (command line): expected headers such as",
        ),
        ({"forward.shop.endpoint": "http://me:secret@a.example"}, "forward.shop.endpoint: a URL with a password in it"),
        (
            WHERE | {"forward.shop.names": "langfuze"},
            "forward.shop.names: nobody's names for cost are called 'langfuze'",
        ),
        ({"forward.shop.endpoint": "localhost:4318"}, "forward.shop.endpoint: expected a URL such as"),
        (
            {"forward.shop.endpoint": "http://localhost:4317", "forward.shop.compression": "zstd"},
            "forward.shop.endpoint: compression 'zstd' is for HTTP;",
        ),
        (
            {"forward.shop.endpoint": "grpc://a:1", "forward.shop.protocol": "http"},
            "forward.shop.endpoint: grpc:// and protocol 'http' contradict each other",
        ),
        ({"forward.Shop.endpoint": "http://a"}, "forward.Shop: expected a name of a-z, 0-9, '-' and '_'"),
        (
            {"forward.a-b.endpoint": "http://a", "forward.a_b.endpoint": "http://a"},
            "forward.a_b: has the same variables as forward.a-b",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_used_is_said_with_its_key(flags: dict[str, str], said: str) -> None:
    found = problems_of(flags)
    assert any(one.startswith(said) for one in found), found


def test_a_password_in_a_url_is_not_repeated() -> None:
    assert "hunter2" not in "".join(problems_of({"forward.shop.endpoint": "http://me:hunter2@a.example"}))


def test_a_variable_of_no_setting_is_an_error() -> None:
    (problem,) = problems_of(WHERE, {"TAXIMETER_FORWARD_SHOP_TIMEOUTT": "3s"})
    assert problem == (
        "TAXIMETER_FORWARD_SHOP_TIMEOUTT (environment): unknown variable; did you mean TAXIMETER_FORWARD_SHOP_TIMEOUT?"
    )


@pytest.mark.parametrize(
    ("key", "content", "said"),
    [
        ("key_file", None, "cannot be read: No such file or directory"),
        ("key_file", b"a\x00b", "the header authorization has characters in it"),
        ("headers_file", b"just words", "line 1: expected NAME: VALUE"),
        ("headers_file", b"\xff", "is not text"),
        ("tls_ca", b"no certificate", "the certificates cannot be used"),
    ],
)
def test_files_are_read_by_config_check_and_nothing_in_them_is_told(
    tmp_path: Path, key: str, content: bytes | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    flags = {"forward.shop.endpoint": "https://localhost:4318", f"forward.shop.{key}": str(file)}
    with pytest.raises(CredentialsError, match=re.escape(said)):
        credentials_of(destination(flags))
    assert (
        main(["config", "check", *(part for key, value in flags.items() for part in ("--set", f"{key}={value}"))]) == 2
    )
    told = capsys.readouterr().err
    assert said in told
    assert "just words" not in told


# What is shown


def test_what_is_shown_is_a_file_that_means_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--set", "forward.my-shop.endpoint=http://a:1", "--set", "forward.my-shop.services=a,b"]
    assert main(["config", "show", *flags]) == 0
    file = tmp_path / "shown.toml"
    file.write_text(capsys.readouterr().out)
    again = load({}, {}, file).config.forward["my-shop"]
    assert (
        again
        == load({"forward.my-shop.endpoint": "http://a:1", "forward.my-shop.services": "a,b"}, {}).config.forward[
            "my-shop"
        ]
    )
    assert main(["config", "show", "--json", *flags]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told["forward.my-shop.endpoint"] == {"value": "http://a:1", "from": "command line"}


def test_credentials_have_no_secrets_in_how_they_are_shown() -> None:
    found = credentials_of(destination(WHERE, {"TAXIMETER_FORWARD_SHOP_KEY": "hunter2"}))
    assert isinstance(found, Credentials)
    assert "hunter2" not in repr(found)
    assert "hunter2" not in repr(load(WHERE, {"TAXIMETER_FORWARD_SHOP_KEY": "hunter2"}))
    assert found.told("Bearer hunter2 is wrong, hunter2!") == "*** is wrong, ***!"


def test_a_key_that_is_sent_in_base64_is_not_told_as_it_is_either() -> None:
    key = {"TAXIMETER_FORWARD_SHOP_KEY": "pk-public:sk-private"}
    found = credentials_of(destination(WHERE | {"forward.shop.key_form": "basic"}, key))
    assert isinstance(found, Credentials)
    assert found.told("no such key: sk-private, pk-public:sk-private") == "no such key: ***, ***"


def test_a_secret_at_the_end_of_a_long_message_is_not_told_in_part() -> None:
    found = credentials_of(destination(WHERE, {"TAXIMETER_FORWARD_SHOP_KEY": "hunter2hunter2"}))
    assert isinstance(found, Credentials)
    assert "hunter" not in found.told(of_http(401, {}, b"x" * 290 + b" hunter2hunter2", "traces").message)


@pytest.mark.parametrize("url", ["ftp://u:hunter2@host", "http://u:hunter2@host:port", "host?key=hunter2"])
def test_a_url_that_cannot_be_used_is_told_without_what_may_be_secret(url: str) -> None:
    with pytest.raises(EndpointError) as problem:
        endpoint(url)
    assert "hunter2" not in str(problem.value)
