"""Microsoft's Semantic Kernel."""

from taximeter_cli.connecting.standard import OTLP, TOKEN
from taximeter_cli.connecting.tool import APP, Part, Tool

_SWITCH = "SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS"

TOOL = Tool(
    name="semantic-kernel",
    title="Semantic Kernel",
    group=APP,
    set=Part(environment={**OTLP.environment, _SWITCH: "true"}),
    token=TOKEN,
    content=Part(environment={f"{_SWITCH}_SENSITIVE": "true"}),
    arrives="Each call as a span.",
    privacy=f"Prompts and answers are sent only with {_SWITCH}_SENSITIVE (--content).",
    evidence="dialect = 'semantic_kernel'",
)
