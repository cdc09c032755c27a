"""OpenInference, of Arize."""

from taximeter_cli.connecting.standard import OTLP, TOKEN
from taximeter_cli.connecting.tool import APP, Part, Snippet, Tool

_SETUP = """\
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
OpenAIInstrumentor().instrument()
"""

TOOL = Tool(
    name="openinference",
    title="OpenInference (Arize Phoenix)",
    group=APP,
    set=Part(
        environment={**OTLP.environment, "OPENINFERENCE_HIDE_INPUTS": "true", "OPENINFERENCE_HIDE_OUTPUTS": "true"}
    ),
    token=TOKEN,
    content=Part(environment={"OPENINFERENCE_HIDE_INPUTS": "false", "OPENINFERENCE_HIDE_OUTPUTS": "false"}),
    snippets=(Snippet("In the app, once", "python", _SETUP),),
    arrives="Each call, chain, retriever, tool and agent as a span.",
    privacy=(
        "It sends prompts and answers unless OPENINFERENCE_HIDE_INPUTS and _OUTPUTS are true, as they are here "
        "(--content: false)."
    ),
    mind=("phoenix.otel.register() sends to Phoenix; name the collector there, or use the lines above.",),
    evidence="dialect = 'openinference'",
)
