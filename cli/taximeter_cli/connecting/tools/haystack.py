"""Haystack."""

from taximeter_cli.connecting.standard import OTLP, TOKEN
from taximeter_cli.connecting.tool import APP, Part, Tool

TOOL = Tool(
    name="haystack",
    title="Haystack",
    group=APP,
    set=Part(environment={**OTLP.environment, "HAYSTACK_CONTENT_TRACING_ENABLED": "true"}),
    token=TOKEN,
    arrives="Each component of a pipeline as a span; those that ask a model are calls.",
    privacy=(
        "Usage is in what it calls content, so that has to be on, and prompts and answers come with it: "
        "`land.content = false` in taximeter.toml keeps none of them."
    ),
    evidence="dialect = 'haystack'",
)
