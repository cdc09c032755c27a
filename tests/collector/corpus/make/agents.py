"""Coding agents, run without a terminal against a provider of ours; each sets up its own telemetry.

    npm install @anthropic-ai/claude-code@2.1.197 @openai/codex@0.169.0 @google/gemini-cli@0.61.0 \
        @github/copilot@1.0.102 @qwen-code/qwen-code@0.15.10 opencode-ai@1.18.33
    python -m tests.collector.corpus.make.agents node_modules [AGENT [CASE]]

and likewise, the case `turn` only, with @anthropic-ai/claude-code@1.0.122, @openai/codex@0.63.0 and
@google/gemini-cli@0.20.2.

Each has a home of its own in a temporary folder, a key that is none, and no address but the loopback interface's. Long
texts (their prompts and tools) are left out, and so is what is neither about calls, tools and prompts nor a measure.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.collector.corpus.make.agent_cases import CASES, Case
from tests.collector.corpus.make.agent_provider import Script
from tests.collector.corpus.make.capture import Loopback, Sink, scrubbed, store

PROMPT = "How much is it? Then run echo."
LONGEST = 240


@dataclass(slots=True)
class Place:
    """Where an agent is run."""

    provider: str
    sink: str
    home: Path
    project: Path
    model: str


Setup = Callable[[Place], tuple[list[str], dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Agent:
    """How it is run, and which spans, events and metrics are kept: by name, and by all that they say."""

    dialect: str
    package: str
    model: str
    setup: Setup
    keeps: str = ""
    drops: str = "nothing"


def _claude(place: Place) -> tuple[list[str], dict[str, str]]:
    asked = ["claude", "-p", PROMPT, "--model", place.model, "--allowedTools", "Bash,Write,Edit"]
    often = dict.fromkeys(("OTEL_METRIC_EXPORT_INTERVAL", "OTEL_LOGS_EXPORT_INTERVAL"), "1000")
    names = ("CLAUDE_CODE_ENABLE_TELEMETRY", "CLAUDE_CODE_ENHANCED_TELEMETRY_BETA", "OTEL_LOG_USER_PROMPTS")
    names += ("OTEL_LOG_TOOL_DETAILS", "OTEL_LOG_TOOL_CONTENT")
    names += ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "DISABLE_NON_ESSENTIAL_MODEL_CALLS", "DISABLE_AUTOUPDATER")
    return asked, {
        "ANTHROPIC_BASE_URL": place.provider,
        "ANTHROPIC_BEDROCK_BASE_URL": place.provider,
        "ANTHROPIC_API_KEY": "none",
        **dict.fromkeys(names, "1"),
        **often,
        **_exporters(place),
    }


def _exporters(place: Place) -> dict[str, str]:
    named = {f"OTEL_{signal}_EXPORTER": "otlp" for signal in ("METRICS", "LOGS", "TRACES")}
    return {**named, "OTEL_EXPORTER_OTLP_ENDPOINT": place.sink, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}


def _codex(place: Place) -> tuple[list[str], dict[str, str]]:
    otlp = '{{ otlp-http = {{ endpoint = "{}/v1/{}", protocol = "json" }} }}'
    settings = f"""
        model = "{place.model}"
        model_provider = "ours"
        [model_providers.ours]
        name = "OpenAI"
        base_url = "{place.provider}/v1"
        env_key = "OUR_KEY"
        wire_api = "responses"
        [otel]
        environment = "test"
        log_user_prompt = true
        exporter = {otlp.format(place.sink, "logs")}
        trace_exporter = {otlp.format(place.sink, "traces")}
        metrics_exporter = {otlp.format(place.sink, "metrics")}
    """
    _write(place.home / ".codex" / "config.toml", re.sub(r"(?m)^ +", "", settings))
    asked = ["codex", "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", PROMPT]
    return asked, {"OUR_KEY": "none"}


def _gemini(place: Place) -> tuple[list[str], dict[str, str]]:
    telemetry = {"enabled": True, "traces": True, "target": "local", "otlpEndpoint": place.sink, "logPrompts": True}
    _settings(place.home / ".gemini", "gemini-api-key", {**telemetry, "otlpProtocol": "http"})
    asked = ["gemini", "-p", PROMPT, "-m", place.model, "--yolo"]
    return asked, {"GOOGLE_GEMINI_BASE_URL": place.provider, "GEMINI_API_KEY": "none"}


def _qwen(place: Place) -> tuple[list[str], dict[str, str]]:
    telemetry = {"enabled": True, "target": "local", "otlpEndpoint": place.sink, "logPrompts": True}
    _settings(place.home / ".qwen", "openai", {**telemetry, "otlpProtocol": "http"})
    key = {"OPENAI_BASE_URL": f"{place.provider}/v1", "OPENAI_API_KEY": "none"}
    return ["qwen", "-p", PROMPT, "-m", place.model, "--yolo"], key


def _settings(folder: Path, key: str, telemetry: dict[str, Any]) -> None:
    security = {"auth": {"selectedType": key}, "folderTrust": {"enabled": False}}
    settings = {"security": security, "telemetry": telemetry, "privacy": {"usageStatisticsEnabled": False}}
    _write(folder / "settings.json", json.dumps(settings))


def _copilot(place: Place) -> tuple[list[str], dict[str, str]]:
    return ["copilot", "-p", PROMPT, "--allow-all-tools", "--no-auto-update"], {
        "COPILOT_OTEL_ENABLED": "true",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true",
        "COPILOT_PROVIDER_BASE_URL": f"{place.provider}/v1",
        "COPILOT_PROVIDER_API_KEY": "none",
        "COPILOT_PROVIDER_TYPE": "openai",
        "COPILOT_MODEL": place.model,
        "COPILOT_OFFLINE": "true",
        **_exporters(place),
    }


def _opencode(place: Place) -> tuple[list[str], dict[str, str]]:
    cost = {"input": 2, "output": 8, "cache_read": 0.5}
    options = {"baseURL": f"{place.provider}/v1", "apiKey": "none"}
    ours = {"npm": "@ai-sdk/openai-compatible", "name": "Ours", "options": options}
    ours["models"] = {place.model: {"name": place.model, "cost": cost}}
    model = f"ours/{place.model}"
    settings = {"model": model, "small_model": model, "provider": {"ours": ours}, "permission": {"*": "allow"}}
    settings |= {"experimental": {"openTelemetry": True}, "autoupdate": False, "share": "disabled"}
    _write(place.project / "opencode.json", json.dumps(settings))
    return ["opencode", "run", PROMPT], {
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        **_exporters(place),
    }


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


_CODEX = (
    r"codex\.(user_prompt|sse_event|tool_decision|tool_result|turn\.token_usage|tool\.call|thread\.started)"
    r"|codex\.api_request(\.duration_ms)?|handle_responses|session_task\.turn|exec_command"
)
_CODEX_SILENT = r'"response\.(output_item|created)|"name": "handle_responses"(?!.*gen_ai\.usage)'
_GEMINI = r"llm_call|tool_call|gen_ai\.|\w+[_-](cli|code)\.(user|api|tool|token|session|file|lines)"
AGENTS = {
    "claude": Agent("claude_code", "@anthropic-ai/claude-code", "claude-sonnet-4-5", _claude),
    "codex": Agent("codex", "@openai/codex", "gpt-5-codex", _codex, rf"^({_CODEX})$", _CODEX_SILENT),
    "gemini": Agent("gemini_cli", "@google/gemini-cli", "gemini-2.5-flash", _gemini, _GEMINI),
    "qwen": Agent("gemini_cli", "@qwen-code/qwen-code", "qwen3-coder-plus", _qwen, _GEMINI),
    "copilot": Agent("copilot", "@github/copilot", "gpt-4.1", _copilot),
    "opencode": Agent("vercel_ai", "opencode-ai", "gpt-4.1", _opencode, r"^(ai\.|LLM\.run|Tool\.|SessionPrompt\.run)"),
}


def main(modules: str, only: str = "", case: str = "") -> None:
    """Run them."""
    for name, agent in AGENTS.items():
        for each in CASES[name]:
            if only in ("", name) and case in ("", each.name):
                made = Path(modules) / agent.package / "package.json"
                if made.exists():
                    _run(Path(modules).resolve() / ".bin", agent, each, json.loads(made.read_text())["version"])


def _run(binaries: Path, agent: Agent, case: Case, version: str) -> None:
    sink, model = Sink(), case.model or agent.model
    with TemporaryDirectory() as folder, Loopback() as loopback:
        place = Place(loopback.url, sink.url, Path(folder, "home"), Path(folder, "project"), model)
        place.project.mkdir()
        _write(place.home / "empty", "")
        Script(case.name, case.steps, [*case.failures], case.request_ids, str(place.project)).install(loopback)
        asked, environment = agent.setup(place)
        around = {"HOME": str(place.home), "PATH": "/usr/local/bin:/usr/bin:/bin", "TERM": "dumb"}
        around |= {"NO_PROXY": "127.0.0.1,localhost", **environment, **case.environment}
        command = [str(binaries / asked[0]), *asked[1:]]
        subprocess.run(
            command, cwd=place.project, env=around, stdin=subprocess.DEVNULL, capture_output=True, timeout=120
        )
        time.sleep(1)
        sink.close()
        sent = [{**one, "signal": _signal(one)} for one in sink.requests]
        kept = [one for one in sent if one["signal"] in case.signals and _select(one["otlp"], agent)]
        text = json.dumps(kept).replace(str(place.project), "work").replace(folder, "tmp")
        requests = scrubbed(_brief(json.loads(_renamed(text))), {loopback.port: 8080, sink.port: 4318})
    store(agent.dialect, agent.package, version, case.name, says=case.says, requests=requests)


def _signal(request: dict[str, Any]) -> str:
    """By its path; Gemini CLI once sent all three to the bare address."""
    by_body = {"resourceSpans": "traces", "resourceLogs": "logs", "resourceMetrics": "metrics"}
    return request["signal"] or next((by_body[name] for name in request["otlp"] if name in by_body), "")


def _select(otlp: dict[str, Any], agent: Agent) -> bool:
    """Take out what is not kept, and say whether anything is left."""

    def kept(one: dict[str, Any]) -> bool:
        return bool(re.search(agent.keeps, _name(one))) and not re.search(agent.drops, json.dumps(one))

    for groups in _groups(otlp):
        for group in groups:
            for name in ("spans", "logRecords", "metrics"):
                if name in group:
                    group[name] = [one for one in group[name] if kept(one)]
        groups[:] = [group for group in groups if any(group.get(name) for name in ("spans", "logRecords", "metrics"))]
    return any(groups for groups in _groups(otlp))


def _groups(otlp: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    for resources in otlp.values():
        for resource in resources if isinstance(resources, list) else []:
            yield from (groups for name, groups in resource.items() if name[:5] == "scope")


def _name(one: dict[str, Any]) -> str:
    events = [item["value"].get("stringValue") for item in one.get("attributes", []) if item["key"] == "event.name"]
    return str(one.get("name") or (events or [""])[0])


_IDS = re.compile(
    r'"key": "(?:gen_ai\.)?(?P<kind>session|conversation|user|installation|prompt|turn|thread|interaction)[._]?'
    r'[iI][dD]", "value": \{"stringValue": "(?P<id>[^"]{12,})"'
)
_NOISE = re.compile(
    r"process\.|host\.|os[._]|os$|service\.instance|code\.|thread\.|busy_ns|idle_ns|target$|auth\.|event\.timestamp|slug"
    r"|originator|installation\.id|cpu_|is_docker|gen_ai\.agent\.description|gen_ai\.tool\.description|level$"
    r"|ai\.request\.headers|ai\.settings|github\.copilot\.context|gen_ai\.request\.(seed|choice|stop|\w+_penalty)|gen_ai\.output\.type"
)


def _renamed(text: str) -> str:
    """The ids of sessions, users and prompts are the same each time."""
    found: dict[str, str] = {}
    for match in _IDS.finditer(text):
        kind = "conversation" if match["kind"] == "thread" else match["kind"]
        found.setdefault(match["id"], f"{kind}-{1 + sum(name.startswith(kind) for name in found.values())}")
    for old, new in found.items():
        text = text.replace(old, new)
    return text


def _brief(value: Any) -> Any:
    if isinstance(value, list):
        return [_brief(item) for item in value if not (isinstance(item, dict) and _NOISE.match(item.get("key", "")))]
    if isinstance(value, dict):
        return {key: _brief(item) for key, item in value.items()}
    if isinstance(value, str) and len(value) > LONGEST:
        return f"({len(value):,} characters)"
    return value


if __name__ == "__main__":
    main(*sys.argv[1:])
