import { generateText, isStepCount, tool } from 'ai';
import * as z from 'zod';
import { dumpPrompts, leave, receiveAssignment, report, reportModelCall } from './assignment.ts';
import type { NaiveAssignment } from './messages.ts';
import { createSupportModel, mostTurns } from './model.ts';
import { openTokenFile } from './token-file.ts';
import { saveDraft } from './tools.ts';

const assignment = await receiveAssignment<NaiveAssignment>();
const { queue, promptsPath } = assignment;
const session = await openTokenFile(assignment);
const model = createSupportModel(queue, reportModelCall);

/** A tool as it is written today: what goes wrong with its authorization is an error like any other. */
const ticketTool = (method: string, suffix = '') =>
  tool({
    inputSchema: z.object({ ticket: z.string() }),
    execute: async ({ ticket }) => {
      const response = await session.fetch(`/tickets/${ticket}${suffix}`, { method });
      if (!response.ok) throw new Error(`the support API answered ${response.status}`);
      return response.json();
    },
  });

const { text } = await generateText({
  model,
  tools: {
    readTicket: ticketTool('GET'),
    tagTicket: ticketTool('PUT', '/tag'),
    replyToTicket: ticketTool('POST', '/reply'),
    saveDraft: saveDraft(),
  },
  stopWhen: isStepCount(mostTurns),
  prompt: `Work through the ${queue} queue.`,
});

await dumpPrompts(promptsPath, model);
await report({ type: 'ended', status: 'completed', said: text });
leave();
