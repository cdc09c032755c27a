"""opencode."""

from taximeter_cli.connecting.standard import TOKEN
from taximeter_cli.connecting.tool import AGENT, Part, SettingsFile, Tool

TOOL = Tool(
    name="opencode",
    title="opencode",
    group=AGENT,
    file=SettingsFile("json", "opencode.json", "$XDG_CONFIG_HOME/opencode", variable="OPENCODE_CONFIG_DIR"),
    set=Part(
        {("experimental", "openTelemetry"): True},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "{http}", "OTEL_BSP_SCHEDULE_DELAY": "50"},
    ),
    token=TOKEN,
    arrives="Each call and tool as spans of Vercel's AI SDK.",
    privacy=(
        "Prompts and answers are sent, and it has no switch for that: `land.content = false` in taximeter.toml "
        "keeps none of it."
    ),
    mind=(
        "Both are needed: the setting in its file, and the variables of its environment.",
        (
            "`opencode run` does not wait at its end until all is sent: without the short OTEL_BSP_SCHEDULE_DELAY"
            " the last calls are missing."
        ),
    ),
    evidence="service_name = 'opencode'",
)
