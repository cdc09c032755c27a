"""The code in the documentation runs, and its links lead somewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from taximeter import dialects
from taximeter.instrumentor import TaximeterInstrumentor
from taximeter_collector.configuration import keys
from taximeter_collector.forward.presets import preset, presets
from taximeter_collector.forward.sections import destination_keys
from taximeter_collector.telemetry import metrics

from tests.collector.corpus.overview import written
from tests.conftest import Telemetry

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
BLOCKS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
]


@pytest.mark.parametrize("block", BLOCKS)
def test_code_runs(block: str, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    from opentelemetry import trace

    monkeypatch.setattr(trace, "_TRACER_PROVIDER", telemetry.tracer_provider)
    exec(compile(block, "documentation", "exec"), {})
    TaximeterInstrumentor().uninstrument()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in link:
            assert (page.parent / link).exists(), link


def test_every_setting_of_the_collector_is_documented_as_it_is() -> None:
    rows = re.findall(
        r"^\| `([a-z_.]+)` \| (.+?) \| (.+) \|$", (ROOT / "docs/configuration.md").read_text(), re.MULTILINE
    )
    documented = {name: (default, sentence) for name, default, sentence in rows}
    assert list(documented) == list(keys())
    for name, key in keys().items():
        default, sentence = documented[name]
        assert sentence == key.setting.sentence
        if name != "data":  # differs from platform to platform
            assert default == f"`{json.dumps(key.setting.kind.write(key.setting.read(key.setting.default)))}`"


def test_every_setting_of_a_destination_is_documented_as_it_is() -> None:
    text = (ROOT / "docs/configuration.md").read_text()
    rows = re.findall(r"^\| `forward\.NAME\.([a-z_]+)` \| (.+?) \| (.+) \|$", text, re.MULTILINE)
    assert rows == [
        (ending, f"`{json.dumps(setting.kind.write(setting.read(setting.default)))}`", setting.sentence)
        for ending, (_, setting) in destination_keys().items()
    ]


def test_every_preset_is_documented_as_it_is() -> None:
    rows = re.findall(
        r"^\| `([a-z-]+)` \| (.+?) \| (.+?) \| (.+?) \|$", (ROOT / "docs/forwarding.md").read_text(), re.MULTILINE
    )
    assert [row[0] for row in rows] == list(presets())
    for name, title, endpoint, key in rows:
        known = preset(name)
        assert (title, endpoint, key) == (known.title, f"`{known.settings['endpoint']}`", known.key or "none")


def test_every_metric_of_the_collector_is_documented_as_it_is() -> None:
    rows = re.findall(r"^\| `(taximeter\.[a-z_.]+)` \| (.*)$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    assert rows == [
        (
            metric.name,
            f"`{metric.prometheus_name}` | {', '.join(f'`{label}`' for label in metric.labels)} | {metric.help} |",
        )
        for metric in metrics.ALL
    ]


def test_every_setting_of_the_meter_is_documented() -> None:
    code = "".join(path.read_text() for path in ROOT.glob("instrumentation/**/*.py"))
    named = set(re.findall(r'"(TAXIMETER_[A-Z_]+)"', code))
    assert named == set(re.findall(r"\| `(TAXIMETER_[A-Z_]+)`", (ROOT / "docs/instrumentation.md").read_text()))


def test_the_dialect_in_the_documentation_is_one() -> None:
    block = re.findall(r"```python\n(.*?)```", (ROOT / "docs/dialects.md").read_text(), re.DOTALL)[0]
    namespace: dict[str, object] = {}
    exec(compile(block, "dialects.md", "exec"), namespace)
    from taximeter.dialect import Dialect, WireRequest
    from taximeter.framing import Frame

    dialect = namespace["DIALECT"]
    assert isinstance(dialect, Dialect)
    call = dialect.open(WireRequest("POST", "h", "/v9/think", body=b'{"thought": "x", "engine": "m"}'))
    assert call is not None
    dialect.read(call, {"thought_id": "t", "spent": {"read": 3, "written": 4}}, Frame(b""))
    assert (call.model, call.response_id, call.usage.input_tokens) == ("m", "t", 3)
    assert dialects.__name__ == "taximeter.dialects"


def test_the_corpus_is_documented_as_it_is() -> None:
    """`python tests/collector/corpus/overview.py` writes the table anew."""
    assert (ROOT / "docs/normalising.md").read_text() == written()
