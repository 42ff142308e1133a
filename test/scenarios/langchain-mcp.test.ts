import assert from 'node:assert/strict';
import { type DynamicStructuredTool, tool } from '@langchain/core/tools';
import { Command } from '@langchain/langgraph';
import { loadMcpTools, MultiServerMCPClient } from '@langchain/mcp-adapters';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { Requirement } from '@outlive/core';
import { credentialMiddleware, principalOf, withCredential } from '@outlive/langchain';
import type { ApiRoute } from '@outlive/testing';
import { type AgentMiddleware, createAgent } from 'langchain';
import { afterEach, beforeEach, describe, it } from 'vitest';
import { z } from 'zod';
import type { Agent } from './langchain-adapter.ts';
import {
  disconnectedTask,
  interruptOf,
  letPay,
  pauseIdOf,
  type Returned,
  type Story,
  spoken,
  tell,
} from './langchain-story.ts';
import { approvers, scopes } from './scenario-runtime.ts';
import { createScenarioWorld, type ScenarioWorld } from './scenario-world.ts';

// A real MCP server, which speaks Streamable HTTP behind an API that wants an access token.

let world: ScenarioWorld;
/** What the tools of the MCP server were called with. */
let called: string[];
/** Whether the server lets a client in, and refuses what it calls. */
let refusesCalls: boolean;
/** The tools as LangChain's adapter lists them, with the connection of the app: it has a token of its own. */
let listed: readonly DynamicStructuredTool[];
let connection: MultiServerMCPClient;

beforeEach(async () => {
  called = [];
  refusesCalls = false;
  world = await createScenarioWorld({ 'GET /mcp': noStream, 'POST /mcp': mcp });
  const { tokenResponse } = await world.issuer.seedGrant({ subject: 'app', scopes });
  const headers = { authorization: `Bearer ${tokenResponse.access_token}` };
  connection = new MultiServerMCPClient({
    mcpServers: { notes: { transport: 'http', url: `${world.api.url}/mcp`, headers } },
  });
  listed = await connection.getTools();
});
afterEach(async () => {
  await connection.close();
  await world[Symbol.asyncDispose]();
});

const noStream: ApiRoute = {
  scopes: ['billing.pay'],
  handle: () => new Response(null, { status: 405 }),
};
const mcp: ApiRoute = {
  scopes: ['billing.pay'],
  async handle(request) {
    if (refusesCalls && (await request.clone().text()).includes('tools/call')) {
      const challenge = 'Bearer error="insufficient_scope", scope="billing.pay"';
      return new Response(null, { status: 403, headers: { 'www-authenticate': challenge } });
    }
    const server = new McpServer({ name: 'notes', version: '1.0.0' });
    server.registerTool(
      'findNotes',
      { description: 'Finds notes', inputSchema: { about: z.string() } },
      ({ about }) => {
        called.push(about);
        return { content: [{ type: 'text', text: `two notes about ${about}` }] };
      },
    );
    // Stateless: a server and a transport for each request.
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
    await server.connect(transport);
    return await transport.handleRequest(request);
  },
};

/** The author does not know that the server wants more than this. */
const needed = { resource: 'billing', scopes: ['billing.note'], effect: 'irreversible' } as const;
const find = { tool: 'findNotes', id: 'find', about: 'tea' };
const list = { tool: 'listInvoices', id: 'list' };

function findNotes(): DynamicStructuredTool {
  const [only] = listed;
  if (only === undefined) throw new Error('the server has no tools');
  return only;
}

/** Sent to the MCP server for the person: what the app's own connection sends is not. */
const sentForAlice = (): number =>
  world.api.accepted.filter(({ path, subject }) => path === '/mcp' && subject === 'alice').length;

const waitingCalls = (returned: Returned): readonly string[] | undefined =>
  interruptOf(returned).value?.calls.map(({ toolCallId }) => toolCallId);

describe('a tool of the MCP adapter that is guarded', () => {
  it('keeps every field, its schema and its class, and calls the server with what the model wrote', async () => {
    const original = findNotes();
    const guarded = withCredential(needed, original);
    for (const field of Object.keys(original) as (keyof DynamicStructuredTool)[])
      assert.equal(guarded[field], original[field], field);
    assert.equal(guarded.constructor, original.constructor);
    assert.equal(guarded.responseFormat, 'content_and_artifact');

    const story = tell(world, await world.startTask(), {
      turns: [[find], 'Found.'],
      tools: [guarded],
    });
    const returned = await story.ask();
    assert.match(spoken(returned).join('\n'), /tool find: two notes about tea/);
    assert.deepEqual(called, ['tea']);
    // The connection is the app's: a guard decides whether the call may run, and not with which token it is sent.
    assert.equal(sentForAlice(), 0);
  });

  it('given to the middleware pauses before the server hears of it, and runs once when the person has decided', async () => {
    const story = tell(world, await disconnectedTask(world), {
      turns: [[find, { tool: 'wait', id: 'idle' }], 'Found.'],
      make: (model, all, checkpointer) => {
        const tools = [withCredential(needed, findNotes())];
        const middleware = [credentialMiddleware({ tools }) as AgentMiddleware];
        const others = all.filter(({ name }) => name === 'wait');
        return createAgent({ model, tools: others, middleware, checkpointer }) as Agent;
      },
    });
    const waiting = await story.ask();
    assert.deepEqual(waitingCalls(waiting), ['find']);
    await story.invoke(new Command({ resume: { decision: 'authorized' } }));
    assert.deepEqual([...called, ...world.executed], []);
    assert.equal(story.model.calls, 1);

    await letPay(world, waiting);
    const resumed = await story.invoke(new Command({ resume: {} }));
    assert.equal(resumed.messages.at(-1)?.text, 'Found.');
    assert.deepEqual(called, ['tea']);
    assert.deepEqual(world.executed, ['wait:idle']);
    assert.equal(story.model.calls, 2);
    assert.ok(!JSON.stringify(story.model.prompts).includes('[auth:'));
  });
});

describe('an MCP client that sends through the principal', () => {
  /** The client is made for the call, as the principal is: its `fetch` has the token, and the client has none. */
  function throughPrincipal(
    { name, description, schema }: DynamicStructuredTool,
    requirement: Requirement = needed,
  ) {
    const acting = tool(
      async (input, runtime) => {
        const { fetch } = principalOf(runtime);
        const client = new Client({ name: 'agent', version: '1.0.0' });
        const url = new URL(`${world.api.url}/mcp`);
        try {
          await client.connect(new StreamableHTTPClientTransport(url, { fetch }) as Transport);
          const tools = await loadMcpTools('notes', client);
          return await tools.find((one) => one.name === name)?.invoke(input as { about: string });
        } finally {
          await client.close();
        }
      },
      { name, description, schema },
    );
    return withCredential(requirement, acting);
  }

  it('acts for the person; what the server refuses pauses, and exactly that call runs on the resume', async () => {
    const story = tell(world, await world.startTask(), {
      turns: [[find, list], 'Found.'],
      tools: [throughPrincipal(findNotes())],
    });
    const waiting = await story.ask();
    assert.equal(interruptOf(waiting).value?.code, 'insufficient_scope');
    assert.deepEqual(waitingCalls(waiting), ['find']);
    assert.equal(story.model.calls, 1);
    assert.equal(sentForAlice(), 0);

    await letPay(world, waiting);
    const resumed = await story.invoke(new Command({ resume: {} }));
    assert.match(spoken(resumed).join('\n'), /tool find: two notes about tea/);
    assert.deepEqual(called, ['tea']);
    assert.deepEqual(world.executed, ['listInvoices:list']);
    assert.ok(sentForAlice() > 0);
    assert.equal(story.model.calls, 2);
    assert.ok(!JSON.stringify(story.model.prompts).includes('[auth:'));
  });

  /** The server lets the client in, and refuses what it calls then; people agree that the task goes on. */
  async function refusedLate(effect: Requirement['effect']): Promise<[Story, Returned]> {
    await world.reconnect(scopes);
    refusesCalls = true;
    const story = tell(world, await world.startTask(), {
      turns: [[find, list], 'Found.'],
      tools: [throughPrincipal(findNotes(), { ...needed, effect })],
    });
    const waiting = await story.ask();
    assert.equal(interruptOf(waiting).value?.code, 'insufficient_scope');
    assert.deepEqual(called, []);
    refusesCalls = false;
    await letPay(world, waiting);
    return [story, await story.invoke(new Command({ resume: {} }))];
  }

  it('that was let in before it was refused runs again, where the call reads', async () => {
    const [, resumed] = await refusedLate('read');
    assert.match(spoken(resumed).join('\n'), /tool find: two notes about tea/);
    assert.deepEqual(called, ['tea']);
  });

  it('that was let in before it was refused asks people first, where the call writes: nobody knows what it did', async () => {
    const [story, doubtful] = await refusedLate('irreversible');
    assert.equal(interruptOf(doubtful).value?.code, 'outcome_unknown');
    assert.deepEqual(called, []);
    assert.equal(story.model.calls, 1);
    const pauseId = pauseIdOf(doubtful);
    for (const by of approvers) {
      const word = { decision: 'resume', by, rerun: ['find'] } as const;
      if ((await world.outlive.decide(pauseId, word)).status === 'decided') break;
    }
    const resumed = await story.invoke(new Command({ resume: {} }));
    assert.match(spoken(resumed).join('\n'), /tool find: two notes about tea/);
    assert.deepEqual(called, ['tea']);
    assert.equal(story.model.calls, 2);
  });
});
