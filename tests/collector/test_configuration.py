"""Settings: where they come from, which wins, and what is said about those that cannot be used."""

from __future__ import annotations

import io
import json
import tomllib
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from taximeter_cli.main import main
from taximeter_collector.configuration import Config, ConfigError, environment_name, keys, load
from taximeter_collector.receive.config import ReceiveConfig

KEYS = list(keys())
# For each setting a value that is not the default, and that goes with the defaults of the others.
OTHER = {
    "data": "/elsewhere",
    "receive.http": "127.0.0.1:1",
    "receive.grpc": "off",
    "receive.status": "0.0.0.0:3",
    "receive.tokens": "shop=abc,till=def",
    "receive.token_file": "/secrets/tokens",
    "receive.tls_certificate": "/secrets/certificate.pem",
    "receive.tls_key": "/secrets/key.pem",
    "receive.tls_client_ca": "/secrets/ca.pem",
    "receive.allow_unauthenticated": "true",
    "receive.cors_origins": "https://a.example,https://*.b.example",
    "receive.max_request": "1MiB",
    "receive.max_json_request": "2KiB",
    "receive.memory": "1GiB",
    "receive.request_timeout": "1500ms",
    "receive.idle_timeout": "2h",
    "receive.max_connections": "7",
    "receive.drain_timeout": "0s",
    "journal.dir": "elsewhere",
    "journal.segment_size": "1MiB",
    "journal.max_size": "1TiB",
    "journal.max_age": "7d",
    "journal.at_limit": "drop-oldest",
    "lake.dir": "/elsewhere/lake",
    "lake.compression_level": "3",
    "lake.target_file_size": "16MiB",
    "lake.upkeep_interval": "5m",
    "lake.grace": "1h",
    **{f"lake.{table}_max_age": "90d" for table in ("calls", "spans", "logs", "metrics", "content")},
    **{f"lake.{table}_max_size": "10GiB" for table in ("calls", "spans", "logs", "metrics", "content")},
    "land.enabled": "false",
    "land.content": "false",
    "land.commit_interval": "500ms",
    "land.commit_size": "32MiB",
    "land.commit_calls": "20000",
    "land.batch_size": "4MiB",
    "redact.patterns": "email,api-key",
    "redact.keys": "a,b*",
    "redact.drop": "c",
    "telemetry.otlp_endpoint": "http://localhost:4318",
    "telemetry.otlp_headers": "authorization=Bearer%20abc",
    "telemetry.interval": "90s",
    "log.level": "debug",
    "log.format": "text",
}
# Settings that only go with another one.
WITH = {
    "receive.tls_certificate": {"receive.tls_key": "/k"},
    "receive.tls_key": {"receive.tls_certificate": "/c"},
    "receive.tls_client_ca": {"receive.tls_certificate": "/c", "receive.tls_key": "/k"},
    "telemetry.otlp_headers": {"telemetry.otlp_endpoint": "http://localhost:4318"},
}
SECRET = [name for name, key in keys().items() if key.setting.secret]
OPEN = [name for name in KEYS if name not in SECRET]


def toml(values: Mapping[str, Any]) -> str:
    """A file with these settings, each by its dotted name."""
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())


def environment(values: Mapping[str, str]) -> dict[str, str]:
    return {environment_name(name): value for name, value in values.items()}


def value_of(config: Config, name: str) -> Any:
    key = keys()[name]
    return getattr(getattr(config, key.section) if key.section else config, key.field)


def problems_of(
    flags: Mapping[str, str] | None = None, variables: Mapping[str, str] | None = None, file: Path | None = None
) -> list[str]:
    with pytest.raises(ConfigError) as problem:
        load(flags or {}, variables or {}, file)
    return problem.value.problems


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is found by chance."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some.toml"


# Where they come from


def test_there_is_another_value_for_each_setting_here() -> None:
    assert set(OTHER) == set(KEYS)
    for name in KEYS:
        assert keys()[name].setting.read(OTHER[name]) != value_of(load({}, {}).config, name), name


@pytest.mark.parametrize("name", OPEN)
def test_a_setting_can_be_made_in_the_file_the_environment_and_a_flag(name: str, file: Path) -> None:
    wanted, also = OTHER[name], WITH.get(name, {})
    file.write_text(toml(also | {name: wanted}))
    from_file = load({}, {}, file)
    from_environment = load({}, environment(also | {name: wanted}))
    from_flag = load(also | {name: wanted}, {})
    values = [value_of(each.config, name) for each in (from_file, from_environment, from_flag)]
    assert values[0] == values[1] == values[2] != value_of(load({}, {}).config, name)
    assert from_file.origins[name] == str(file)
    assert from_environment.origins[name] == "environment"
    assert from_flag.origins[name] == "command line"


@pytest.mark.parametrize("name", SECRET)
def test_a_secret_can_be_made_in_the_environment_only(name: str, file: Path) -> None:
    also = WITH.get(name, {})
    assert value_of(load({}, environment(also | {name: OTHER[name]})).config, name)
    file.write_text(toml(also | {name: OTHER[name]}))
    wanted = f"{name} (%s): a secret; set {environment_name(name)} instead"
    assert problems_of(file=file) == [wanted % file]
    assert problems_of(also | {name: OTHER[name]}) == [wanted % "command line"]


def test_the_environment_wins_over_the_file_and_a_flag_over_both(file: Path) -> None:
    file.write_text('[receive]\nmax_connections = 1\nrequest_timeout = "1s"\nidle_timeout = "1s"\n')
    variables = {"TAXIMETER_RECEIVE_REQUEST_TIMEOUT": "2s", "TAXIMETER_RECEIVE_IDLE_TIMEOUT": "2s"}
    found = load({"receive.idle_timeout": "3s"}, variables, file)
    receive = found.config.receive
    assert (receive.max_connections, receive.request_timeout_s, receive.idle_timeout_s) == (1, 2, 3)
    assert found.origins == {
        "receive.max_connections": str(file),
        "receive.request_timeout": "environment",
        "receive.idle_timeout": "command line",
    }


def test_the_file_is_the_one_named_or_the_one_here_or_that_of_the_user(tmp_path: Path, file: Path) -> None:
    def connections(*, named: Path | None = None, variable: Path | None = None) -> int:
        variables = {"TAXIMETER_CONFIG": str(variable)} if variable else {}
        return load({}, variables, named).config.receive.max_connections

    (tmp_path / "config" / "taximeter").mkdir(parents=True)
    places = [tmp_path / "config" / "taximeter" / "taximeter.toml", Path("taximeter.toml"), tmp_path / "v.toml", file]
    assert connections() == ReceiveConfig().max_connections
    for number, place in enumerate(places, 1):
        place.write_text(f"receive.max_connections = {number}")
    assert connections(variable=places[2], named=file) == 4
    assert connections(variable=places[2]) == 3
    assert connections() == 2
    places[1].unlink()
    assert connections() == 1


def test_toml_may_have_its_own_kinds_of_values(file: Path) -> None:
    file.write_text(
        """
        [receive]
        http = false
        allow_unauthenticated = true
        max_request = 2048
        max_connections = 12
        cors_origins = ["https://a.example", "https://b.example:8443"]
        """
    )
    receive = load({}, {}, file).config.receive
    assert (receive.http, receive.allow_unauthenticated) == (None, True)
    assert (receive.max_request, receive.max_connections) == (2048, 12)
    assert receive.cors_origins == ("https://a.example", "https://b.example:8443")


# What cannot be used


def test_everything_that_is_wrong_is_said_at_once_with_key_origin_and_reason(file: Path) -> None:
    file.write_text(
        """
        [receive]
        htpp = "127.0.0.1:4318"
        max_request = "a lot"
        max_connections = -1
        [journal]
        max_age = 30
        at_limit = "panic"
        [nonsense]
        [lake]
        """
    )
    variables = {"TAXIMETER_RECEIVE_GPRC": "127.0.0.1:1", "TAXIMETER_RECEIVE_GRPC": "4317", "TAXIMETER_LOG_LEVEL": ""}
    flags = {"receive.idle_timeout": "0s", "receive.allow_unauthenticated": "perhaps", "journal.segment_size": "2GiB"}
    assert problems_of(flags, variables, file) == [
        "TAXIMETER_RECEIVE_GPRC (environment): unknown variable; did you mean TAXIMETER_RECEIVE_GRPC?",
        f"receive.htpp ({file}): unknown key; did you mean receive.http?",
        f"receive.max_request = 'a lot' ({file}): expected a size such as '64MiB'",
        f"receive.max_connections = -1 ({file}): expected a whole number",
        f"journal.max_age = 30 ({file}): expected a duration with its unit, such as '30s' or '7d'",
        f"journal.at_limit = 'panic' ({file}): expected 'refuse' or 'drop-oldest'",
        f"nonsense ({file}): unknown key",
        "receive.grpc = '4317' (environment): expected HOST:PORT such as '127.0.0.1:4318', or 'off'",
        "log.level = '' (environment): expected 'debug' or 'info' or 'warning' or 'error'",
        "receive.idle_timeout = '0s' (command line): expected at least 0.1s",
        "receive.allow_unauthenticated = 'perhaps' (command line): expected true or false",
        "journal.segment_size = '2GiB' (command line): expected at most 1GiB",
    ]


def test_a_file_that_cannot_be_read_or_is_no_toml_is_said(file: Path) -> None:
    assert problems_of(file=file) == [f"{file}: cannot be read: No such file or directory"]
    file.write_text("[receive\n")
    (problem,) = problems_of(file=file)
    assert problem.startswith(f"{file}: is not TOML: ")
    file.write_bytes(b"\xff\xfe")
    (problem,) = problems_of(file=file)
    assert problem.startswith(f"{file}: is not TOML: ")


@pytest.mark.parametrize(
    ("section", "suggestion"),
    [
        ("[recieve]\nhttp = 1", "recieve.http (%s): unknown key; did you mean receive.http?"),
        ("[lake.x]", "lake.x (%s): unknown key"),
        ("receive = 1", "receive (%s): unknown key"),
    ],
)
def test_a_section_that_is_none_is_said(section: str, suggestion: str, file: Path) -> None:
    file.write_text(section)
    (problem,) = problems_of(file=file)
    assert problem.startswith(suggestion % file)


def test_what_nobody_knows_is_said_without_a_suggestion_that_would_mislead() -> None:
    assert problems_of({"xyzzy": "1"}) == ["xyzzy (command line): unknown key"]


@pytest.mark.parametrize(
    "value",
    ["9" * 5000 + "MiB", "1e3", "-1MiB", "1 parsec", "\u0663MiB", "NaN", "inf", "", "MiB", True, [], {"a": 1}, 1.5e300],
)
def test_a_size_that_is_none_is_refused_and_nothing_worse(value: object) -> None:
    with pytest.raises(ValueError, match="a size such as '64MiB'"):
        keys()["receive.max_request"].setting.read(value)


@pytest.mark.parametrize(
    "value", ["4318", "a:b", "host:65536", "host:-1", "::1:4318", "[::1]", "on", True, 4318, ["a:1"]]
)
def test_an_address_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        keys()["receive.http"].setting.read(value)


@pytest.mark.parametrize("value", ["shop", "shop=", "=abc", "shop=a,shop=b", "a=b,c"])
def test_tokens_that_cannot_be_told_apart_are_refused_without_being_shown(value: str) -> None:
    assert problems_of(variables={"TAXIMETER_RECEIVE_TOKENS": value}) == [
        "receive.tokens = *** (environment): expected NAME=TOKEN,NAME=TOKEN with a different name for each"
    ]


# Variables of others


def test_what_kubernetes_puts_beside_a_service_of_our_name_is_not_ours() -> None:
    variables = {
        "TAXIMETER_SERVICE_HOST": "10.0.0.1",
        "TAXIMETER_SERVICE_PORT": "4318",
        "TAXIMETER_SERVICE_PORT_OTLP_HTTP": "4318",
        "TAXIMETER_PORT": "tcp://10.0.0.1:4318",
        "TAXIMETER_PORT_4318_TCP": "tcp://10.0.0.1:4318",
        "TAXIMETER_PORT_4318_TCP_PROTO": "tcp",
        "TAXIMETER_PORT_4318_TCP_PORT": "4318",
        "TAXIMETER_PORT_4318_TCP_ADDR": "10.0.0.1",
    }
    beside_another = {name.replace("TAXIMETER_", "TAXIMETER_COLLECTOR_"): value for name, value in variables.items()}
    assert load({}, variables | beside_another).origins == {}


def test_variables_of_another_part_of_taximeter_are_not_ours_and_others_of_the_prefix_are_unknown() -> None:
    assert load({}, {"TAXIMETER_BAGGAGE": "x", "OTEL_SERVICE_NAME": "x"}, others=["TAXIMETER_BAGGAGE"]).origins == {}
    assert problems_of(variables={"TAXIMETER_BAGGAGE": "x"}) == ["TAXIMETER_BAGGAGE (environment): unknown variable"]


# Contradictions


@pytest.mark.parametrize("key", ["receive.http", "receive.grpc"])
@pytest.mark.parametrize("place", ["0.0.0.0:4318", "[::]:4318", ":4318", "127.evil.example:1", "10.0.0.1:4318"])
def test_to_listen_beyond_this_machine_takes_authentication_or_a_word(key: str, place: str) -> None:
    (problem,) = problems_of({key: place})
    assert problem.startswith(f"{key} = '{keys()[key].setting.read(place)}': other machines could send")
    load({key: place, "receive.allow_unauthenticated": "yes"}, {})
    load({key: place, "receive.token_file": "/tokens"}, {})
    load({key: place}, {"TAXIMETER_RECEIVE_TOKENS": "a=b"})
    tls = {"receive.tls_certificate": "/c", "receive.tls_key": "/k"}
    assert len(problems_of({key: place} | tls)) == 1
    load({key: place, "receive.tls_client_ca": "/ca"} | tls, {})


@pytest.mark.parametrize("place", ["localhost:1", "127.0.0.1:1", "127.9.9.9:1", "[::1]:1"])
def test_to_listen_on_this_machine_takes_nothing(place: str) -> None:
    load({"receive.http": place, "receive.grpc": place}, {})


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ({"receive.http": "off", "receive.grpc": "off"}, "receive.http, receive.grpc: both are off"),
        ({"receive.tls_certificate": "/c"}, "receive.tls_certificate: needs receive.tls_key"),
        ({"receive.tls_key": "/k"}, "receive.tls_key, receive.tls_client_ca: need receive.tls_certificate"),
        ({"receive.tls_client_ca": "/a"}, "receive.tls_key, receive.tls_client_ca: need receive.tls_certificate"),
        ({"receive.cors_origins": "*"}, "receive.cors_origins: '*' is no origin, or would let every page"),
        ({"receive.cors_origins": "https://*"}, "receive.cors_origins: 'https://*' is no origin, or would"),
        ({"receive.cors_origins": "https://a.example/"}, "receive.cors_origins: 'https://a.example/' is no origin"),
        ({"receive.cors_origins": "a.example"}, "receive.cors_origins: 'a.example' is no origin"),
        ({"receive.memory": "1MiB"}, "receive.memory: must be at least receive.max_request"),
        ({"journal.max_size": "100MiB"}, "journal.max_size: must be at least twice journal.segment_size"),
        (
            {"journal.max_size": "64MiB", "journal.segment_size": "1MiB"},
            "journal.max_size: must be a third more than receive.max_request",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(flags: dict[str, str], problem: str) -> None:
    (found,) = problems_of(flags)
    assert found.startswith(problem)


def test_headers_without_an_endpoint_are_refused_without_being_shown() -> None:
    variables = {"TAXIMETER_TELEMETRY_OTLP_HEADERS": "authorization=top-secret"}
    assert problems_of(variables=variables) == ["telemetry.otlp_headers: needs telemetry.otlp_endpoint"]


@pytest.mark.parametrize("origin", ["https://app.example.com", "https://*.example.com", "http://localhost:3000"])
def test_origins_can_be_named(origin: str) -> None:
    assert load({"receive.cors_origins": origin}, {}).config.receive.cors_origins == (origin,)


def test_contradictions_are_said_all_at_once() -> None:
    assert len(problems_of({"receive.http": ":1", "receive.grpc": ":2", "receive.tls_key": "/k"})) == 3


# Folders


def test_relative_folders_are_below_the_data_folder_and_absolute_ones_are_where_they_are(tmp_path: Path) -> None:
    config = load({"data": "some", "lake.dir": str(tmp_path / "lake")}, {}).config
    assert config.data == tmp_path / "here" / "some"
    assert config.journal.dir == config.data / "journal"
    assert config.lake.dir == tmp_path / "lake"
    assert config.run_folder == config.data / "run"


def test_data_is_where_the_platform_keeps_data_unless_told_otherwise(tmp_path: Path) -> None:
    assert load({}, {}).config.data.name == "taximeter"
    assert load({"data": "~/taxi"}, {}).config.data == Path.home() / "taxi"


# `taximeter config`


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["config", "show", *arguments]) == 0
    return capsys.readouterr().out


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
_FOLDER = _TEXT.map(lambda text: "/" + text.strip().strip("/"))
_SIZE = st.integers(1 << 20, 100 << 20).map(lambda size: f"{size}B")
_DURATION = st.one_of(
    st.integers(1, 10**9).map(lambda count: f"{count}s"),
    st.decimals(1, 10**6, places=3).map(lambda count: f"{count}s"),
    st.integers(1, 1000).flatmap(lambda count: st.sampled_from([f"{count}m", f"{count}h", f"{count}d"])),
    st.integers(1000, 10**9).map(lambda count: f"{count}ms"),
)
_BY_KIND: dict[str, st.SearchStrategy[str]] = {
    "size": _SIZE,
    "duration": _DURATION,
    "text": _TEXT,
    "flag": st.sampled_from(["true", "false", "1", "off"]),
    "address": st.one_of(
        st.integers(0, 65535).map(lambda port: f"127.0.0.1:{port}"), st.sampled_from(["[::1]:0", "localhost:9"])
    ),
    "path": _FOLDER,
    "list": st.lists(st.sampled_from(["https://a.example", "https://*.b.example", "http://c:*"])).map(",".join),
}


def _any_value(name: str) -> st.SearchStrategy[str]:
    setting = keys()[name].setting
    if name.endswith("max_size"):
        return st.integers(2 << 30, 1 << 50).map(lambda size: f"{size}B")
    if name.endswith("memory"):
        return st.integers(1 << 30, 1 << 40).map(lambda size: f"{size}B")
    if name.endswith("endpoint"):
        return st.sampled_from(["", "http://localhost:4318", "https://a.example/otlp"])
    if setting.kind.name == "choice":
        return st.sampled_from([OTHER[name], str(setting.default)])
    if setting.kind.name == "count":
        return st.integers(int(setting.at_least or 1), int(setting.at_most or 10**9)).map(str)
    if setting.kind.name == "duration" and (setting.at_least or setting.at_most):
        most = int((setting.at_most or 10**6) * 1000)
        return st.integers(int((setting.at_least or 0.001) * 1000), most).map(lambda count: f"{count}ms")
    return _BY_KIND[setting.kind.name]


_PLAIN = [name for name in OPEN if "tls" not in name]


@settings(max_examples=60, deadline=None)
@given(chosen=st.fixed_dictionaries({}, optional={name: _any_value(name) for name in _PLAIN}))
def test_what_is_shown_is_a_file_that_gives_the_same_settings(
    chosen: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    wanted = load(chosen, {})
    out = io.StringIO()
    with redirect_stdout(out):
        assert main(["config", "show", *(f"--set={name}={value}" for name, value in chosen.items())]) == 0
    file = tmp_path_factory.mktemp("shown") / "taximeter.toml"
    file.write_text(out.getvalue(), "utf-8")
    assert load({}, {}, file).config == wanted.config


def test_each_setting_is_shown_with_its_sentence_origin_and_variable(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, "--set", "receive.max_connections=7")
    assert "max_connections = 7  # command line; TAXIMETER_RECEIVE_MAX_CONNECTIONS\n" in out
    assert 'http = "127.0.0.1:4318"  # default; TAXIMETER_RECEIVE_HTTP\n' in out
    for name, key in keys().items():
        assert f"# {key.setting.sentence}\n" in out
        assert environment_name(name) in out


def test_settings_are_shown_for_programs_too(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(shown(capsys, "--json", "--set", "receive.http=off"))
    assert list(document) == KEYS
    assert document["receive.http"] == {"value": "off", "from": "command line"}
    assert document["journal.max_age"] == {"value": "0s", "from": "default"}


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_secrets_are_never_shown(
    form: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAXIMETER_RECEIVE_TOKENS", "shop=top-secret")
    monkeypatch.setenv("TAXIMETER_TELEMETRY_OTLP_HEADERS", "authorization=top-secret")
    out = shown(capsys, "--set", "telemetry.otlp_endpoint=http://x", *form)
    assert "top-secret" not in out
    assert out.count("***") == 2
    if not form:
        assert set(tomllib.loads(out)["receive"]) & {"tokens"} == set()


def test_check_says_ok_or_each_problem_on_a_line_of_its_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["config", "check"]) == 0
    assert capsys.readouterr().out.startswith("ok; settings given: 0")
    Path("taximeter.toml").write_text("[receive]\nhtpp = 1\nmax_connections = 0\n")
    assert main(["config", "check"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        "taximeter: receive.htpp (taximeter.toml): unknown key; did you mean receive.http?",
        "taximeter: receive.max_connections = 0 (taximeter.toml): expected at least 1",
    ]


def test_check_looks_into_the_files_that_settings_name(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    check = ["config", "check", "--set", f"receive.token_file={tokens}"]
    assert main(check) == 2
    assert f"cannot read the token file {tokens}" in capsys.readouterr().err
    tokens.write_text("shop\n")
    assert main(check) == 2
    assert capsys.readouterr().err == f"taximeter: {tokens}, line 1: expected `NAME TOKEN`\n"
    tokens.write_text("shop top-secret\n")
    assert main(check) == 0
    assert "top-secret" not in capsys.readouterr().out
    tls = ["--set", f"receive.tls_certificate={tokens}", "--set", f"receive.tls_key={tokens}"]
    assert main([*check, *tls]) == 2
    told = capsys.readouterr().err
    assert told.startswith("taximeter: the certificate, its key or the clients' CA cannot be used")
    assert "top-secret" not in told
