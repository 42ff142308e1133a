import {
  callTool,
  createScriptedModel,
  type ModelTurn,
  say,
  type TurnContext,
} from '@outlive/testing';
import type { LanguageModel } from 'ai';
import { z } from 'zod';
import { declinedInstructions } from '../server/instructions.ts';

const ticketsSchema = z.array(
  z.object({ id: z.string(), title: z.string(), resolved: z.boolean() }),
);

/** A model that plays a script, offline. */
export function scriptedModel(): LanguageModel {
  return createScriptedModel(nextTurn);
}

function nextTurn({ prompt, lastToolResults }: TurnContext): ModelTurn {
  // Results from before the newest question answer an older one.
  const results = prompt.at(-1)?.role === 'tool' ? lastToolResults : [];
  if (JSON.stringify(prompt[0]).includes(declinedInstructions))
    return say('All right, I leave it at that. Without your access I did nothing more.');
  const asked = JSON.stringify(prompt.findLast(({ role }) => role === 'user')).toLowerCase();
  const closes = asked.includes('close');

  const closed = results.filter(({ toolName }) => toolName === 'closeTicket');
  if (closed.length > 0) {
    const done = closed.filter(({ isError }) => !isError).length;
    const left = closed.length - done;
    return left > 0
      ? say(`I closed ${done} resolved tickets and left ${left}, as you wished.`)
      : say(`I closed ${done} resolved tickets. Only T-104 is still open.`);
  }
  const listed = results.find(({ toolName }) => toolName === 'listTickets');
  if (listed?.isError) return say('All right, I leave it at that.');
  if (listed !== undefined) {
    const tickets = ticketsSchema.parse(listed.output);
    const resolved = tickets.filter((ticket) => ticket.resolved);
    if (closes && resolved.length > 0)
      return [
        say(`${resolved.length} of ${tickets.length} are resolved. I am closing those.`),
        ...resolved.map(({ id }) => callTool('closeTicket', { id }, crypto.randomUUID())),
      ];
    const titles = tickets.map(({ id, title }) => `${title} (${id})`).join(', ');
    return say(`Open now: ${titles}.`);
  }
  if (closes || asked.includes('open') || asked.includes('ticket'))
    return [say('I look at the queue.'), callTool('listTickets', {}, crypto.randomUUID())];
  return say('I can tell you what is open in your support desk, and close what is resolved.');
}
