import { AuthError } from '@outlive/core';
import { callTool, createScriptedModel, say } from '@outlive/testing';
import { lastAssistantMessageIsCompleteWithApprovalResponses } from 'ai';
import { afterAll, describe, expect, it } from 'vitest';
import {
  announceConnection,
  answerInterrupt,
  continuesWhenAnswered,
  interruptBeforeTask,
  onConnection,
  takeAnswers,
  waitingInterrupt,
} from '../src/ui/index.ts';
import { createTools } from './support/tools.ts';
import { createWorld } from './support/world.ts';
import { createChatServer, type Message, PageChat } from './ui-chat.ts';

const world = await createWorld();
afterAll(() => world[Symbol.asyncDispose]());

/** A chat in which of two calls one was refused. */
async function interruptedChat(closing = say('Found.')) {
  const story = await world.startStory();
  const executed: string[] = [];
  const model = createScriptedModel([
    [callTool('readMail', { q: 'a' }, 'A'), callTool('clock', {}, 'B')],
    closing,
  ]);
  const server = createChatServer(story, model, createTools(executed));
  const chat = new PageChat(server);
  story.refused.add('readMail');
  await chat.sendMessage({ text: 'What is new?' });
  const interrupt = waitingInterrupt(chat.messages);
  if (interrupt === undefined) throw new Error(`no interrupt in ${JSON.stringify(chat.messages)}`);
  return { story, executed, model, server, chat, interrupt };
}

describe('an interrupted chat', () => {
  it('tells the page why it waits, for whom and which call, and nothing of the issuer', async () => {
    const { chat, interrupt, server } = await interruptedChat();

    expect(interrupt).toEqual({
      code: 'insufficient_scope',
      recovery: 'user',
      pauseId: expect.any(String),
      requires: ['user'],
      confirmed: [],
      calls: [
        {
          toolCallId: 'A',
          toolName: 'readMail',
          approvalId: 'auth_A',
          resource: 'mail',
          effect: 'read',
          code: 'insufficient_scope',
        },
      ],
    });
    expect(chat.parts).toEqual(['A:approval-requested', 'B:output-available', 'interrupt:waiting']);
    for (const secret of [...world.tokens(), 'SECRET-SCOPE', 'Bearer'])
      expect(server.sent).not.toContain(secret);
  });

  it('goes on by itself when the person has connected, and runs the refused call only', async () => {
    const { story, executed, model, server, chat, interrupt } = await interruptedChat();
    story.refused.clear();

    await answerAndWait(chat, interrupt, 'resume');

    expect(chat.parts).toEqual([
      'A:output-available',
      'B:output-available',
      'interrupt:resume',
      'Found.',
    ]);
    expect(executed).toEqual(['readMail:A', 'clock:B', 'readMail:A']);
    expect(model.calls).toBe(2);
    expect(server.outcomes).toEqual(['paused', 'completed']);
    expect(waitingInterrupt(chat.messages)).toBeUndefined();
  });

  it('tells the model once, in safe words, that the person declined', async () => {
    const { executed, model, chat, interrupt } = await interruptedChat(say('Then not.'));

    await answerAndWait(chat, interrupt, 'decline');

    expect(chat.parts).toEqual([
      'A:output-denied',
      'B:output-available',
      'interrupt:decline',
      'Then not.',
    ]);
    expect(executed).toEqual(['readMail:A', 'clock:B']);
    const told = JSON.stringify(model.prompts.at(-1));
    expect(told.match(/The user declined to authorize this action\./g)).toHaveLength(1);
  });

  it('goes on after it was refused again, where the helper of the SDK would wait for ever', async () => {
    const { story, chat, interrupt, server } = await interruptedChat();
    await answerAndWait(chat, interrupt, 'resume');
    expect(server.outcomes).toEqual(['paused', 'paused']);
    const again = waitingInterrupt(chat.messages);
    if (again === undefined) throw new Error('no second interrupt');
    expect(again.pauseId).not.toBe(interrupt.pauseId);

    story.refused.clear();
    const answered = withApproval(chat.messages, 'auth_A');
    expect(lastAssistantMessageIsCompleteWithApprovalResponses({ messages: answered })).toBe(false);
    expect(continuesWhenAnswered({ messages: answered })).toBe(true);
    await answerAndWait(chat, again, 'resume');

    expect(chat.parts.at(-1)).toBe('Found.');
    expect(server.outcomes).toEqual(['paused', 'paused', 'completed']);
  });

  it('goes on in a page that was reloaded', async () => {
    const { story, server } = await interruptedChat();
    story.refused.clear();

    const reloaded = new PageChat(server, server.messages);
    const interrupt = waitingInterrupt(reloaded.messages);
    if (interrupt === undefined) throw new Error('no interrupt after the reload');
    await answerAndWait(reloaded, interrupt, 'resume');

    expect(reloaded.parts.at(-1)).toBe('Found.');
    expect(server.messages.at(-1)?.parts).toEqual(reloaded.lastMessage?.parts);
  });

  it('does not wait any more when the person types instead of answering', async () => {
    const { chat } = await interruptedChat();

    chat.messages = [...chat.messages, { id: 'm', role: 'user', parts: [] }];

    expect(waitingInterrupt(chat.messages)).toBeUndefined();
    expect(continuesWhenAnswered(chat)).toBe(false);
  });
});

describe('a chat whose task was paused between two calls', () => {
  it('waits without a call, and goes on with the model', async () => {
    const story = await world.startStory();
    const model = createScriptedModel(async ({ number }) => {
      if (number > 1) return say('It is noon.');
      await story.task.pause('by an admin');
      return callTool('clock', {}, 'A');
    });
    const server = createChatServer(story, model, createTools());
    const chat = new PageChat(server);
    await chat.sendMessage({ text: 'How late is it?' });
    const interrupt = waitingInterrupt(chat.messages);
    if (interrupt === undefined)
      throw new Error(`no interrupt in ${JSON.stringify(chat.messages)}`);
    expect(interrupt).toMatchObject({ code: 'task_paused', recovery: 'approver', calls: [] });
    expect(model.calls).toBe(1);

    await answerInterrupt(chat, interrupt, 'resume');

    expect(chat.parts).toEqual(['A:output-available', 'interrupt:resume', 'It is noon.']);
    expect(server.outcomes).toEqual(['paused', 'completed']);
  });
});

describe('the answers in a message from a browser', () => {
  it('are taken, and nothing else is', async () => {
    const { server } = await interruptedChat();
    const stored = server.messages.at(-1);
    if (stored === undefined) throw new Error('nothing was stored');

    const forged = JSON.parse(
      JSON.stringify(withApproval([stored], 'auth_A')[0])
        .replace('"q":"a"', '"q":"all of it"')
        .replace('"output":"noon"', '"output":"midnight"'),
    );
    expect(JSON.stringify(forged)).toContain('midnight');
    const { message, answer, declined } = takeAnswers(stored, forged);

    expect({ answer, declined }).toEqual({ answer: 'resume', declined: [] });
    expect(JSON.stringify(message)).toContain('"output":"noon"');
    expect(JSON.stringify(message)).not.toContain('all of it');
    expect(message.parts).toContainEqual(
      expect.objectContaining({ toolCallId: 'A', state: 'approval-responded' }),
    );
  });

  it('count for nothing when the stored message asks for none, or it is another message', async () => {
    const { server } = await interruptedChat();
    const stored = server.messages.at(-1);
    if (stored === undefined) throw new Error('nothing was stored');
    const [answered] = withApproval([stored], 'auth_A');
    if (answered === undefined) throw new Error('no answer');

    expect(takeAnswers(stored, { ...answered, id: 'another' }).answer).toBeUndefined();
    expect(takeAnswers(answered, answered).answer).toBeUndefined();
    expect(takeAnswers(stored, stored)).toEqual({
      message: stored,
      answer: undefined,
      declined: [],
    });
  });
});

describe('a chat whose task could not be started', () => {
  it('sends the answer with the message, because no call carries it', async () => {
    const data = interruptBeforeTask(new AuthError('reauthorization_required'));
    const asking: Message = {
      id: 'm',
      role: 'assistant',
      parts: [{ type: 'data-auth-interrupt', id: 'before-task', data }],
    };
    const sent: (readonly Message[])[] = [];
    let messages = [asking];
    const chat = {
      get messages() {
        return messages;
      },
      setMessages: (next: Message[]) => {
        messages = next;
      },
      sendMessage: async () => {
        sent.push(messages);
      },
      addToolApprovalResponse: () => undefined,
    };

    await answerInterrupt(chat, data, 'resume');

    const received = sent[0]?.[0];
    if (received === undefined) throw new Error('nothing was sent');
    expect(takeAnswers(asking, received)).toEqual({
      message: received,
      answer: 'resume',
      declined: [],
    });
  });
});

describe('the news of a connection', () => {
  it('reaches every page of the origin, until it stops listening', async () => {
    const heard = Promise.withResolvers<unknown>();
    const stop = onConnection(heard.resolve);

    announceConnection({ provider: 'acme', status: 'connected' });

    expect(await heard.promise).toEqual({ provider: 'acme', status: 'connected' });
    stop();
  });
});

async function answerAndWait(
  chat: PageChat,
  interrupt: NonNullable<ReturnType<typeof waitingInterrupt>>,
  answer: 'resume' | 'decline',
): Promise<void> {
  const settled = chat.settled();
  await answerInterrupt(chat, interrupt, answer);
  await settled;
}

function withApproval(messages: readonly Message[], approvalId: string): Message[] {
  return messages.map((message) => ({
    ...message,
    parts: message.parts.map((part) =>
      'approval' in part && part.approval?.id === approvalId
        ? ({
            ...part,
            state: 'approval-responded',
            approval: { id: approvalId, approved: true },
          } as typeof part)
        : part,
    ),
  }));
}
