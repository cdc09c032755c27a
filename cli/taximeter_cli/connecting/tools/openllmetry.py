"""OpenLLMetry, of Traceloop."""

from taximeter_cli.connecting.tool import APP, Part, Snippet, Tool

TOOL = Tool(
    name="openllmetry",
    title="OpenLLMetry (Traceloop)",
    group=APP,
    set=Part(
        environment={
            "TRACELOOP_BASE_URL": "{http}",
            "TRACELOOP_TRACE_CONTENT": "false",
            "TRACELOOP_TELEMETRY": "false",
        }
    ),
    token=Part(environment={"TRACELOOP_HEADERS": "authorization=Bearer {token}"}),
    content=Part(environment={"TRACELOOP_TRACE_CONTENT": "true"}),
    snippets=(
        Snippet("With its SDK", "python", 'from traceloop.sdk import Traceloop\n\nTraceloop.init(app_name="my-app")\n'),
    ),
    arrives="Each call as a span, of SDKs, frameworks and vector databases, in many languages.",
    privacy="It sends prompts and answers unless TRACELOOP_TRACE_CONTENT is false, as it is here (--content: true).",
    mind=(
        "Its instrumentations without its SDK send wherever your own OpenTelemetry SDK does: `connect otlp`.",
        "Beside Taximeter's own meter in an app it is no trouble: one call stays one.",
    ),
    evidence="dialect = 'openllmetry'",
)
