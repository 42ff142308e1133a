import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BaseCallbackHandler } from '@langchain/core/callbacks/base';
import { awaitAllCallbacks } from '@langchain/core/callbacks/promises';
import type { ClientTool } from '@langchain/core/tools';
import { tool } from '@langchain/core/tools';
import { LangChainTracer } from '@langchain/core/tracers/tracer_langchain';
import type { BaseCheckpointSaver } from '@langchain/langgraph-checkpoint';
import { PostgresSaver } from '@langchain/langgraph-checkpoint-postgres';
import type { Task } from '@outlive/core';
import { createScriptedModel, serveHandler } from '@outlive/testing';
import { Client as LangSmithClient } from 'langsmith';
import { Client as PostgresClient } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from 'vitest';
import { z } from 'zod';
import { sqliteSaver } from '../../examples/langgraph-two-processes/src/sqlite-saver.ts';
import { type PostgresServer, postgresServer } from '../servers/postgres-server.ts';
import type { ScriptedTurn } from './adapter-under-test.ts';
import { TestChatModel } from './chat-model.ts';
import { build, defineTools, graphs, scriptOf } from './langchain-adapter.ts';
import { scopes } from './scenario-runtime.ts';
import { createScenarioWorld, firstScopes, type ScenarioWorld } from './scenario-world.ts';
import { dump, secretsIn } from './secrets.ts';

// Every token that ever existed, and what the app proves itself with, is searched for in everything that LangChain and
// LangGraph write down, send or show.

const keepers = ['SqliteSaver', 'PostgresSaver'] as const;
type Keeper = (typeof keepers)[number];

let postgres: PostgresServer;
beforeAll(async () => {
  postgres = await postgresServer();
});
afterAll(() => postgres.stop());

let world: ScenarioWorld;
beforeEach(async () => {
  world = await createScenarioWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const pay = { tool: 'payInvoice', id: 'pay' };
const list = { tool: 'listInvoices', id: 'list' };
const note = { tool: 'addNote', id: 'note' };
const question = { messages: [{ role: 'user', content: 'Pay what is due.' }] };

/** An agent that can be streamed as events, which the agents of the scenarios are not. */
interface EventAgent {
  streamEvents(input: unknown, config: object): AsyncIterable<{ readonly event: string }>;
}

/** Where conversations are kept, and everything in it. */
interface Checkpoints extends AsyncDisposable {
  readonly saver: BaseCheckpointSaver;
  bytes(): Promise<readonly (string | Buffer)[]>;
}

async function openCheckpoints(keeper: Keeper): Promise<Checkpoints> {
  if (keeper === 'SqliteSaver') {
    const folder = mkdtempSync(join(tmpdir(), 'outlive-checkpoints-'));
    const saver = sqliteSaver(join(folder, 'checkpoints.db'));
    return {
      saver,
      bytes: async () => readdirSync(folder).map((name) => readFileSync(join(folder, name))),
      async [Symbol.asyncDispose]() {
        await saver[Symbol.asyncDispose]();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  }
  const schema = `leaks_${crypto.randomUUID().replaceAll('-', '')}`;
  const saver = PostgresSaver.fromConnString(postgres.url, { schema });
  await saver.setup();
  const client = new PostgresClient({ connectionString: postgres.url });
  await client.connect();
  return {
    saver,
    async bytes() {
      const found: (string | Buffer)[] = [];
      for (const table of ['checkpoints', 'checkpoint_blobs', 'checkpoint_writes']) {
        const { rows } = await client.query<Record<string, unknown>>(
          `SELECT * FROM ${schema}.${table}`,
        );
        assert.ok(rows.length > 0, `${table} is empty`);
        for (const value of rows.flatMap(Object.values))
          if (value !== null) found.push(Buffer.isBuffer(value) ? value : JSON.stringify(value));
      }
      return found;
    },
    async [Symbol.asyncDispose]() {
      await client.query(`DROP SCHEMA ${schema} CASCADE`);
      await client.end();
      await saver.end();
    },
  };
}

/** LangSmith, as far as a tracer knows: what it is sent is kept. */
async function openTracer(): Promise<
  AsyncDisposable & { readonly tracer: LangChainTracer; readonly sent: readonly string[] }
> {
  const sent: string[] = [];
  const server = await serveHandler(async (request) => {
    sent.push(await request.text());
    return Response.json({});
  });
  const client = new LangSmithClient({
    ...{ apiUrl: server.url, apiKey: 'a key', autoBatchTracing: false },
    callerOptions: { maxRetries: 0 },
  });
  return {
    tracer: new LangChainTracer({ client, projectName: 'leaks' }),
    sent,
    [Symbol.asyncDispose]: () => server.close(),
  };
}

const heard = [
  ...['handleChainStart', 'handleChainEnd', 'handleChainError'],
  ...['handleChatModelStart', 'handleLLMNewToken', 'handleLLMEnd', 'handleLLMError'],
  ...['handleToolStart', 'handleToolEnd', 'handleToolError', 'handleToolEvent'],
  ...['handleCustomEvent', 'handleText', 'handleAgentAction', 'handleAgentEnd'],
];

/** A callback handler that keeps all it is told, dumped at once: what it is told may change. */
function openCallbacks(): {
  readonly handler: BaseCallbackHandler;
  readonly told: readonly string[];
} {
  const told: string[] = [];
  const methods = heard.map((method) => [
    method,
    (...parts: unknown[]) => void told.push(`${method} ${dump(parts)}`),
  ]);
  return { handler: BaseCallbackHandler.fromMethods(Object.fromEntries(methods)), told };
}

interface Told {
  readonly task: Task;
  readonly graph: string;
  readonly keeper: Keeper;
  /** The turns of the model until the task pauses, and those after it. */
  readonly turns: readonly [readonly ScriptedTurn[], readonly ScriptedTurn[]];
  readonly tools: ClientTool[];
}

/** Runs a story in two agents that share nothing but the checkpoints; answers what is to be searched. */
async function tellAll(
  { task, graph, keeper, turns, tools }: Told,
  between: () => Promise<void>,
): Promise<Readonly<Record<string, readonly (string | Buffer)[]>>> {
  await using checkpoints = await openCheckpoints(keeper);
  await using langSmith = await openTracer();
  const { handler, told } = openCallbacks();
  const events: string[] = [];
  const config = {
    ...{ version: 'v2', context: { task }, callbacks: [langSmith.tracer, handler] },
    configurable: { thread_id: 'thread' },
  };
  const run = async (input: unknown, script: readonly ScriptedTurn[]): Promise<void> => {
    const llm = new TestChatModel(createScriptedModel(scriptOf(script)));
    const agent = build(graph, llm, tools, checkpoints.saver) as unknown as EventAgent;
    for await (const event of agent.streamEvents(input, config))
      events.push(`${event.event} ${dump(event)}`);
    await awaitAllCallbacks();
  };
  await run(question, turns[0]);
  const whilePaused = await checkpoints.bytes();
  await between();
  await run(null, turns[1]);
  return {
    'checkpoints while paused': whilePaused,
    'checkpoints at the end': await checkpoints.bytes(),
    'what LangSmith was sent': langSmith.sent,
    'what callbacks were told': told,
    'events of the stream': events,
  };
}

/** Which of the words each place has. */
function search(
  places: Readonly<Record<string, readonly (string | Buffer)[]>>,
  words: readonly string[],
): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    Object.entries(places).map(([place, texts]) => [
      place,
      words.filter((word) => texts.some((text) => secretsIn(text, [word]).length > 0)),
    ]),
  );
}

function assertNothing(found: Readonly<Record<string, readonly string[]>>): void {
  for (const [place, words] of Object.entries(found))
    assert.equal(words.length, 0, `${place}: ${words.map((word) => word.slice(0, 12)).join()}`);
}

describe.each(graphs)('%s', (graph) => {
  it.each(keepers)('leaves no secret in %s, traces, callbacks and events', async (keeper) => {
    const { issuer, api } = world;
    const task = await world.startTask();
    // Each half refreshes once, so that rotated tokens are among the canaries.
    api.rejectNext(1);
    const turns = [[[list], [pay, note]], ['All is paid.']] as const;
    const told = { task, graph, keeper, turns, tools: defineTools(world.tools) };
    const places = await tellAll(told, async () => {
      assert.equal(task.status, 'paused');
      await world.reconnect(scopes);
      await world.approve(task.currentPause?.id ?? '');
      api.rejectNext(1);
    });

    assert.equal(world.served('/payments'), 1);
    const issued = issuer.issuedTokens().map(({ value }) => value);
    // Two connections and two refreshes, with a pair of tokens each.
    assert.equal(new Set([...issued, ...api.tokens()]).size, 8);
    // A place that has nothing to show was not looked at.
    const seen = search(places, ['payInvoice', 'done /invoices']);
    for (const [place, words] of Object.entries(seen)) assert.equal(words.length, 2, place);
    const secrets = [
      ...[...issued, ...api.tokens(), 'agent-secret', btoa('agent:agent-secret')],
      ...[issuer.url, api.url, 'billing.pay', 'invalid_token'],
    ];
    assertNothing(search(places, secrets));
    // Callbacks are handed the tools themselves, which say what their authors declared.
    const { 'what callbacks were told': _told, ...outside } = places;
    assertNothing(search(outside, firstScopes));
  });
});

it.each(keepers)(
  'a token that a tool gives away is found in all of them, and in %s',
  async (keeper) => {
    const task = await world.startTask();
    const token = crypto.randomUUID();
    const tools = [
      tool(async () => token, {
        name: 'giveAway',
        description: 'Leaks',
        schema: z.object({ about: z.string() }),
      }),
    ];
    const turns = [[[{ tool: 'giveAway', id: 'x' }], 'Done.'], []] as const;
    const places = await tellAll(
      { task, graph: 'createAgent v2', keeper, turns, tools },
      async () => undefined,
    );
    for (const [place, found] of Object.entries(search(places, [token])))
      assert.deepEqual(found, [token], place);
  },
);
