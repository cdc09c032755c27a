"""LlamaIndex wants an older OpenAI SDK than the other tests, on httpx; so it has an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.instrumentation.rivals_at_work import MODES
from tests.instrumentation.test_adoption import check

ROOT = Path(__file__).parents[2]
WANTED = [
    "llama-index-llms-openai",
    "openinference-instrumentation-llama-index",
    "opentelemetry-instrumentation-llamaindex",
]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("llama") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    made = str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")
    pip = [made, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    lock = ["--constraint", str(ROOT / "requirements-llama-index.lock")]
    subprocess.run([*pip, *lock, str(ROOT), *WANTED], check=True)
    return made


@pytest.mark.parametrize("first", ["rival", "taximeter"])
@pytest.mark.parametrize("rival", ["openinference_llama_index", "openllmetry_llama_index"])
def test_one_complete_span(python: str, rival: str, first: str) -> None:
    command = [python, "-m", "tests.instrumentation.rivals_at_work", rival, "call_llama_index", first, *MODES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.rpartition("RESULT ")[2])
    assert found.pop("faults") == {}
    for mode, spans in found.items():
        assert len(spans) == 1, (mode, spans)
        check(spans[0][1], mode, embeds=False, rival=rival)
