"""LiteLLM, the proxy and the SDK."""

from taximeter_cli.connecting.tool import COLLECTOR, Part, Snippet, Tool

_PROXY = """\
# config.yaml of the proxy
litellm_settings:
  callbacks: ["otel"]
  turn_off_message_logging: true
"""

TOOL = Tool(
    name="litellm",
    title="LiteLLM proxy and SDK",
    group=COLLECTOR,
    set=Part(environment={"OTEL_EXPORTER": "otlp_http", "OTEL_ENDPOINT": "{traces}"}),
    token=Part(environment={"OTEL_HEADERS": "authorization=Bearer {token}"}),
    snippets=(
        Snippet("The proxy", "yaml", _PROXY),
        Snippet("The SDK", "python", 'import litellm\n\nlitellm.callbacks = ["otel"]\n'),
    ),
    arrives=(
        "Each call as a span, with the key's user and team, and what LiteLLM thinks that it costs (reported_cost_usd)."
    ),
    privacy="It sends prompts and answers unless turn_off_message_logging is true.",
    mind=(
        "OTEL_EXPORTER_OTLP_PROTOCOL and OTEL_EXPORTER_OTLP_ENDPOINT win over these two.",
        "An app that is metered and calls the proxy tells of the same calls: each is billed once, by its response id.",
    ),
    overridden_by=("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    evidence="dialect = 'litellm'",
)
