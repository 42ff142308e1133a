import { AuthError, ConfigurationError, requirementOf } from '@outlive/core';
import { type ToolSet, tool } from 'ai';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { principalOf, withCredential } from '../src/index.ts';
import { createTools, mail } from './support/tools.ts';
import { createWorld } from './support/world.ts';

const world = await createWorld();
afterAll(() => world[Symbol.asyncDispose]());

const read = { resource: mail, scopes: ['read'], effect: 'read' } as const;
const options = { toolCallId: 'A', messages: [], context: {} };

async function aPrincipal() {
  const run = (await world.startStory()).task.startRun();
  return run.call({ requirement: read, toolName: 'readMail', toolCallId: 'A', input: {} })
    .principal;
}

describe('a credentialed tool without a task', () => {
  it('rejects with no_task', async () => {
    const { readMail, listMail } = createTools();
    await expect(readMail.execute({}, options)).rejects.toMatchObject({ code: 'no_task' });
    await expect(listMail.execute?.({}, options)).rejects.toMatchObject({ code: 'no_task' });
  });

  it('throws no_task when it streams and is read', async () => {
    const executed: string[] = [];
    const answers = createTools(executed).searchMail.execute({}, options);
    const reading = (answers as AsyncGenerator)[Symbol.asyncIterator]().next();

    await expect(reading).rejects.toSatisfy(AuthError.is);
    expect(executed).toEqual([]);
  });
});

describe('a credentialed tool', () => {
  it('can be tested alone, with a principal', async () => {
    const answer = await createTools().readMail.execute(
      { q: 'x' },
      { ...options, principal: await aPrincipal() },
    );
    expect(answer).toEqual({ q: 'x', answer: { from: 'readMail' } });
  });

  it('says what it needs, also when it is copied', () => {
    const { readMail } = createTools();
    expect(requirementOf(readMail)).toEqual(read);
    expect(requirementOf({ ...readMail })).toEqual(read);
  });

  it('keeps every field of an existing tool, which is not changed itself', () => {
    const existing = tool({
      description: 'd',
      title: 't',
      inputSchema: z.object({}),
      metadata: { group: 'mail' },
      strict: true,
      execute: async () => 1,
    });
    const { execute, ...fields } = withCredential(read, existing);
    expect(fields).toMatchObject({ description: 'd', title: 't', strict: true });
    expect(fields.inputSchema).toBe(existing.inputSchema);
    expect(execute).not.toBe(existing.execute);
    expect(requirementOf(existing)).toBeUndefined();
  });
});

describe('principalOf', () => {
  it('gives an existing tool its principal', async () => {
    const principal = await aPrincipal();
    expect(principalOf({ ...options, principal })).toBe(principal);
  });

  it('refuses outside a task', () => {
    expect(() => principalOf(options)).toThrow(AuthError);
  });
});

describe('a tool that this process does not execute', () => {
  it.each<[string, ToolSet[string]]>([
    ['a client-side tool', tool({ inputSchema: z.object({}), outputSchema: z.string() })],
    [
      'a provider-executed tool (openai.web_search)',
      {
        type: 'provider',
        isProviderExecuted: true,
        id: 'openai.web_search',
        args: {},
        inputSchema: z.object({}),
        outputSchema: z.object({}),
      },
    ],
  ])('is refused when it is defined: %s', (kind, elsewhere) => {
    expect(() => withCredential(read, elsewhere)).toThrow(ConfigurationError);
    expect(() => withCredential(read, elsewhere)).toThrow(`got ${kind}`);
  });
});
