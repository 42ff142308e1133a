import { randomBytes } from 'node:crypto';
import { createMCPClient } from '@ai-sdk/mcp';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js';
import {
  alwaysActive,
  createOutlive,
  defineResource,
  memoryStore,
  type RunOutcome,
  type Task,
} from '@outlive/core';
import {
  callTool,
  createProtectedApi,
  createScriptedModel,
  createTestIssuer,
  say,
  type TestLanguageModel,
} from '@outlive/testing';
import * as ai from 'ai';
import { generateText, stepCountIs, streamText, type ToolSet } from 'ai';
import { createMCPClient as createMCPClient1 } from 'ai-sdk-mcp-1';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { withCredential, withTask } from '../src/index.ts';

// A real MCP server, which speaks Streamable HTTP behind an API that wants an access token.

const issuer = await createTestIssuer({
  accessTokenLifetimeMs: 600_000,
  resources: { 'https://notes.example/': { scopes: ['notes.read'] } },
});
let refuses = false;
/** What the tools of the MCP server were called with. */
const called: string[] = [];
beforeEach(() => {
  refuses = false;
  called.length = 0;
});

function mcpServer(): McpServer {
  const server = new McpServer({ name: 'notes', version: '1.0.0' });
  server.registerTool('findNotes', { inputSchema: { about: z.string() } }, ({ about }) => {
    called.push(about);
    return { content: [{ type: 'text', text: `two notes about ${about}` }] };
  });
  server.registerTool('archive', { inputSchema: {} }, () => ({
    content: [{ type: 'text', text: 'the archive is closed' }],
    isError: true,
  }));
  return server;
}

const api = await createProtectedApi({
  issuer,
  routes: {
    'POST /mcp': {
      scopes: ['notes.read'],
      async handle(request) {
        if (refuses) {
          const challenge = 'Bearer error="insufficient_scope", scope="notes.write"';
          return new Response(null, { status: 403, headers: { 'www-authenticate': challenge } });
        }
        // Stateless: a server and a transport for each request.
        const transport = new WebStandardStreamableHTTPServerTransport({
          enableJsonResponse: true,
        });
        await mcpServer().connect(transport);
        return await transport.handleRequest(request);
      },
    },
  },
});
const notes = defineResource({ name: 'notes', scopes: ['notes.read'] });
const read = { resource: notes, scopes: ['notes.read'], effect: 'read' } as const;
const outlive = createOutlive({
  store: memoryStore(),
  keys: { current: 'k', ring: { k: randomBytes(32) }, hash: randomBytes(32) },
  providers: { acme: { issuer: issuer.url, clientId: 'agent', clientSecret: 'agent-secret' } },
  resources: { notes: { provider: 'acme', baseUrl: api.url, scopes: notes.scopes } },
  gate: alwaysActive,
});
const principal = { subject: 'alice' };
const { tokenResponse } = await issuer.seedGrant({ ...principal, scopes: ['notes.read'] });
await outlive.grants.import({ provider: 'acme', principal, tokens: tokenResponse });

afterAll(async () => {
  await outlive.close();
  await api.close();
  await issuer.close();
});

const startTask = (): Promise<Task> =>
  outlive.startTask({
    ...{ principal, agent: 'librarian', requirements: [read], expectedDurationMs: 60_000 },
  });

/** The client of the major of `ai` that the tests run on. */
const connect = 'isStepCount' in ai ? createMCPClient : createMCPClient1;

/** As apps without a runtime do it: the client has a token of its own. */
function connectWithToken(): ReturnType<typeof createMCPClient> {
  const headers = { authorization: `Bearer ${tokenResponse.access_token}` };
  return connect({ transport: { type: 'http', url: `${api.url}/mcp`, headers } }) as ReturnType<
    typeof createMCPClient
  >;
}

async function run(
  task: Task,
  model: TestLanguageModel,
  tools: ToolSet,
): Promise<RunOutcome<unknown>> {
  return await withTask(
    task,
    generateText,
  )({ model, tools, prompt: 'Go.', stopWhen: stepCountIs(5) });
}

describe('tools of an MCP client under a task', () => {
  it('are called and answer as without one, also when they say that they failed', async () => {
    await using client = disposable(await connectWithToken());
    const tools = (await client.tools()) as ToolSet;
    const model = createScriptedModel([
      [callTool('findNotes', { about: 'tea' }, 'A'), callTool('archive', {}, 'B')],
      say('Found.'),
    ]);

    const outcome = await run(await startTask(), model, tools);

    expect(outcome.status).toBe('completed');
    expect(outcome.ledger).toEqual([]);
    expect(called).toEqual(['tea']);
    const seen = JSON.stringify(model.prompts.at(-1));
    expect(seen).toContain('two notes about tea');
    expect(seen).toContain('the archive is closed');
  });

  it('stream as without one', async () => {
    await using client = disposable(await connectWithToken());
    const tools = (await client.tools()) as ToolSet;
    const model = createScriptedModel([
      callTool('findNotes', { about: 'tea' }, 'A'),
      say('Found.'),
    ]);
    const { stream, outcome } = withTask(
      await startTask(),
      streamText,
    )({ model, tools, prompt: 'Go.', stopWhen: stepCountIs(5) });

    await stream.consumeStream();

    expect((await outcome).status).toBe('completed');
    expect(called).toEqual(['tea']);
  });

  it('that were guarded keep their schema, answer under a task, and refuse without one', async () => {
    await using client = disposable(await connectWithToken());
    const { findNotes } = (await client.tools()) as ToolSet;
    if (findNotes === undefined) throw new Error('the server has no such tool');
    const guarded = withCredential(read, findNotes);
    expect(guarded.inputSchema).toBe(findNotes.inputSchema);
    const model = createScriptedModel([callTool('findNotes', { about: 'tea' }), say('Found.')]);

    expect((await run(await startTask(), model, { findNotes: guarded })).status).toBe('completed');
    expect(called).toEqual(['tea']);

    const alone = createScriptedModel([callTool('findNotes', { about: 'tea' })]);
    const { steps } = await generateText({
      ...{ model: alone, tools: { findNotes: guarded }, prompt: 'Go.' },
    });
    expect(JSON.stringify(steps[0]?.response.messages)).toContain('[auth:no_task]');
    expect(called).toEqual(['tea']);
  });
});

describe('an MCP client that sends through the principal', () => {
  /** The client is made for the call, since the principal is: its `fetch` has the token, and the client has none. */
  const findNotes = withCredential(read, {
    inputSchema: z.object({ about: z.string() }),
    execute: async ({ about }, { principal, ...options }) => {
      const { fetch } = principal;
      await using client = disposable(
        await createMCPClient({ transport: { type: 'http', url: `${api.url}/mcp`, fetch } }),
      );
      const tools = await client.tools();
      return await tools['findNotes']?.execute?.({ about }, options);
    },
  });

  it('acts for the person of the task', async () => {
    const model = createScriptedModel([
      callTool('findNotes', { about: 'tea' }, 'A'),
      say('Found.'),
    ]);

    const outcome = await run(await startTask(), model, { findNotes });

    expect(outcome.status).toBe('completed');
    expect(outcome.ledger).toMatchObject([{ toolCallId: 'A', outcome: 'done' }]);
    expect(api.accepted.at(-1)?.subject).toBe('alice');
    expect(JSON.stringify(model.prompts)).toContain('two notes about tea');
  });

  it('pauses the task when the server refuses, whatever the client makes of that', async () => {
    refuses = true;
    const model = createScriptedModel([callTool('findNotes', { about: 'tea' }, 'A')]);

    const outcome = await run(await startTask(), model, { findNotes });

    expect(outcome).toMatchObject({
      status: 'paused',
      pause: { reason: { code: 'insufficient_scope' }, call: { toolCallId: 'A' } },
    });
    expect(called).toEqual([]);
  });
});

function disposable<Client extends { close(): Promise<void> }>(client: Client) {
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
}
