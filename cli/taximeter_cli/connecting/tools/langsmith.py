"""LangSmith, and LangChain and LangGraph by it."""

from taximeter_cli.connecting.standard import OTLP, TOKEN
from taximeter_cli.connecting.tool import APP, Part, Snippet, Tool

TOOL = Tool(
    name="langsmith",
    title="LangSmith (LangChain, LangGraph)",
    group=APP,
    set=Part(environment={**OTLP.environment, "LANGSMITH_TRACING": "true", "LANGSMITH_TRACING_MODE": "otel"}),
    token=TOKEN,
    snippets=(Snippet("Needed for that", "sh", 'pip install "langsmith[otel]"\n'),),
    arrives="Each run as a span: models, chains, tools, retrievers.",
    privacy=(
        "Prompts and answers are sent, and the usage is among them, so that LANGSMITH_HIDE_OUTPUTS may take it "
        "away: `land.content = false` in taximeter.toml keeps none of them."
    ),
    mind=("LANGSMITH_TRACING_MODE is `otel` for here alone, `hybrid` for LangSmith as well.",),
    evidence="dialect = 'langsmith'",
)
