"""Google's Agent Development Kit."""

from taximeter_cli.connecting.standard import OTLP, TOKEN
from taximeter_cli.connecting.tool import APP, Part, Tool

TOOL = Tool(
    name="google-adk",
    title="Google ADK",
    group=APP,
    set=Part(environment={**OTLP.environment, "ADK_CAPTURE_MESSAGE_CONTENT_IN_SPANS": "false"}),
    token=TOKEN,
    content=Part(environment={"ADK_CAPTURE_MESSAGE_CONTENT_IN_SPANS": "true"}),
    arrives="Each call, agent and tool as a span.",
    privacy=(
        "It sends prompts and answers unless ADK_CAPTURE_MESSAGE_CONTENT_IN_SPANS is false, as it is here "
        "(--content: true)."
    ),
    mind=("`adk web` and `adk run` set up OpenTelemetry by these variables; an app of your own does it by itself.",),
    evidence="dialect = 'google_adk'",
)
