r"""npm install zod @opentelemetry/sdk-node@0.301.0 and, in a folder for each version of the AI SDK,

ai@4.3.19 @ai-sdk/openai@1.3.24 @ai-sdk/anthropic@1.2.12 @ai-sdk/google@1.2.22
ai@5.0.277 @ai-sdk/openai@2.0.131 @ai-sdk/anthropic@2.0.112 @ai-sdk/google@2.0.108
ai@6.0.326 @ai-sdk/openai@3.0.141 @ai-sdk/anthropic@3.0.138 @ai-sdk/google@3.0.141
ai@7.0.173 @ai-sdk/openai@4.0.118 @ai-sdk/anthropic@4.0.105 @ai-sdk/google@4.0.121 \
    @ai-sdk/otel@1.0.173 (with node 22)

Then, with the folders as arguments: python -m tests.collector.corpus.make.vercel_ai FOLDER...
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.collector.corpus.make.capture import Asked, Corpus, Reply

SCRIPT = Path(__file__).with_suffix(".mjs")
CASES = {
    "plain": "A call, whole, with a function's id and metadata.",
    "stream": "A streamed call.",
    "responses": "The Responses API.",
    "agent": "Two calls with a tool between, in one generateText.",
    "anthropic": "Anthropic, with tokens read from and written to the cache.",
    "anthropic-stream": "Anthropic, streamed.",
    "google": "Gemini, with thoughts.",
    "google-stream": "Gemini, streamed.",
    "embeddings": "One embedding.",
    "error": "The provider had enough.",
    "stream-error": "The provider had enough before the stream began.",
    "retry": "The first attempt fails.",
    "object": "An object, which the answer is none.",
}
OF_SIX = {"gateway": "Through Vercel's gateway, which tells what it costs."}
OF_SEVEN = {
    "legacy-plain": "The format of versions before, asked for by name.",
    "legacy-anthropic-stream": "The format of versions before, streamed.",
    "legacy-embeddings": "The format of versions before, embeddings.",
    "all-plain": "The conventions' format, with all that can be added to it.",
    "all-anthropic": "The same, with tokens read from and written to the cache.",
    "speech": "Speech, paid for by what it does not tell.",
    "transcription": "A transcription.",
    "legacy-transcription": "A transcription, in the format of versions before.",
    "two-formats-plain": "Both formats at once.",
}


def main() -> None:
    for folder in map(Path, sys.argv[1:]):
        installed = {
            name: json.loads((folder / "node_modules" / name / "package.json").read_text())["version"]
            for name in ("ai", "@ai-sdk/openai", "@ai-sdk/anthropic")
        }
        version = installed["ai"]
        local = folder / "node_modules/.bin/node"
        node = str(local) if local.exists() else "node"
        cases = CASES | (OF_SEVEN if version.startswith("7") else {})
        if version.startswith("6"):
            cases |= OF_SIX
        if version.startswith("4"):
            cases.pop("responses")  # it wants more of an answer than the loopback provider gives
        with Corpus("vercel_ai", "ai", providers=False, library_version=version) as corpus:
            corpus.loopback.answers["/gateway/language-model"] = _gateway
            for name, says in cases.items():
                with corpus.case(name, says):
                    if name == "retry":
                        corpus.loopback.fail_first("gpt-4o-mini", 1)
                    subprocess.run([node, str(SCRIPT), version, name], cwd=folder, check=True, env=_environment())


def _gateway(asked: Asked) -> Reply:
    """As version 6 has it from the gateway."""
    told = {
        "content": [{"type": "text", "text": "The meter is running."}],
        "finishReason": {"unified": "stop", "raw": "stop"},
        "usage": {
            "inputTokens": {"total": 120, "noCache": 20, "cacheRead": 100},
            "outputTokens": {"total": 30, "text": 18, "reasoning": 12},
        },
        "providerMetadata": {"gateway": {"cost": "0.0000285", "generationId": "gen_01K"}},
        "warnings": [],
    }
    return Reply([json.dumps(told).encode()])


def _environment() -> dict[str, str]:
    return dict(os.environ) | {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "none"}


if __name__ == "__main__":
    main()
