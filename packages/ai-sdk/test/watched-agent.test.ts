import { callTool, createScriptedModel, say } from '@outlive/testing';
import { ToolLoopAgent } from 'ai';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { agentTool } from '../src/index.ts';
import { answerInterrupt, waitingInterrupt } from '../src/ui/index.ts';
import { run, stateOf } from './support/run.ts';
import { createTools } from './support/tools.ts';
import { createWorld } from './support/world.ts';
import { createChatServer, PageChat } from './ui-chat.ts';

const world = await createWorld();
afterAll(() => world[Symbol.asyncDispose]());

const inputSchema = z.object({ question: z.string() });
const asks = callTool('clerk', { question: 'Anything new?' }, 'ask');

/** Reads a mail, and says so. */
function clerkAgent() {
  const model = createScriptedModel([callTool('readMail', {}, 'R'), say('Two mails.')]);
  return new ToolLoopAgent({ model, tools: createTools() });
}

/** A tool that shows what the agent calls and says. */
function watched(agent: ReturnType<typeof clerkAgent>) {
  return agentTool(agent, {
    inputSchema,
    prompt: ({ question }) => question,
    async *stream({ fullStream }) {
      for await (const part of fullStream) {
        if (part.type === 'tool-call') yield `calls ${part.toolName}`;
        if (part.type === 'text-delta') yield part.text;
      }
    },
  });
}

describe('an agent that is watched while it works', () => {
  it('shows each value while it works, and the calling model reads the last one', async () => {
    const { task } = await world.startStory();
    const outer = createScriptedModel([asks, say('Two.')]);
    const clerk = watched(clerkAgent());
    const { parts } = await run('streamText', task, outer, { clerk });
    expect(parts).toMatchObject(
      expect.arrayContaining([
        expect.objectContaining({
          type: 'tool-result',
          preliminary: true,
          output: 'calls readMail',
        }),
      ]),
    );
    const read = JSON.stringify(outer.prompts[1]);
    expect(read).toContain('Two mails.');
    expect(read).not.toContain('calls readMail');
  });

  it('does its work to the end, also if the app stops looking', async () => {
    const { task, served } = await world.startStory();
    const clerk = agentTool(clerkAgent(), {
      inputSchema,
      prompt: ({ question }) => question,
      async *stream({ fullStream }) {
        for await (const { type } of fullStream) {
          if (type !== 'tool-call') continue;
          yield 'enough seen';
          break;
        }
      },
    });
    const outer = createScriptedModel([asks, say('Done.')]);
    const { outcome } = await run('generateText', task, outer, { clerk });
    expect(outcome.status).toBe('completed');
    expect(outcome.ledger).toMatchObject([{ toolCallId: 'R', outcome: 'done' }]);
    expect(served()).toEqual(['readMail']);
  });

  it('is paused when one of its calls was refused, whatever the app makes of its stream', async () => {
    const { task, refused } = await world.startStory();
    refused.add('readMail');
    const clerk = agentTool(clerkAgent(), {
      inputSchema,
      prompt: ({ question }) => question,
      async *stream({ text }) {
        yield `All is well. ${await text}`;
        throw new Error('the page went away');
      },
    });
    const outer = createScriptedModel([asks]);
    const paused = stateOf(await run('generateText', task, outer, { clerk }));
    expect(paused.pending).toMatchObject([
      { toolCallId: 'ask', agent: { pending: [{ toolCallId: 'R' }] } },
    ]);
    expect(outer.calls).toBe(1);
  });

  it('fails as the app does that reads it, when it has done its work itself', async () => {
    const { task } = await world.startStory();
    const clerk = agentTool(clerkAgent(), {
      inputSchema,
      prompt: ({ question }) => question,
      // biome-ignore lint/correctness/useYield: it fails before it has shown anything.
      async *stream() {
        throw new Error('the page went away');
      },
    });
    const outer = createScriptedModel([asks, say('It went away.')]);
    const { outcome } = await run('generateText', task, outer, { clerk });
    expect(outcome.status).toBe('completed');
    expect(JSON.stringify(outer.prompts[1])).toContain('the page went away');
  });
});

describe('a chat in which an agent is watched', () => {
  it('waits while the agent does, and shows its answer when it goes on', async () => {
    const story = await world.startStory();
    story.refused.add('readMail');
    const outer = createScriptedModel([asks, say('Two.')]);
    const agent = new ToolLoopAgent({
      model: createScriptedModel([callTool('readMail', {}, 'R'), say('Two mails.')]),
      tools: createTools(),
    });
    const server = createChatServer(story, outer, { clerk: watched(agent) });
    const chat = new PageChat(server);
    await chat.sendMessage({ text: 'Anything new?' });
    expect(chat.parts).toEqual(['ask:approval-requested', 'interrupt:waiting']);

    story.refused.clear();
    const interrupt = waitingInterrupt(chat.messages);
    if (interrupt === undefined) throw new Error('the chat does not wait');
    const settled = chat.settled();
    await answerInterrupt(chat, interrupt, 'resume');
    await settled;
    expect(chat.parts).toEqual(['ask:output-available', 'interrupt:resume', 'Two.']);
    expect(JSON.stringify(chat.lastMessage)).toContain('Two mails.');
    expect(server.outcomes).toEqual(['paused', 'completed']);
  });
});
