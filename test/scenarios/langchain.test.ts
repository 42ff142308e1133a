import { afterAll, describe, it } from 'vitest';
import { adapterScenarios } from './adapter-scenarios.ts';
import { createAdapter, deleteCheckpoints, graphs, keepers } from './langchain-adapter.ts';

afterAll(deleteCheckpoints);

const ways = graphs.flatMap((graph) => keepers.map((keeper) => `${graph}, invoke, ${keeper}`));

describe.each([
  ...ways,
  'createAgent v2, stream, SqliteSaver',
  'StateGraph, stream, no checkpointer',
])('LangChain, %s', (name) => {
  for (const { name: scenario, run } of adapterScenarios(createAdapter(name)))
    it(scenario, run, 60_000);
});
