"""Vercel's AI SDK."""

from taximeter_cli.connecting.standard import OTLP, TOKEN
from taximeter_cli.connecting.tool import APP, Snippet, Tool

_SDK = """\
// instrumentation.ts
import { NodeSDK } from '@opentelemetry/sdk-node';

new NodeSDK({ serviceName: 'my-app' }).start();
"""
_CALL = """\
// AI SDK 4 to 6: in each call
await generateText({
  model,
  prompt,
  experimental_telemetry: { isEnabled: true, recordInputs: false, recordOutputs: false },
});
"""
_SEVEN = """\
// AI SDK 7: once
import { registerTelemetry } from 'ai';
import { OpenTelemetry } from '@ai-sdk/otel';

registerTelemetry(new OpenTelemetry());
"""

TOOL = Tool(
    name="vercel-ai",
    title="Vercel AI SDK",
    group=APP,
    set=OTLP,
    token=TOKEN,
    snippets=(
        Snippet("At the start of the app; in Next.js with registerOTel of @vercel/otel", "ts", _SDK),
        Snippet("Where it calls models", "ts", _CALL),
        Snippet("Or, from version 7 on", "ts", _SEVEN),
    ),
    arrives="Each call as a span; the span around a whole generateText repeats the sum, and is not billed.",
    privacy="Prompts and answers are sent unless recordInputs and recordOutputs are false.",
    mind=("Versions before 6 count as each provider does; that is put right, by the provider's own metadata.",),
    evidence="dialect = 'vercel_ai' AND coalesce(service_name, '') <> 'opencode'",
)
