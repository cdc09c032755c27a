"""`taximeter connect`: what a tool is told, and how that gets into its own file and out of it again."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from taximeter_cli.connecting import env_text, json_text, toml_text
from taximeter_cli.connecting.catalogue import named, names
from taximeter_cli.connecting.choosing import chosen
from taximeter_cli.connecting.places import Place, file_of
from taximeter_cli.connecting.unfit import Unfit
from taximeter_cli.main import main

Told = Callable[..., tuple[int, str, str]]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
OF_FILES = [name for name in names() if named(name).file]
OURS = {("telemetry", "enabled"): True, ("telemetry", "otlpEndpoint"): "http://here", ("plain.key",): "v"}


@pytest.fixture
def taximeter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    """The command, in a home of its own where nothing is set; what it said."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(("OTEL_", "TAXIMETER", "XDG_")) or name in ("CODEX_HOME", "CLAUDE_CONFIG_DIR"):
            monkeypatch.delenv(name)
    for name in ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path))

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["connect", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_the_list_has_every_tool_that_there_is(taximeter: Told) -> None:
    code, out, _ = taximeter()
    assert code == 0
    assert set(names()) <= set(out.split())
    listed = json.loads(taximeter("--json")[1])
    assert [one["name"] for one in listed] == list(names())


@pytest.mark.parametrize("name", names())
def test_each_tool_is_told_with_what_to_set_what_arrives_and_what_is_private(name: str, taximeter: Told) -> None:
    code, out, err = taximeter(name, "--endpoint", "http://there:4318", "--token-env", "SECRET")
    assert (code, err) == (0, "")
    assert "http://there:4318" in out or name == "opentelemetry-collector"
    assert "$SECRET" in out
    assert {"arrives", "privacy", "collector"} <= set(out.split())
    assert not re.search(r"\{(http|traces|metrics|logs|token)\}", out)


@pytest.mark.parametrize("name", names())
def test_whatever_a_tool_may_send_is_known_by_a_condition_that_the_lake_understands(name: str, shop: Path) -> None:
    from taximeter_cli.connecting.checking import arrived
    from taximeter_queries import Lake, Window

    arrived(Lake(shop), named(name), Window())


def test_a_name_that_is_not_known_is_told_with_those_that_come_near(taximeter: Told) -> None:
    with pytest.raises(Exception, match="did you mean codex"):
        named("codx")
    assert taximeter("codx")[0] == 2
    assert named("Claude_Code").name == "claude-code"


def test_codex_has_a_whole_address_for_each_signal(taximeter: Told) -> None:
    told = json.loads(taximeter("codex", "--endpoint", "http://there:4318/v1/traces/", "--json")[1])
    otel = told["settings"]["otel"]
    assert [otel[name]["otlp-http"]["endpoint"] for name in ("exporter", "trace_exporter", "metrics_exporter")] == [
        "http://there:4318/v1/logs",
        "http://there:4318/v1/traces",
        "http://there:4318/v1/metrics",
    ]


@pytest.mark.parametrize(
    ("name", "quiet", "content"),
    [
        ("gemini-cli", ("telemetry", "logPrompts"), True),
        ("qwen-code", ("telemetry", "logPrompts"), True),
        ("copilot", ("github.copilot.chat.otel.captureContent",), True),
        ("codex", ("otel", "log_user_prompt"), True),
    ],
)
def test_prompts_are_sent_only_if_that_was_asked_for(name: str, quiet: tuple[str, ...], content: Any) -> None:
    """Also where a tool would send them as it comes."""
    place = Place("http://here", "a test")
    assert chosen(named(name), place).settings[quiet] is False
    assert chosen(named(name), place, content=True).settings[quiet] is content


def test_without_an_endpoint_the_settings_say_where_the_collector_is(taximeter: Told, tmp_path: Path) -> None:
    assert json.loads(taximeter("otlp", "--json")[1])["endpoint"] == "http://127.0.0.1:4318"
    (tmp_path / "taximeter.toml").write_text('[receive]\nhttp = "127.0.0.1:5555"\n')
    assert json.loads(taximeter("otlp", "--json")[1])["endpoint"] == "http://127.0.0.1:5555"


def test_what_a_killed_collector_has_left_is_not_taken_for_one_that_runs(taximeter: Told, tmp_path: Path) -> None:
    """Even if its number is that of another process by now."""
    run = tmp_path / "data" / "run"
    run.mkdir(parents=True)
    (run / "places").write_text(json.dumps({"pid": os.getpid(), "http": "http://127.0.0.1:9"}))
    told = json.loads(taximeter("codex", "--data", str(tmp_path / "data"), "--json")[1])
    assert (told["endpoint"], told["collector_runs"]) == ("http://127.0.0.1:4318", False)


@pytest.mark.parametrize("endpoint", ["localhost:4318", "grpc://here:4317", "http://", "http://here?x=1"])
def test_an_endpoint_that_is_none_is_told(endpoint: str, taximeter: Told) -> None:
    code, _, err = taximeter("otlp", "--endpoint", endpoint)
    assert code == 2
    assert "expected the address of OTLP/HTTP" in err


@pytest.mark.parametrize(
    ("name", "environment", "platform", "file"),
    [
        ("claude-code", {"HOME": "/h"}, "linux", "/h/.claude/settings.json"),
        ("claude-code", {"HOME": "/h", "CLAUDE_CONFIG_DIR": "/c"}, "linux", "/c/settings.json"),
        ("codex", {"HOME": "/h"}, "darwin", "/h/.codex/config.toml"),
        ("codex", {"HOME": "/h", "CODEX_HOME": "/c"}, "linux", "/c/config.toml"),
        ("gemini-cli", {"HOME": "/h", "GEMINI_CLI_HOME": "/g"}, "linux", "/g/.gemini/settings.json"),
        ("qwen-code", {"HOME": "/h", "QWEN_HOME": "/q"}, "linux", "/q/settings.json"),
        ("copilot", {"HOME": "/h"}, "linux", "/h/.config/Code/User/settings.json"),
        ("copilot", {"HOME": "/h", "XDG_CONFIG_HOME": "/x"}, "linux", "/x/Code/User/settings.json"),
        ("copilot", {"HOME": "/h"}, "darwin", "/h/Library/Application Support/Code/User/settings.json"),
        ("copilot", {"USERPROFILE": "/u", "APPDATA": "/a"}, "win32", "/a/Code/User/settings.json"),
        ("opencode", {"HOME": "/h"}, "linux", "/h/.config/opencode/opencode.json"),
    ],
)
def test_a_tools_own_file_is_found_as_the_tool_finds_it(
    name: str, environment: dict[str, str], platform: str, file: str
) -> None:
    of_tool = named(name).file
    assert of_tool
    assert file_of(of_tool, environment, platform) == Path(file)


@pytest.mark.parametrize("name", OF_FILES)
def test_written_shown_again_and_removed_leaves_what_was_there(name: str, taximeter: Told, tmp_path: Path) -> None:
    form = getattr(named(name).file, "format", "")
    file = tmp_path / f"settings.{form}"
    before = {"json": '{\n\t// mine\n\t"a": [1, 2,],\n}\n', "toml": '# mine\na = [1, 2] # two\n\n[b]\nc = "d"\n'}[form]
    file.write_text(before)
    code, out, _ = taximeter(name, "--write", "--file", str(file), "--endpoint", "http://there:1")
    assert code == 0
    assert all(line in file.read_text().splitlines() for line in before.splitlines())
    assert [line for line in out.splitlines() if line.startswith("-") and not line.startswith("---")] == []
    (backup,) = tmp_path.glob("settings.*.taximeter.*.bak")
    assert backup.read_text() == before
    assert str(backup) in out.replace("~", str(Path.home()))
    assert "nothing to do" in taximeter(name, "--write", "--file", str(file), "--endpoint", "http://there:1")[1]
    assert taximeter(name, "--remove", "--file", str(file))[0] == 0
    assert file.read_text().rstrip() == before.rstrip()


@pytest.mark.parametrize("name", OF_FILES)
def test_a_file_that_is_not_there_is_made_for_its_user_alone_and_goes_again(name: str, taximeter: Told) -> None:
    of_tool = named(name).file
    assert of_tool
    file = file_of(of_tool, os.environ)
    assert taximeter(name, "--write")[0] == 0
    assert sys.platform == "win32" or stat.S_IMODE(file.stat().st_mode) == 0o600
    assert taximeter(name, "--remove")[0] == 0
    assert not file.exists()


def test_a_file_that_was_there_stays_even_if_it_says_nothing(taximeter: Told, tmp_path: Path) -> None:
    file = tmp_path / ".claude" / "settings.json"
    file.parent.mkdir()
    file.write_text("{}\n")
    taximeter("claude-code", "--write")
    taximeter("claude-code", "--write", "--endpoint", "http://there")
    taximeter("claude-code", "--remove")
    assert file.read_text() == "{}\n"


def test_a_dry_run_shows_the_difference_and_changes_nothing(taximeter: Told, tmp_path: Path) -> None:
    file = tmp_path / ".claude" / "settings.json"
    file.parent.mkdir()
    file.write_text('{"theme": "dark"}')
    code, out, _ = taximeter("claude-code", "--write", "--dry-run")
    assert code == 0
    assert '+  "theme": "dark",\n+  "env": {' in out
    assert "would be changed so" in out
    assert [one.name for one in file.parent.iterdir()] == ["settings.json"]
    assert file.read_text() == '{"theme": "dark"}'


def test_what_changes_in_a_file_of_one_line_is_shown_a_key_to_each_line(taximeter: Told, tmp_path: Path) -> None:
    file = tmp_path / ".claude" / "settings.json"
    file.parent.mkdir()
    before = json.dumps({"permissions": {"allow": [f"Bash(make {name}:*)" for name in "abcdefghij"]}, "theme": "dark"})
    file.write_text(before)
    _, shown, _ = taximeter("claude-code", "--write", "--dry-run")
    assert [line for line in shown.splitlines() if line.startswith("-")] == [
        f"--- {file}, laid out for reading",
        '-  "theme": "dark"',
    ]
    assert '+    "CLAUDE_CODE_ENABLE_TELEMETRY": "1",' in shown.splitlines()
    exact = json.loads(taximeter("claude-code", "--write", "--dry-run", "--json")[1])["diff"]
    assert f"-{before}\n" in exact
    taximeter("claude-code", "--write")
    assert len(file.read_text().splitlines()) == 1


def test_of_backups_the_first_and_the_last_two_are_kept_and_the_others_are_told(
    taximeter: Told, tmp_path: Path
) -> None:
    file = tmp_path / ".claude" / "settings.json"
    file.parent.mkdir()
    file.write_text('{"theme": "dark"}')
    of_user = file.with_name("settings.json.20260101-000000.bak")
    of_user.write_text("theirs")
    for number in range(5):
        _, out, _ = taximeter("claude-code", "--write", "--endpoint", f"http://number{number}")
        told = re.findall(r"the last two are kept; (\d+) deleted", out)
        assert told == (["1"] if number > 2 else [])
    kept = {one.read_text() for one in file.parent.glob("*.taximeter.*.bak")}
    assert '{"theme": "dark"}' in kept
    assert sorted(re.findall(r"http://number\d", "".join(kept))) == ["http://number2", "http://number3"]
    assert of_user.read_text() == "theirs"


def test_what_somebody_had_set_comes_back_when_ours_is_removed(taximeter: Told, tmp_path: Path) -> None:
    file = tmp_path / ".gemini" / "settings.json"
    file.parent.mkdir()
    before = '{"telemetry": {"enabled": false, "otlpEndpoint": "http://old"}, "a": 1}'
    file.write_text(before)
    taximeter("gemini-cli", "--write", "--endpoint", "http://one")
    taximeter("gemini-cli", "--write", "--endpoint", "http://two")
    assert json.loads(file.read_text())["telemetry"]["otlpEndpoint"] == "http://two"
    taximeter("gemini-cli", "--remove")
    assert json.loads(file.read_text()) == json.loads(before)


def test_what_somebody_has_changed_since_stays_and_is_told(taximeter: Told, tmp_path: Path) -> None:
    taximeter("gemini-cli", "--write")
    file = tmp_path / ".gemini" / "settings.json"
    file.write_text(file.read_text().replace("http://127.0.0.1:4318", "http://mine"))
    code, _, err = taximeter("gemini-cli", "--remove")
    assert code == 0
    assert json.loads(file.read_text()) == {"telemetry": {"otlpEndpoint": "http://mine"}}
    assert "telemetry.otlpEndpoint has been changed since it was written, and stays" in err


def test_written_again_without_content_it_is_not_sent_any_more(taximeter: Told, tmp_path: Path) -> None:
    file = tmp_path / ".claude" / "settings.json"
    taximeter("claude-code", "--write", "--content")
    assert json.loads(file.read_text())["env"]["OTEL_LOG_USER_PROMPTS"] == "1"
    taximeter("claude-code", "--write")
    assert "OTEL_LOG_USER_PROMPTS" not in json.loads(file.read_text())["env"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("claude-code", '{"env": {'),
        ("claude-code", '{"env": "none"}'),
        ("claude-code", "[]"),
        ("codex", "[otel\n"),
        ("codex", 'otel = "none"\n'),
        ("codex", "\udcff"),
    ],
)
def test_a_file_that_cannot_be_understood_is_left_as_it_is(
    name: str, text: str, taximeter: Told, tmp_path: Path
) -> None:
    file = tmp_path / "settings"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    for action in ("--write", "--remove"):
        code, out, err = taximeter(name, action, "--file", str(file))
        assert file.read_bytes() == text.encode("utf-8", "surrogateescape")
        assert out == "" or "nothing to do" in out
        if code:
            assert code == 1
            assert f"{file}: " in err
            assert "It is left as it is: put it right" in err
        else:
            assert action == "--remove"  # there is nothing of ours in it
    assert list(tmp_path.glob("*.bak")) == []


@POSIX
def test_permissions_stay_and_a_link_stays_a_link(taximeter: Told, tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles.json", tmp_path / ".claude" / "settings.json"
    link.parent.mkdir()
    real.write_text("{}")
    real.chmod(0o640)
    link.symlink_to(real)
    assert taximeter("claude-code", "--write")[0] == 0
    assert link.is_symlink()
    assert "CLAUDE_CODE_ENABLE_TELEMETRY" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_a_token_gets_into_the_file_and_nowhere_else(
    taximeter: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert taximeter("codex", "--write", "--token-env", "MY_TOKEN")[0] == 2
    monkeypatch.setenv("MY_TOKEN", "s3cret-s3cret")
    code, out, err = taximeter("codex", "--write", "--token-env", "MY_TOKEN")
    assert code == 0
    assert "s3cret" not in out + err
    file = tmp_path / ".codex" / "config.toml"
    assert tomllib.loads(file.read_text())["otel"]["exporter"]["otlp-http"]["headers"] == {
        "authorization": "Bearer s3cret-s3cret"
    }
    for other in tmp_path.rglob("*"):
        assert other == file or other.is_dir() or "s3cret" not in other.read_text()


def test_variables_are_lines_that_a_shell_understands(taximeter: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    out = taximeter("copilot-cli", "--env", "--token-env", "MY_TOKEN")[1]
    script = f"MY_TOKEN='a b'; {out}\nprintf %s \"$OTEL_EXPORTER_OTLP_HEADERS|$COPILOT_OTEL_ENABLED\""
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "authorization=Bearer a b|true"


def test_a_shell_that_is_told_to_set_variables_runs_nothing(taximeter: Told, tmp_path: Path) -> None:
    out = taximeter("otlp", "--env", "--endpoint", "http://here/$(touch made)`touch made`'\"")[1]
    assert subprocess.run(["sh", "-c", out], cwd=tmp_path, check=False).returncode == 0
    assert not (tmp_path / "made").exists()


def test_a_token_in_place_of_a_variables_name_is_not_repeated_as_one(taximeter: Told) -> None:
    code, _, err = taximeter("otlp", "--token-env", "s3cret-token")
    assert code == 2
    assert "expected the name of a variable, not the token" in err
    assert "s3cret" not in err


@pytest.mark.parametrize(
    ("name", "line"), [(".env", "COPILOT_OTEL_ENABLED=true"), (".zshrc", "export COPILOT_OTEL_ENABLED=true")]
)
def test_a_tool_that_has_no_file_can_have_its_variables_in_one(
    name: str, line: str, taximeter: Told, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_text("# mine\nA=b\n")
    code, _, err = taximeter("copilot-cli", "--write")
    assert (code, "no file of its own" in err) == (2, True)
    assert taximeter("copilot-cli", "--write", "--file", str(file))[0] == 0
    assert line in file.read_text().splitlines()
    taximeter("copilot-cli", "--remove", "--file", str(file))
    assert file.read_text() == "# mine\nA=b\n"


def test_without_anything_there_a_check_says_what_to_look_at(taximeter: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_TELEMETRY_ENABLED", "false")
    code, out, _ = taximeter("gemini-cli", "--check", "--endpoint", "http://127.0.0.1:9")
    assert code == 1
    assert re.search(r"nothing has arrived in .*taximeter.lake\. What to look at:", out)
    assert "nobody takes OTLP/HTTP at http://127.0.0.1:9" in out
    assert "settings.json is not there: taximeter connect gemini-cli --write" in out
    assert "GEMINI_TELEMETRY_ENABLED is set in this shell" in out
    taximeter("gemini-cli", "--write", "--endpoint", "http://elsewhere")
    told = json.loads(taximeter("gemini-cli", "--check", "--endpoint", "http://127.0.0.1:9", "--json")[1])
    assert told["arrived"] is False
    assert any("does not say telemetry.otlpEndpoint" in one["what"] for one in told["look_at"])


PLAIN = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5)
NESTED = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
DOCUMENTS = st.dictionaries(st.text(max_size=5) | st.just("telemetry"), NESTED, max_size=4)
LAYOUTS = st.sampled_from([None, 0, 2, 4, "\t"])


@given(DOCUMENTS, LAYOUTS, st.booleans(), st.booleans())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_json_there_was_is_there_afterwards(
    before: dict[str, Any], indent: Any, crlf: bool, noted: bool
) -> None:
    text = json.dumps(before, indent=indent, ensure_ascii=False)
    if noted:  # after each line that ends with a brace or a comma
        text = re.sub(r"([{,])\n", r"\1 // a note, {\n", text) + "\n/* the end } */"
    text = text.replace("\n", "\r\n") if crlf else text
    after, expected = text, json.loads(json.dumps(before))
    if not isinstance(expected.get("telemetry", {}), dict):
        with pytest.raises(Unfit):
            json_text.changed(text, ("telemetry", "enabled"), True)
        return
    for path, value in OURS.items():
        after = json_text.changed(after, path, value)
        owner = expected
        for key in path[:-1]:
            owner = owner.setdefault(key, {})
        owner[path[-1]] = value
    assert json_text.read(after) == expected
    assert after.count("// a note, {") == text.count("// a note, {")
    assert ("\n" in after.replace("\r\n", "")) <= (not crlf or "\n" not in text)
    for path in OURS:
        after = json_text.removed(after, path)
    kept = {key: value for key, value in before.items() if key != "telemetry"}
    left = json_text.read(after)
    assert {key: value for key, value in left.items() if key != "telemetry"} == kept
    if "telemetry" not in before:
        assert left == before


KEYS = st.from_regex(r"[a-z_-]{1,6}", fullmatch=True)
TOML_VALUES = (
    st.booleans() | st.integers(-9, 9) | st.text("ab\"'\\\n#é", max_size=6) | st.lists(st.integers(0, 9), max_size=3)
)


@given(
    st.dictionaries(
        KEYS.filter("otel".__ne__), TOML_VALUES | st.dictionaries(KEYS, TOML_VALUES, max_size=3), max_size=4
    ),
    st.booleans(),
)
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_toml_there_was_is_there_afterwards_to_the_letter(before: dict[str, Any], noted: bool) -> None:
    text = tomlkit.dumps(before)
    text = "# a note\n" + text + "\n# the end\n" if noted else text
    after = toml_text.changed(text, ("otel", "log_user_prompt"), False)
    after = toml_text.changed(after, ("otel", "exporter"), {"otlp-http": {"endpoint": "x", "protocol": "binary"}})
    ours = {"log_user_prompt": False, "exporter": {"otlp-http": {"endpoint": "x", "protocol": "binary"}}}
    assert tomllib.loads(after) == {**tomllib.loads(text), "otel": ours}
    assert after.startswith(text.rstrip("\n"))
    after = toml_text.removed(toml_text.removed(after, ("otel", "exporter")), ("otel", "log_user_prompt"))
    assert tomllib.loads(after) == tomllib.loads(text)
    assert after.strip() == text.strip()


@pytest.mark.parametrize(
    "text",
    [
        '[otel]\nenvironment = "x" # mine\n',
        'otel.environment = "x"\n\n[a]\nb = 1\n',
        'otel = { environment = "x" }\n',
        '[otel.exporter.otlp-http]\nendpoint = "old"\nprotocol = "json"\n\n[otel]\nenvironment = "x"\n',
        (
            '[otel]\nenvironment = "x"\n[otel.exporter.otlp-http]\nendpoint = "old"\n'
            '[otel.exporter.otlp-http.headers]\n"a" = "b"\n[z]\ny = 1\n'
        ),
        '[otel]\nexporter = "none" # mine\nenvironment = "x"\n',
    ],
)
def test_an_exporter_of_codex_is_replaced_however_it_was_written(text: str) -> None:
    value = {"otlp-http": {"endpoint": "new", "protocol": "binary"}}
    after = tomllib.loads(toml_text.changed(text, ("otel", "exporter"), value))
    before = tomllib.loads(text)
    assert after["otel"]["exporter"] == value
    assert after["otel"]["environment"] == "x"
    assert ("# mine" in toml_text.changed(text, ("otel", "exporter"), value)) == ("# mine" in text)
    assert {key: one for key, one in after.items() if key != "otel"} == {
        key: one for key, one in before.items() if key != "otel"
    }


@given(
    st.lists(st.sampled_from(["# mine", "A=b", "export B='c d'", "", "OURS=old", "if true; then", "fi"]), max_size=6),
    st.text("ab $'\"#\\", max_size=8),
)
def test_other_lines_of_a_file_of_variables_stay(lines: list[str], value: str) -> None:
    text = "".join(f"{line}\n" for line in lines)
    after = env_text.changed(text, ("OURS",), value)
    assert env_text.read(after)["OURS"] == value
    others = [line for line in lines if not line.startswith("OURS=")]
    assert [line for line in after.splitlines() if "OURS=" not in line] == others
    assert env_text.removed(after, ("OURS",)).splitlines() == others
