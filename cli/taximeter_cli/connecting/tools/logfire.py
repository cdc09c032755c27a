"""Pydantic Logfire."""

from taximeter_cli.connecting.standard import OTLP, TOKEN
from taximeter_cli.connecting.tool import APP, Snippet, Tool

_SETUP = """\
import logfire

logfire.configure(send_to_logfire="if-token-present")
logfire.instrument_openai()
logfire.instrument_anthropic()
"""

TOOL = Tool(
    name="logfire",
    title="Pydantic Logfire SDK",
    group=APP,
    set=OTLP,
    token=TOKEN,
    snippets=(Snippet("In the app, once", "python", _SETUP),),
    arrives="Each call as a span; to Logfire as well, if there is a token of Logfire's.",
    privacy="Prompts and answers are sent: `land.content = false` in taximeter.toml keeps none of it.",
    mind=("Its instrumentation of streams ends the call's span early and tells of the rest in a log of its own.",),
    evidence="dialect = 'logfire'",
)
