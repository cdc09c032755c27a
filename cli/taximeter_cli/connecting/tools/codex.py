"""OpenAI's Codex."""

from taximeter_cli.connecting.tool import AGENT, Part, Path, SettingsFile, Tool


def _exporters(**more: object) -> dict[Path, object]:
    signals = {"exporter": "{logs}", "trace_exporter": "{traces}", "metrics_exporter": "{metrics}"}
    return {
        ("otel", name): {"otlp-http": {"endpoint": endpoint, "protocol": "binary", **more}}
        for name, endpoint in signals.items()
    }


TOOL = Tool(
    name="codex",
    title="OpenAI Codex",
    group=AGENT,
    file=SettingsFile("toml", "config.toml", "~/.codex", variable="CODEX_HOME"),
    set=Part({("otel", "log_user_prompt"): False, **_exporters()}),
    token=Part(_exporters(headers={"authorization": "Bearer {token}"})),
    content=Part({("otel", "log_user_prompt"): True}),
    arrives=(
        "Each call as the event that ends it; tools and decisions as events. Its spans repeat the usage of calls "
        "and are never billed. Durations and tokens of turns as metrics."
    ),
    privacy=(
        "Prompts are sent only with log_user_prompt (--content). What tools are given and what they answer is "
        "sent in any case: `land.content = false` in taximeter.toml keeps none of it."
    ),
    mind=(
        "Endpoints are whole addresses, one for each signal; OTEL_* variables are not asked.",
        "metrics_exporter takes the place of what goes to OpenAI.",
        "It tells of no cost: what is in the ledger is by the price book, as the API charges, whatever your plan is.",
    ),
    evidence="dialect = 'codex'",
)
