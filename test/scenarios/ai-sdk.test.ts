import { describe, it } from 'vitest';
import { adapterScenarios } from './adapter-scenarios.ts';
import { createAdapter, ways } from './ai-sdk-adapter.ts';

describe.each(ways)('the AI SDK, %s', (way) => {
  for (const { name, run } of adapterScenarios(createAdapter(way))) it(name, run, 30_000);
});
