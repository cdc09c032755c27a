"""An app in Node.js."""

from taximeter_cli.connecting.standard import OTLP, TOKEN
from taximeter_cli.connecting.tool import APP, Part, Snippet, Tool

TOOL = Tool(
    name="node",
    title="Node.js app",
    group=APP,
    set=OTLP,
    token=TOKEN,
    content=Part(environment={"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true"}),
    snippets=(
        Snippet(
            "Not one line of code",
            "sh",
            "npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node\n"
            "node --require @opentelemetry/auto-instrumentations-node/register app.js\n",
        ),
    ),
    arrives=(
        "Each call of OpenAI's SDK as a span, by OpenTelemetry's own instrumentation; for others, OpenLLMetry "
        "(`connect openllmetry`) or Vercel's AI SDK (`connect vercel-ai`)."
    ),
    privacy="Prompts and answers are sent only with OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT (--content).",
    mind=("ES modules need `--import` and a loader hook: OpenTelemetry's documentation for JavaScript says which.",),
    evidence="resource_attributes['telemetry.sdk.language'] = 'nodejs' AND coalesce(service_name, '') <> 'opencode'",
)
