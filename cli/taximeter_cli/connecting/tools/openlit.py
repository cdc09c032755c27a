"""OpenLIT."""

from taximeter_cli.connecting.standard import OTLP, TOKEN
from taximeter_cli.connecting.tool import APP, Snippet, Tool

_OFF = 'import openlit\n\nopenlit.init(application_name="my-app", capture_message_content=False)\n'

TOOL = Tool(
    name="openlit",
    title="OpenLIT",
    group=APP,
    set=OTLP,
    token=TOKEN,
    snippets=(Snippet("In the app, once", "python", _OFF),),
    arrives="Each call as a span with a cost of its own (reported_cost_usd), and metrics.",
    privacy="It sends prompts and answers unless capture_message_content is False.",
    mind=("Its own prices are fetched at its start; the ledger's are of the price book.",),
    evidence="dialect = 'openlit'",
)
