// One call of Vercel's AI SDK, by the name of a case; run by vercel_ai.py in a folder that has the packages.
import { createRequire } from 'node:module';

const require = createRequire(`${process.cwd()}/index.js`);
const [, , version, name] = process.argv;
const major = Number(version.split('.')[0]);
const ai = require('ai');
const { createOpenAI } = require('@ai-sdk/openai');
const { createGoogleGenerativeAI } = require('@ai-sdk/google');
const { createAnthropic } = require('@ai-sdk/anthropic');
const { z } = require('zod');
const { NodeSDK, resources } = require('@opentelemetry/sdk-node');

const sdk = new NodeSDK({
  resource: resources.resourceFromAttributes({ 'service.name': 'shop', 'service.version': '1.2' }),
  autoDetectResources: false,
});
sdk.start();
if (major >= 7) {
  const { OpenTelemetry, LegacyOpenTelemetry } = require('@ai-sdk/otel');
  if (name.startsWith('two-formats')) ai.registerTelemetry(new OpenTelemetry(), new LegacyOpenTelemetry());
  else if (name.startsWith('legacy')) ai.registerTelemetry(new LegacyOpenTelemetry());
  else ai.registerTelemetry(new OpenTelemetry(name.startsWith('all') ? { usage: true, providerMetadata: true } : {}));
}

const url = process.env.LOOPBACK_URL;
const openai = createOpenAI({ apiKey: 'k', baseURL: `${url}/v1`, compatibility: 'strict' });
const anthropic = createAnthropic({ apiKey: 'k', baseURL: `${url}/v1` });
const google = createGoogleGenerativeAI({ apiKey: 'k', baseURL: `${url}/v1beta` });
const gpt = openai.chat('gpt-4o-mini');
const claude = anthropic('claude-sonnet-4-5');
const gemini = google('gemini-2.5-flash');
const told = { functionId: 'answer', metadata: { userId: 'u-1', sessionId: 's-1', feature: 'search' } };
const asked = {
  prompt: 'How much?',
  maxRetries: 0,
  experimental_telemetry: { isEnabled: true, ...(name.includes('plain') ? told : {}) },
};

const quietly = { maxRetries: 0, telemetry: {} };

const weather = {
  description: 'Tells it.',
  [major === 4 ? 'parameters' : 'inputSchema']: z.object({ city: z.string() }),
  execute: async ({ city }) => `rain in ${city}`,
};
const steps = major === 4 ? { maxSteps: 2 } : { stopWhen: ai.stepCountIs ? ai.stepCountIs(2) : ai.isStepCount(2) };

async function streamed(answer) {
  for await (const _ of answer.textStream);
}

const cases = {
  plain: () => ai.generateText({ ...asked, model: gpt }),
  stream: () => streamed(ai.streamText({ ...asked, model: gpt })),
  responses: () => ai.generateText({ ...asked, model: openai.responses('gpt-4.1') }),
  agent: () => ai.generateText({ ...asked, model: gpt, tools: { weather }, ...steps }),
  anthropic: () => ai.generateText({ ...asked, model: claude }),
  'anthropic-stream': () => streamed(ai.streamText({ ...asked, model: claude })),
  google: () => ai.generateText({ ...asked, model: gemini }),
  'google-stream': () => streamed(ai.streamText({ ...asked, model: gemini })),
  embeddings: () =>
    ai.embed({ ...asked, prompt: undefined, value: 'How much?', model: openai.embedding('text-embedding-3-small') }),
  error: () => ai.generateText({ ...asked, model: openai.chat('gpt-4o-mini?status=429') }).catch(() => {}),
  'stream-error': () =>
    streamed(ai.streamText({ ...asked, model: openai.chat('gpt-4o-mini?status=429'), onError: () => {} })).catch(() => {}),
  retry: () => ai.generateText({ ...asked, maxRetries: 2, model: openai.chat('gpt-4o-mini') }),
  speech: () => (ai.generateSpeech ?? ai.experimental_generateSpeech)({ text: 'Hello', model: openai.speech('tts-1'), ...quietly }),
  transcription: () => {
    const audio = new Uint8Array(8);
    return ai.transcribe({ audio, model: openai.transcription('gpt-4o-transcribe'), ...quietly });
  },
  gateway: () => {
    const gateway = ai.createGateway({ apiKey: 'k', baseURL: `${url}/gateway` });
    return ai.generateText({ ...asked, model: gateway('openai/gpt-4o-mini') });
  },
  object: () => {
    const schema = z.object({ answer: z.string() });
    return ai.generateObject({ ...asked, schema, model: gpt }).catch(() => {});
  },
};

await cases[name.replace(/^(legacy|all|two-formats)-/, '')]();
await sdk.shutdown();
