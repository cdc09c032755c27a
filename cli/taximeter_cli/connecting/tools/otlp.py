"""Anything that speaks OpenTelemetry."""

from taximeter_cli.connecting.standard import OTLP, TOKEN
from taximeter_cli.connecting.tool import APP, Part, Tool

TOOL = Tool(
    name="otlp",
    title="Anything that speaks OpenTelemetry",
    group=APP,
    set=OTLP,
    token=TOKEN,
    content=Part(environment={"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY"}),
    arrives="Whatever it tells of: OpenTelemetry's conventions, old and new, and some twenty dialects besides.",
    privacy=(
        "As the sender has it. For OpenTelemetry's own instrumentations, only with "
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT (--content)."
    ),
    mind=("Over gRPC the address is the same host with port 4317, and the protocol `grpc`.",),
    evidence="TRUE",
)
