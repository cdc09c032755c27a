"""GitHub Copilot in VS Code."""

from taximeter_cli.connecting.standard import TOKEN
from taximeter_cli.connecting.tool import AGENT, Part, SettingsFile, Tool

_OF_COPILOT = "github.copilot.chat.otel"

TOOL = Tool(
    name="copilot",
    title="GitHub Copilot (VS Code)",
    group=AGENT,
    file=SettingsFile(
        "json",
        "settings.json",
        "$XDG_CONFIG_HOME/Code/User",
        {"darwin": "~/Library/Application Support/Code/User", "win32": "$APPDATA/Code/User"},
        variable="VSCODE_PORTABLE",
        below="user-data/User",
    ),
    set=Part(
        {
            (f"{_OF_COPILOT}.enabled",): True,
            (f"{_OF_COPILOT}.exporterType",): "otlp-http",
            (f"{_OF_COPILOT}.otlpEndpoint",): "{http}",
            (f"{_OF_COPILOT}.captureContent",): False,
        }
    ),
    token=TOKEN,
    content=Part({(f"{_OF_COPILOT}.captureContent",): True}),
    arrives=(
        "Each call, tool and agent as a span, events that say the same, and metrics. Only calls are billed: an "
        "agent's span repeats the sum of its calls."
    ),
    privacy="Prompts and answers are sent only with captureContent (--content).",
    mind=(
        "Variables win over settings: COPILOT_OTEL_ENABLED, COPILOT_OTEL_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT.",
        "Insiders, VSCodium and profiles have files of their own: --file names one.",
        (
            "What is in the ledger is what the provider's API would charge. What GitHub charges is in credits, "
            "and is in reported_cost_usd where it is told."
        ),
        "Reload the window after a change.",
    ),
    overridden_by=(
        "COPILOT_OTEL_ENABLED",
        "COPILOT_OTEL_ENDPOINT",
        "COPILOT_OTEL_PROTOCOL",
        "COPILOT_OTEL_CAPTURE_CONTENT",
        "COPILOT_OTEL_FILE_EXPORTER_PATH",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    ),
    evidence="dialect = 'copilot' AND coalesce(service_name, '') <> 'github-copilot'",
)
