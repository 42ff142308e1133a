import { CallbackManager } from '@langchain/core/callbacks/manager';
import { ToolMessage } from '@langchain/core/messages';
import { DynamicTool, StructuredTool, tool } from '@langchain/core/tools';
import {
  AuthError,
  ConfigurationError,
  createOutlive,
  memoryStore,
  type Outlive,
  type PrincipalHandle,
  requirementOf,
  type Task,
  toolRequirements,
} from '@outlive/core';
import { createProtectedApi, createTestIssuer } from '@outlive/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { principalOf, withCredential } from '../src/index.ts';

const reads = { resource: 'mail', scopes: ['read'], effect: 'read' } as const;
const schema = z.object({ folder: z.string() });

let issuer: Awaited<ReturnType<typeof createTestIssuer>>;
let api: Awaited<ReturnType<typeof createProtectedApi>>;
let outlive: Outlive;
let task: Task;

beforeAll(async () => {
  issuer = await createTestIssuer();
  api = await createProtectedApi({
    issuer,
    routes: { 'GET /mails': { scopes: ['read'], handle: () => Response.json(['hello']) } },
  });
  outlive = createOutlive({
    store: memoryStore(),
    providers: { acme: { issuer: issuer.url, clientId: 'agent', clientSecret: 'agent-secret' } },
    resources: { mail: { provider: 'acme', baseUrl: api.url, scopes: ['read', 'write'] } },
    gate: () => 'active',
    policy: { maintainMs: 0 },
  });
  const principal = { subject: 'ada' };
  const { tokenResponse: tokens } = await issuer.seedGrant({ ...principal, scopes: ['read'] });
  await outlive.grants.import({ provider: 'acme', principal, tokens });
  const needs = { requirements: [reads], expectedDurationMs: 60_000 };
  task = await outlive.startTask({ principal, agent: 'reader', ...needs });
});

afterAll(async () => {
  await Promise.all([outlive.close(), api.close(), issuer.close()]);
});

function call(args: Record<string, unknown> = { folder: 'inbox' }) {
  return { type: 'tool_call', id: 'call', name: 'readMail', args } as const;
}

function inTask() {
  return { context: { task } };
}

async function readMails(principal: PrincipalHandle): Promise<string[]> {
  return (await (await principal.fetch('mails')).json()) as string[];
}

describe('a function with a requirement in front', () => {
  it('acts for the principal of the task in the context', async () => {
    const readMail = withCredential(
      reads,
      async ({ folder }, { principal, toolCallId }) => [
        ...[folder, principal.subject, toolCallId],
        ...(await readMails(principal)),
      ],
      { name: 'readMail', description: 'Reads', schema },
    );
    const answer = await readMail.invoke(call(), { ...inTask(), toolCallId: 'call' } as object);
    expect(answer).toBeInstanceOf(ToolMessage);
    expect((answer as ToolMessage).content).toBe('["inbox","ada","call","hello"]');
  });

  it('refuses without a task, and does nothing', async () => {
    let ran = false;
    const readMail = withCredential(
      reads,
      () => {
        ran = true;
      },
      { name: 'readMail', schema },
    );
    await expect(readMail.invoke(call())).rejects.toMatchObject({ code: 'no_task' });
    expect(ran).toBe(false);
  });

  it('declares what it needs', () => {
    const readMail = withCredential(reads, () => 'none', { name: 'readMail', schema });
    expect(requirementOf(readMail)).toBe(reads);
    expect(toolRequirements([readMail])).toEqual([reads]);
  });
});

describe('an existing tool', () => {
  it('keeps every field, its class and its private ones', async () => {
    class Mailbox extends StructuredTool {
      override name = 'readMail';
      override description = 'Reads';
      override schema = schema;
      readonly #seen: string[] = [];
      protected override async _call(
        { folder }: z.infer<typeof schema>,
        _runManager: unknown,
        runtime?: object,
      ): Promise<string> {
        this.#seen.push(folder);
        return `${this.#seen.join()} ${await readMails(principalOf(runtime))}`;
      }
    }
    const original = new Mailbox({
      ...{ responseFormat: 'content', verboseParsingErrors: true, tags: ['mail'] },
      ...{ metadata: { kind: 'mail' }, callbacks: new CallbackManager() },
      extras: { cache_control: { type: 'ephemeral' } },
    });
    original.returnDirect = true;
    const guarded = withCredential(reads, original);
    expect(guarded).toBeInstanceOf(Mailbox);
    const fields = [
      ...['name', 'description', 'schema', 'responseFormat', 'returnDirect', 'extras'],
      ...['metadata', 'tags', 'callbacks', 'verboseParsingErrors', 'lc_namespace'],
    ] as const;
    for (const field of fields)
      expect(Reflect.get(guarded, field), field).toEqual(Reflect.get(original, field));
    const answer = (await guarded.invoke(call(), inTask() as object)) as ToolMessage;
    expect(answer.content).toBe('inbox hello');
    expect(requirementOf(original)).toBeUndefined();
  });

  it('may take a string, answer with content and artifact, or stream', async () => {
    const text = withCredential(
      reads,
      new DynamicTool({
        name: 'text',
        description: 'Reads',
        func: async (input, _runManager, runtime) =>
          `${input} ${await readMails(principalOf(runtime))}`,
      }),
    );
    expect(await text.invoke('inbox', inTask() as object)).toBe('inbox hello');

    const pair = withCredential(
      reads,
      tool(async (_input, runtime) => ['found', { mails: await readMails(principalOf(runtime)) }], {
        name: 'pair',
        description: 'Reads',
        schema,
        responseFormat: 'content_and_artifact',
      }),
    );
    const answer = (await pair.invoke(call(), inTask() as object)) as ToolMessage;
    expect(answer.artifact).toEqual({ mails: ['hello'] });

    const seen: unknown[] = [];
    const stream = withCredential(
      reads,
      tool(
        async function* (_input, runtime) {
          yield 'looking';
          return await readMails(principalOf(runtime));
        },
        { name: 'stream', description: 'Reads', schema },
      ),
    );
    const callbacks = [{ handleToolEvent: (event: unknown) => void seen.push(event) }];
    const streamed = await stream.invoke({ folder: 'inbox' }, { ...inTask(), callbacks } as object);
    expect(streamed).toEqual(['hello']);
    expect(seen).toEqual(['looking']);
  });

  it('is refused where LangChain would not call it, and told why', () => {
    const notATool = { schema, invoke: () => 'nothing' };
    expect(() => withCredential(reads, notATool)).toThrow(ConfigurationError);
    expect(() => withCredential(reads, notATool)).toThrow(
      /withCredential: tool: expected a LangChain tool/,
    );
  });
});

it('says nothing of a principal outside of a task', () => {
  expect(() => principalOf({})).toThrow(AuthError);
  expect(() => principalOf(undefined)).toThrow(/no_task/);
});
