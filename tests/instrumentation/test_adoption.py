"""Never twice: whoever else makes a span for a call, there is one at the end, and it is complete."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from taximeter_cli.loopback import Loopback

from tests.conftest import Telemetry
from tests.instrumentation.rivals_at_work import MODES, call_openai

ROOT = Path(__file__).parents[2]
STREAM = ("stream",)
ONCE = ("sync",)

CASES: list[tuple[str, str, tuple[str, ...]]] = [
    ("official_openai", "call_openai", MODES),
    ("official_openai", "call_openai_responses", MODES),
    ("official_openai", "call_openai_embeddings", ONCE),
    ("official_anthropic", "call_anthropic", MODES),
    ("official_anthropic", "call_anthropic_stream_helper", STREAM),
    ("openinference_openai", "call_openai", MODES),
    ("openinference_openai", "call_openai_responses", MODES),
    ("openinference_openai", "call_openai_embeddings", ONCE),
    ("openinference_anthropic", "call_anthropic", MODES),
    ("openinference_anthropic", "call_anthropic_stream_helper", STREAM),
    ("openinference_langchain", "call_langchain", MODES),
    ("openllmetry_openai", "call_openai", MODES),
    ("openllmetry_openai", "call_openai_responses", MODES),
    ("openllmetry_openai", "call_openai_embeddings", ONCE),
    ("openllmetry_anthropic", "call_anthropic", MODES),
    ("openllmetry_langchain", "call_langchain", MODES),
    ("pydantic_ai", "call_pydantic_ai", MODES),
    ("native", "call_anthropic", MODES),
    ("native", "call_anthropic_stream_helper", STREAM),
    ("mistral_native", "call_mistral", MODES),
    ("litellm_callback", "call_litellm", MODES),
]


@pytest.mark.parametrize("first", ["rival", "taximeter"])
@pytest.mark.parametrize(("rival", "call", "modes"), CASES, ids=lambda value: value if isinstance(value, str) else "")
def test_one_complete_span(rival: str, call: str, modes: tuple[str, ...], first: str) -> None:
    command = [sys.executable, "-m", "tests.instrumentation.rivals_at_work", rival, call, first, *modes]
    environment = os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.rpartition("RESULT ")[2])
    assert found.pop("faults") == {}
    for mode, spans in found.items():
        assert len(spans) == 1, (mode, spans)
        check(spans[0][1], mode, embeds="embeddings" in call, rival=rival)


def check(said: dict[str, Any], mode: str, *, embeds: bool, rival: str) -> None:
    assert said["gen_ai.response.model"], mode
    assert said["gen_ai.usage.input_tokens"] in (120, 1070, 8), (mode, said)
    if embeds:
        return
    assert said["gen_ai.response.id"], mode
    assert said["gen_ai.usage.cache_read.input_tokens"] in (100, 1000), mode
    # OpenLLMetry adds the 1 of the stream's first event to the 30 of its last, after we have said 30.
    wrong = rival == "openllmetry_anthropic" and "stream" in mode
    assert said["gen_ai.usage.output_tokens"] == (31 if wrong else 30), (mode, said)
    if "stream" in mode:
        assert said["gen_ai.response.time_to_first_chunk"] >= 0, mode


def test_a_workflow_span_around_a_call_is_not_taken_for_its_own(meter: Telemetry, loopback: Loopback) -> None:
    import taximeter

    with taximeter.workflow("checkout"), taximeter.agent("planner"):
        call_openai(loopback, "sync")
    names = [span.name for span in meter.spans]
    assert names == ["chat gpt-4o-mini", "invoke_agent planner", "invoke_workflow checkout"]


def test_http_spans_are_children_of_the_model_span(meter: Telemetry, loopback: Loopback) -> None:
    from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor

    HTTPX2ClientInstrumentor().instrument(tracer_provider=meter.tracer_provider)
    call_openai(loopback, "stream")
    HTTPX2ClientInstrumentor().uninstrument()
    by_name = {span.name: span for span in meter.spans}
    model = by_name["chat gpt-4o-mini"]
    assert by_name["POST"].parent is not None and model.context is not None
    assert by_name["POST"].parent.span_id == model.context.span_id
