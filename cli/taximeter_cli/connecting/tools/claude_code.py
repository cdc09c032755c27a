"""Claude Code."""

from taximeter_cli.connecting.tool import AGENT, Part, SettingsFile, Tool

_ON = ("CLAUDE_CODE_ENABLE_TELEMETRY", "CLAUDE_CODE_ENHANCED_TELEMETRY_BETA")
_EXPORTERS = ("OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER", "OTEL_TRACES_EXPORTER")
_CONTENT = ("OTEL_LOG_USER_PROMPTS", "OTEL_LOG_ASSISTANT_RESPONSES", "OTEL_LOG_TOOL_DETAILS", "OTEL_LOG_TOOL_CONTENT")

TOOL = Tool(
    name="claude-code",
    title="Claude Code",
    group=AGENT,
    file=SettingsFile("json", "settings.json", "~/.claude", variable="CLAUDE_CONFIG_DIR"),
    set=Part(
        {
            **{("env", name): "1" for name in _ON},
            **{("env", name): "otlp" for name in _EXPORTERS},
            ("env", "OTEL_EXPORTER_OTLP_PROTOCOL"): "http/protobuf",
            ("env", "OTEL_EXPORTER_OTLP_ENDPOINT"): "{http}",
        }
    ),
    token=Part({("env", "OTEL_EXPORTER_OTLP_HEADERS"): "authorization=Bearer {token}"}),
    content=Part({("env", name): "1" for name in _CONTENT}),
    arrives=(
        "Each call as an event and, with the traces (beta), as a span; one of the two is billed. Tools and "
        "decisions as events; lines, commits, pull requests and active time as delta metrics."
    ),
    privacy=(
        "Prompts, answers and what tools are given are not sent, unless OTEL_LOG_* says so (--content). The "
        "user's email address and account are."
    ),
    mind=(
        (
            "The settings of a project (.claude/settings.json in it) do not lead telemetry anywhere: the user's "
            "file, or managed-settings.json, does."
        ),
        "Its own cost_usd and claude_code.cost.usage tell of the same calls once more: never add them to the ledger.",
        "What its file says of variables wins over those of the shell.",
        "A session that runs keeps the settings that it began with.",
    ),
    evidence="dialect = 'claude_code'",
)
