"""Gemini CLI."""

from taximeter_cli.connecting.standard import TOKEN
from taximeter_cli.connecting.tool import AGENT, Part, SettingsFile, Tool

_VARIABLES = ("ENABLED", "TRACES_ENABLED", "TARGET", "OTLP_ENDPOINT", "OTLP_PROTOCOL", "OUTFILE", "LOG_PROMPTS")

TOOL = Tool(
    name="gemini-cli",
    title="Gemini CLI",
    group=AGENT,
    file=SettingsFile("json", "settings.json", "~/.gemini", variable="GEMINI_CLI_HOME", below=".gemini"),
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
    content=Part({("telemetry", "logPrompts"): True, ("telemetry", "traces"): True}),
    arrives=(
        "Each call as two events, of which one is billed, and as a span if `traces` is on; tools as events; "
        "tokens, lines and files as metrics, which are cumulative."
    ),
    privacy=(
        "It sends prompts as soon as telemetry is on; what is written here says logPrompts = false. With "
        "--content they are sent, and spans with whole conversations."
    ),
    mind=(
        "A project's .gemini/settings.json wins over the user's, and variables win over both.",
        (
            "Versions of 2025 (0.20 is one) send OTLP/HTTP to the bare address, where nobody is: there, "
            'otlpProtocol = "grpc" and otlpEndpoint = "http://localhost:4317".'
        ),
        "Thoughts are counted beside its output; in the ledger they are part of it, as everywhere.",
    ),
    overridden_by=("OTEL_EXPORTER_OTLP_ENDPOINT", *(f"GEMINI_TELEMETRY_{name}" for name in _VARIABLES)),
    evidence="dialect = 'gemini_cli' AND coalesce(service_name, '') NOT LIKE 'qwen%'",
)
