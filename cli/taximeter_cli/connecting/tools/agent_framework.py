"""Microsoft's Agent Framework."""

from taximeter_cli.connecting.standard import OTLP, TOKEN
from taximeter_cli.connecting.tool import APP, Part, Tool

TOOL = Tool(
    name="agent-framework",
    title="Microsoft Agent Framework",
    group=APP,
    set=Part(environment={**OTLP.environment, "ENABLE_INSTRUMENTATION": "true", "ENABLE_SENSITIVE_DATA": "false"}),
    token=TOKEN,
    content=Part(environment={"ENABLE_SENSITIVE_DATA": "true"}),
    arrives="Each call, agent, tool and workflow as a span, and metrics.",
    privacy="Prompts and answers are sent only with ENABLE_SENSITIVE_DATA (--content).",
    evidence="dialect = 'agent_framework'",
)
