"""Qwen Code."""

from taximeter_cli.connecting.standard import TOKEN, VARIABLES
from taximeter_cli.connecting.tool import AGENT, Part, SettingsFile, Tool

_VARIABLES = ("ENABLED", "TARGET", "OTLP_ENDPOINT", "OTLP_PROTOCOL", "OUTFILE", "LOG_PROMPTS")

TOOL = Tool(
    name="qwen-code",
    title="Qwen Code",
    group=AGENT,
    file=SettingsFile("json", "settings.json", "~/.qwen", variable="QWEN_HOME"),
    set=Part(
        {
            ("telemetry", "enabled"): True,
            ("telemetry", "target"): "local",
            ("telemetry", "otlpEndpoint"): "{http}",
            ("telemetry", "otlpProtocol"): "http",
            ("telemetry", "logPrompts"): False,
        }
    ),
    token=TOKEN,
    content=Part({("telemetry", "logPrompts"): True}),
    arrives="Each call and each tool as an event; sessions, tokens, lines and files as metrics.",
    privacy=(
        "It sends prompts as soon as telemetry is on; what is written here says logPrompts = false (--content: "
        "true). Requests, answers and what tools are given are sent all the same: `land.content = false` in "
        "taximeter.toml keeps none of it."
    ),
    mind=(
        (
            "A project's .qwen/settings.json wins over the user's, and variables (QWEN_TELEMETRY_*, and the "
            "standard OTEL_EXPORTER_OTLP_ENDPOINT) win over both."
        ),
        (
            "Its models have a price only where the price book knows one: `taximeter coverage` lists the others, "
            "prices.toml gives them one."
        ),
    ),
    overridden_by=(*VARIABLES[:-1], *(f"QWEN_TELEMETRY_{name}" for name in _VARIABLES)),
    evidence="dialect = 'gemini_cli' AND service_name LIKE 'qwen%'",
)
