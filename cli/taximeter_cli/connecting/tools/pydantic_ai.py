"""pydantic-ai."""

from taximeter_cli.connecting.standard import OTLP, TOKEN
from taximeter_cli.connecting.tool import APP, Snippet, Tool

_SETUP = """\
import logfire
from pydantic_ai import Agent, InstrumentationSettings

logfire.configure(send_to_logfire=False)
Agent.instrument_all(InstrumentationSettings(include_content=False))
"""

TOOL = Tool(
    name="pydantic-ai",
    title="pydantic-ai",
    group=APP,
    set=OTLP,
    token=TOKEN,
    snippets=(Snippet("In the app, once (any OpenTelemetry SDK does instead of logfire)", "python", _SETUP),),
    arrives="Each call, agent and tool as a span. An agent's span repeats the sum of its calls, and is not billed.",
    privacy="It sends prompts and answers unless include_content is False.",
    evidence="dialect = 'pydantic_ai'",
)
