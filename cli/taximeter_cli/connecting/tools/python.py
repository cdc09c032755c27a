"""A Python app, metered by Taximeter."""

from taximeter_cli.connecting.standard import OTLP, TOKEN
from taximeter_cli.connecting.tool import APP, Part, Snippet, Tool

TOOL = Tool(
    name="python",
    title="Python app",
    group=APP,
    set=OTLP,
    token=TOKEN,
    content=Part(environment={"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY"}),
    snippets=(
        Snippet("Not one line of code", "sh", "pip install taximeter\nopentelemetry-instrument python app.py\n"),
        Snippet("Or in the app, before it calls models", "python", "import taximeter\n\ntaximeter.instrument()\n"),
    ),
    arrives="Each call as a span, through whatever SDK, and metrics.",
    privacy="Prompts and answers are sent only with OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT (--content).",
    mind=("`taximeter run -- python app.py` needs none of this: for a try, or a test.",),
    evidence="resource_attributes['telemetry.sdk.language'] = 'python'",
)
