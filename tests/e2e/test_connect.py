"""Coding agents that are connected: what they send, over gRPC and HTTP, ends in the ledger, and `--check` says so.

What is sent is the corpus: telemetry that these agents have been recorded to send. Its clock is moved to now.
"""

from __future__ import annotations

import json
import re
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from tests.collector.telling import CALL, CALL_USD, span, trace
from tests.e2e.agents import recorded
from tests.e2e.agents_page import PAGE, SHOWN, has_landed, sent, written
from tests.e2e.collector import Collector, clean_environment, collecting, command_path, until
from tests.e2e.sending import GrpcSender, HttpSender, Sender
from tests.e2e.test_landing import SOON, ledger

# Which tool is known by what it sent, and what its two calls (of Copilot's in VS Code and Qwen: without a price) cost.
AGENTS = [
    ("claude-code", "claude_code/claude-code-2.1.197-turn", 2, "0.001995"),
    ("claude-code", "claude_code/claude-code-2.1.197-events", 1, "0.0009975"),
    ("claude-code", "claude_code/claude-code-1.0.122-turn", 3, "0.002261"),
    ("codex", "codex/codex-0.169.0-turn", 2, "0.000675"),
    ("gemini-cli", "gemini_cli/gemini-cli-0.61.0-turn", 2, "0.00018472"),
    ("qwen-code", "gemini_cli/qwen-code-0.15.10-turn", 2, None),
    ("copilot-cli", "copilot/copilot-1.0.102-turn", 2, "0.00066"),
    ("copilot", "copilot/copilot-chat-0.42.0-agent", 2, None),
    ("opencode", "vercel_ai/opencode-ai-1.18.33-turn", 3, None),
    ("vercel-ai", "vercel_ai/ai-7.0.173-anthropic", 1, "0.0009975"),
    ("litellm", "litellm/litellm-1.109.1-v2-anthropic", 1, "0.0009975"),
]


def connect(collector: Collector, *words: str) -> subprocess.CompletedProcess[str]:
    """`taximeter connect`, as the user of that collector."""
    home = collector.data.parent
    return subprocess.run(
        [command_path(), "connect", *words, "--data", str(collector.data)],
        cwd=home,
        env=clean_environment(home),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def senders(collector: Collector) -> dict[str, Sender]:
    return {"http": HttpSender(collector.http), "grpc": GrpcSender(collector.grpc)}


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_what_an_agent_sends_is_in_the_ledger_at_its_price_and_the_check_says_so(protocol: str, tmp_path: Path) -> None:
    """All of them into one collector, as in a team; each is found by itself."""
    with collecting(tmp_path / "data", *SOON, lands=True) as collector:
        assert connect(collector, "codex", "--check").returncode == 1
        sender = senders(collector)[protocol]
        expected: dict[str, list[tuple[int, str | None]]] = {}
        with sender:
            for tool, entry, calls, usd in AGENTS:
                expected.setdefault(tool, []).append((calls, usd))
                for signal, payload in recorded(entry, now=True):
                    assert sender.send(payload, signal).acknowledged
        until(lambda: has_landed(collector), f"it does not land: {collector.said()}", patience_s=60)
        for tool, sums in expected.items():
            checked = connect(collector, tool, "--check", "--wait", "30", "--json")
            told = json.loads(checked.stdout)
            assert checked.returncode == 0, (tool, told)
            assert told["calls"] == sum(calls for calls, _ in sums), tool
            usd = sum((Decimal(usd) for _, usd in sums if usd), start=Decimal(0))
            assert Decimal(told["cost_usd"] or 0) == usd, tool
            assert bool(told["unpriced_models"]) == any(one is None for _, one in sums), tool
        billed = [row for row in ledger(collector, 1) if row["billable"]]
        assert len(billed) == sum(calls for _, _, calls, _ in AGENTS)
        assert sum(row["cost_usd"] or 0 for row in billed) == sum(Decimal(usd) for *_, usd in AGENTS if usd)


def test_metrics_that_an_agent_sends_as_deltas_are_no_calls(tmp_path: Path) -> None:
    """They have landed, and the check says that there are no calls yet."""
    with collecting(tmp_path / "data", *SOON, lands=True) as collector, HttpSender(collector.http) as sender:
        for signal, payload in recorded("claude_code/claude-code-2.1.197-edits", now=True):
            assert sender.send(payload, signal).acknowledged
        checked = connect(collector, "claude-code", "--check", "--wait", "60")
        assert checked.returncode == 0
        assert "none yet" in checked.stdout
        points = ledger(collector, 1, "metrics")
        assert {"delta"} == {row["temporality"] for row in points}
        assert {"lines_of_code", "commits", "cost_usd", "tokens"} <= {row["measure"] for row in points}


def test_an_app_is_known_by_its_language(tmp_path: Path) -> None:
    with collecting(tmp_path / "data", *SOON, lands=True) as collector, HttpSender(collector.http) as sender:
        app = {"service.name": "shop", "telemetry.sdk.language": "python"}
        assert sender.send(trace(span(1, **CALL), resource=app)).acknowledged
        other = {"service.name": "web", "telemetry.sdk.language": "nodejs"}
        for number in (2, 3):
            assert sender.send(trace(span(number, trace_id=number, **CALL), resource=other)).acknowledged
        until(lambda: has_landed(collector), f"it does not land: {collector.said()}", patience_s=60)
        for tool, calls in (("python", 1), ("node", 2), ("otlp", 3), ("vercel-ai", 0)):
            told = json.loads(connect(collector, tool, "--check", "--json").stdout)
            assert told["calls"] == calls
            assert Decimal(told["cost_usd"] or 0) == calls * Decimal(CALL_USD)


def test_settings_lead_to_the_collector_that_runs(tmp_path: Path) -> None:
    """Whichever port it has; and what is written leads there."""
    with collecting(tmp_path / "data", *SOON, lands=True) as collector:
        shown = json.loads(connect(collector, "gemini-cli", "--json").stdout)
        assert shown["endpoint"] == collector.http
        assert shown["collector_runs"] is True
        assert connect(collector, "gemini-cli", "--write").returncode == 0
        file = tmp_path / ".gemini" / "settings.json"
        with HttpSender(json.loads(file.read_text())["telemetry"]["otlpEndpoint"]) as sender:
            for signal, payload in recorded("gemini_cli/gemini-cli-0.61.0-turn", now=True):
                assert sender.send(payload, signal).acknowledged
        checked = connect(collector, "gemini-cli", "--check", "--wait", "60")
        assert "0.00018472 USD, for 2 of 2 calls" in checked.stdout
        assert connect(collector, "gemini-cli", "--check", "--last", "1h").returncode == 0
    shown = json.loads(connect(collector, "gemini-cli", "--json").stdout)
    assert (shown["endpoint"], shown["collector_runs"]) == ("http://127.0.0.1:4318", False)


def test_what_is_received_and_not_landed_is_told_as_that(tmp_path: Path) -> None:
    with collecting(tmp_path / "data") as collector, HttpSender(collector.http) as sender:
        for signal, payload in recorded("codex/codex-0.63.0-turn", now=True):
            assert sender.send(payload, signal).acknowledged
        checked = connect(collector, "codex", "--check")
        assert checked.returncode == 1
        assert "received and not landed yet: 1 request:" in checked.stdout


def test_a_token_that_is_asked_for_lets_what_is_written_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTS_TOKEN", "s3cret-token-of-agents")
    tokens = tmp_path / "tokens"
    tokens.write_text("agents s3cret-token-of-agents\n")
    with collecting(tmp_path / "data", *SOON, "--token-file", str(tokens), lands=True) as collector:
        words = ("claude-code", "--write", "--endpoint", collector.http, "--token-env", "AGENTS_TOKEN")
        assert connect(collector, *words).returncode == 0
        env = json.loads((tmp_path / ".claude" / "settings.json").read_text())["env"]
        name, _, value = env["OTEL_EXPORTER_OTLP_HEADERS"].partition("=")
        signal, payload = next(recorded("claude_code/claude-code-2.1.197-events", now=True))
        with HttpSender(env["OTEL_EXPORTER_OTLP_ENDPOINT"]) as sender:
            assert sender.send(payload, signal).status == 401
            assert sender.send(payload, signal, **{name: value}).acknowledged


def test_the_page_about_agents_shows_what_commands_say() -> None:
    """`python -m tests.e2e.agents_page` makes it anew."""
    assert written(PAGE.read_text("utf-8")) == PAGE.read_text("utf-8")


@pytest.mark.parametrize("query", re.findall(r"```sql\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL))
def test_each_query_of_the_page_has_an_answer(query: str, tmp_path: Path) -> None:
    from taximeter_queries import Lake, ask_sql

    with collecting(tmp_path / "data", *SOON, lands=True) as collector:
        sent(collector, SHOWN)
        assert ask_sql(Lake(collector.data / "lake"), query).rows
