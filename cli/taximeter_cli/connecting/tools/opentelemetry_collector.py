"""An OpenTelemetry Collector that is there already."""

from taximeter_cli.connecting.tool import COLLECTOR, Part, Snippet, Tool


def _yaml(headers: str = "") -> str:
    return f"""\
exporters:
  otlp_http/taximeter:
    endpoint: {{http}}
{headers}    sending_queue:
      queue_size: 10000
service:
  pipelines:
    traces/taximeter:
      receivers: [otlp]
      exporters: [otlp_http/taximeter]
    metrics/taximeter:
      receivers: [otlp]
      exporters: [otlp_http/taximeter]
    logs/taximeter:
      receivers: [otlp]
      exporters: [otlp_http/taximeter]
"""


TOOL = Tool(
    name="opentelemetry-collector",
    title="OpenTelemetry Collector",
    group=COLLECTOR,
    set=Part(),
    snippets=(
        Snippet(
            "Into its configuration",
            "yaml",
            _yaml(),
            _yaml('    headers:\n      authorization: "Bearer {token}"\n'),
        ),
    ),
    arrives="All that it is sent, from anything, in whichever dialect.",
    privacy="As its senders have it.",
    mind=(
        "In versions before 0.144 or so the exporter is called `otlphttp`.",
        "Pipelines of their own, as here, come before any sampling: what is sampled away was paid for, too.",
        (
            "If a collector runs here already, it has the ports 4317 and 4318: `taximeter collect --http "
            "127.0.0.1:14318 --grpc off`."
        ),
        "It holds what it cannot send in memory, unless its file_storage extension is set up.",
    ),
    evidence="TRUE",
)
