"""GitHub Copilot in the terminal."""

from taximeter_cli.connecting.standard import TOKEN
from taximeter_cli.connecting.tool import AGENT, Part, Tool

TOOL = Tool(
    name="copilot-cli",
    title="GitHub Copilot CLI",
    group=AGENT,
    set=Part(environment={"COPILOT_OTEL_ENABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "{http}"}),
    token=TOKEN,
    content=Part(environment={"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true"}),
    arrives=(
        "Each call, tool and agent as a span; lines, commits and tools as metrics. Only calls are billed: an "
        "agent's span repeats the sum of its calls."
    ),
    privacy="Prompts and answers are sent only with OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT (--content).",
    mind=(
        "It speaks OTLP/HTTP only.",
        (
            "What is in the ledger is what the provider's API would charge. What GitHub charges is in credits, "
            "and is in reported_cost_usd where it is told."
        ),
        "JetBrains' Copilot, from 1.9 on, is said to read the same variables.",
    ),
    evidence="dialect = 'copilot' AND coalesce(service_name, '') <> 'copilot-chat'",
)
