"""MLflow's tracing."""

from taximeter_cli.connecting.tool import APP, Part, Snippet, Tool

TOOL = Tool(
    name="mlflow",
    title="MLflow tracing",
    group=APP,
    set=Part(
        environment={
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "{traces}",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
        }
    ),
    token=Part(environment={"OTEL_EXPORTER_OTLP_TRACES_HEADERS": "authorization=Bearer {token}"}),
    snippets=(Snippet("In the app, once", "python", "import mlflow\n\nmlflow.openai.autolog()\n"),),
    arrives="Each call, chain and agent as a span.",
    privacy="Prompts and answers are sent: `land.content = false` in taximeter.toml keeps none of it.",
    mind=("With an endpoint for traces set, they go there instead of to MLflow.",),
    evidence="dialect = 'mlflow'",
)
